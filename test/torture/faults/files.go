package faults

import (
	"ciderd/test/torture/judge"
	"ciderd/test/torture/rig"
)

// snapshotInstall keeps a follower away until its place in the log is gone, and lets it catch up
// under load.
func snapshotInstall(r *Round) error {
	n, err := r.follower()
	if err != nil {
		return err
	}
	r.down(n)
	if err := n.Kill(); err != nil {
		return err
	}
	before := n.Disk.NewestSnapshot()
	if err := r.outrun(n); err != nil {
		return err
	}
	err = r.back(n)
	r.Say("%s: snapshot %q, before it %q", n.Name, n.Disk.NewestSnapshot(), before)
	return err
}

// snapshotLive has the snapshot put in place under the eyes of clients: they must never see less
// than before, nor anything in between.
func snapshotLive(r *Round) error {
	n, err := r.follower()
	if err != nil {
		return err
	}
	rig.Strained(judge.Alone, n)
	for _, other := range r.Cluster.Others(n) {
		if err := rig.Cut(n.Link, other.Link); err != nil {
			return err
		}
	}
	before := n.Disk.NewestSnapshot()
	if err := r.outrun(n); err != nil {
		return err
	}
	for _, other := range r.Cluster.Nodes {
		if err := other.Link.Heal(); err != nil {
			return err
		}
	}
	err = r.flows()
	r.Say("%s: snapshot %q, before it %q", n.Name, n.Disk.NewestSnapshot(), before)
	return err
}

// outrun writes until the others have nothing of the log any more that n needs next. The log that a
// snapshot leaves behind goes back to about the one before it: after three, what was written
// before the first is gone.
func (r *Round) outrun(n *rig.Node) error {
	writer := r.Cluster.Others(n)[0]
	const most = 40 // times 50 values, in case that snapshots fail
	for taken, last, i := 0, writer.Disk.NewestSnapshot(), 0; taken < 3 && i < most; i++ {
		if err := r.bigWrites(writer, 50, r.Random.Uint64()); err != nil {
			return tolerated(writer, err)
		}
		if newest := writer.Disk.NewestSnapshot(); newest != last {
			taken, last = taken+1, newest
		}
	}
	return nil
}
