package faults

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"ciderd/test/torture/judge"
	"ciderd/test/torture/rig"
)

// diskHang wants the others to go on without the node. It may end itself, and is started again
// when the disk works.
func diskHang(r *Round) error {
	n, err := r.target()
	if err != nil {
		return err
	}
	r.down(n)
	n.MayEnd = true
	if err := n.Disk.Freeze(); err != nil {
		return err
	}
	err = r.flows(r.Cluster.Others(n)...)
	if err == nil {
		err = r.Pass(r.Between(cutShort, cutLong))
	}
	if err := errors.Join(err, n.Disk.Heal()); err != nil {
		return err
	}
	return r.upAgain(n)
}

const (
	// How long a write may hang until the process ends itself, with what a loaded machine adds to it.
	leaderHang   = 5 * time.Second
	followerHang = 30 * time.Second
	hangMargin   = 10 * time.Second
	// hangs is in the last line of such a process.
	hangs = "the disk hangs"
)

// diskHangEnd leaves the disk frozen until the process has ended itself, and wants it to have done that
// in time, saying why. In a brief run it is the leader's, which has less time.
func diskHangEnd(r *Round) error {
	leader, err := r.someLeader()
	if err != nil {
		return err
	}
	n, limit := leader, leaderHang
	if !r.Brief && r.Random.IntN(2) == 0 {
		others := r.Cluster.Others(leader)
		n, limit = others[r.Random.IntN(len(others))], followerHang
	}
	r.down(n)
	n.MayEnd = true
	offset := n.Log.Size()
	if err := n.Disk.Freeze(); err != nil {
		return err
	}
	err = r.endsHanging(n, offset, limit+hangMargin)
	// Whatever it was: what hangs on the disk can only end when that works.
	if err := errors.Join(err, n.Disk.Heal()); err != nil {
		return err
	}
	code, err := n.Proc.ExitCode(rig.HealLimit)
	if err != nil {
		return judge.Violationf("%s, whose disk works again: %v", n.Name, err)
	}
	if code != 1 {
		return judge.Violationf("%s ended with exit code %d when its disk hung; want 1", n.Name, code)
	}
	return r.back(n)
}

// endsHanging wants a node whose disk is frozen to say so within limit, to stop there and then, and the
// others to have a leader and to go on.
func (r *Round) endsHanging(n *rig.Node, offset int64, limit time.Duration) error {
	began := time.Now()
	err := rig.Until(r.Ctx, limit, n.Name+" says that its disk hangs", func() error {
		if last := n.Log.LastLine(offset); !strings.Contains(last, hangs) {
			return fmt.Errorf("its last line: %.300s", last)
		}
		return nil
	})
	if err != nil {
		return err
	}
	r.Say("%s said so after %.1f s", n.Name, time.Since(began).Seconds())
	if err := rig.Until(r.Ctx, hangMargin, n.Name+" ends, but for what waits for the disk", n.Proc.Ended); err != nil {
		return err
	}
	if err := n.Log.EndedClearly(offset, hangs); err != nil {
		return err
	}
	if _, err := r.Cluster.Leader(n); err != nil {
		return err
	}
	return r.flows(r.Cluster.Others(n)...)
}
