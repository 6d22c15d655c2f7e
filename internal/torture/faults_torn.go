package torture

import (
	"errors"
	"time"

	"ciderd/internal/torture/powerfs"
)

func tornFaults() []fault {
	return []fault{
		{name: "power-torn", how: "all nodes on a FUSE file system (powerfs), under small and large writes; three times, at once on all, what was not synced is forgotten, torn or kept, each write and name by itself; kill -9, start", act: powerTornAll},
		{name: "power-torn-one", how: "the same on one node, five times", act: powerTornOne},
	}
}

func powerTornAll(r *round) error { return powerTorn(r, 3, r.cluster.nodes...) }

func powerTornOne(r *round) error {
	n, err := r.target()
	if err != nil {
		return err
	}
	return powerTorn(r, 5, n)
}

func powerTorn(r *round, times int, nodes ...*node) error {
	err := tear(r, nodes...)
	var sum powerfs.Loss
	for i := 0; i < times && err == nil; i++ {
		var loss powerfs.Loss
		loss, err = loseTorn(r, nodes...)
		sum = sum.Plus(loss)
	}
	r.say("not synced: %d writes kept, %d lost, %d torn; %d names kept, %d lost",
		sum.Kept, sum.Lost, sum.Torn, sum.NamesKept, sum.NamesLost)
	if err != nil {
		return err
	}
	return mend(r, nodes...)
}

// loseTorn lets the nodes work, large values too so that there are snapshots, and cuts their power in
// the middle of it.
func loseTorn(r *round, nodes ...*node) (sum powerfs.Loss, err error) {
	if err := r.flows(); err != nil {
		return sum, err
	}
	writer := nodes[r.random.IntN(len(nodes))]
	writes, seed := make(chan error, 1), r.random.Uint64()
	go func() { writes <- r.bigWrites(writer, 150, seed) }()
	err = r.pass(r.between(50*time.Millisecond, 5*time.Second))
	for _, n := range nodes {
		n.mayEnd = true
	}
	for _, n := range nodes {
		n.disk.torn.Cut()
	}
	errs := []error{err}
	for _, n := range nodes {
		errs = append(errs, n.kill())
	}
	for _, n := range nodes {
		loss, err := n.disk.torn.PowerLoss(r.random.Uint64())
		sum = sum.Plus(loss)
		errs = append(errs, err)
	}
	errs = append(errs, tolerated(writer, <-writes))
	if err := errors.Join(errs...); err != nil {
		return sum, err
	}
	if 2*len(nodes) < len(r.cluster.nodes) {
		if err := r.flows(r.cluster.others(nodes...)...); err != nil {
			return sum, err
		}
	}
	return sum, r.back(nodes...)
}
