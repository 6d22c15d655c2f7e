package faults

import (
	"errors"
	"time"

	"ciderd/test/torture/powerfs"
	"ciderd/test/torture/rig"
)

func tornFaults() []Fault {
	return []Fault{
		{Name: "power-torn", How: "all nodes on a FUSE file system (powerfs), under small and large writes; three times, at once on all, what was not synced is forgotten, torn or kept, each write and name by itself; kill -9, start", Act: powerTornAll},
		{Name: "power-torn-one", How: "the same on one node, five times", Act: powerTornOne},
	}
}

func powerTornAll(r *Round) error { return powerTorn(r, 3, r.Cluster.Nodes...) }

func powerTornOne(r *Round) error {
	n, err := r.target()
	if err != nil {
		return err
	}
	return powerTorn(r, 5, n)
}

func powerTorn(r *Round, times int, nodes ...*rig.Node) error {
	err := tear(r, nodes...)
	var sum powerfs.Loss
	for i := 0; i < times && err == nil; i++ {
		var loss powerfs.Loss
		loss, err = loseTorn(r, nodes...)
		sum = sum.Plus(loss)
	}
	r.Say("not synced: %d writes kept, %d lost, %d torn; %d names kept, %d lost",
		sum.Kept, sum.Lost, sum.Torn, sum.NamesKept, sum.NamesLost)
	if err != nil {
		return err
	}
	return mend(r, nodes...)
}

// loseTorn lets the nodes work, large values too so that there are snapshots, and cuts their power in
// the middle of it.
func loseTorn(r *Round, nodes ...*rig.Node) (sum powerfs.Loss, err error) {
	if err := r.flows(); err != nil {
		return sum, err
	}
	writer := nodes[r.Random.IntN(len(nodes))]
	writes, seed := make(chan error, 1), r.Random.Uint64()
	go func() { writes <- r.bigWrites(writer, 150, seed) }()
	err = r.Pass(r.Between(50*time.Millisecond, 5*time.Second))
	for _, n := range nodes {
		n.MayEnd = true
	}
	for _, n := range nodes {
		n.Disk.Torn.Cut()
	}
	errs := []error{err}
	for _, n := range nodes {
		errs = append(errs, n.Kill())
	}
	for _, n := range nodes {
		loss, err := n.Disk.Torn.PowerLoss(r.Random.Uint64())
		sum = sum.Plus(loss)
		errs = append(errs, err)
	}
	errs = append(errs, tolerated(writer, <-writes))
	if err := errors.Join(errs...); err != nil {
		return sum, err
	}
	if 2*len(nodes) < len(r.Cluster.Nodes) {
		if err := r.flows(r.Cluster.Others(nodes...)...); err != nil {
			return sum, err
		}
	}
	return sum, r.back(nodes...)
}

// tear puts nodes on such disks; they are killed for that, and come back.
func tear(r *Round, nodes ...*rig.Node) error {
	return r.moved((*rig.Disk).Tear, nodes...)
}

// mend takes those of the nodes off such disks that are on one.
func mend(r *Round, nodes ...*rig.Node) error {
	var torn []*rig.Node
	for _, n := range nodes {
		if n.Disk.Torn != nil {
			torn = append(torn, n)
		}
	}
	if len(torn) == 0 {
		return nil
	}
	return r.moved((*rig.Disk).Mend, torn...)
}

func (r *Round) moved(move func(*rig.Disk) error, nodes ...*rig.Node) error {
	r.down(nodes...)
	var errs []error
	for _, n := range nodes {
		errs = append(errs, n.Kill())
	}
	for _, n := range nodes {
		errs = append(errs, move(n.Disk))
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return r.back(nodes...)
}
