package torture

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// diskHang wants the others to go on without the node. It may end itself, and is started again
// when the disk works.
func diskHang(r *round) error {
	n, err := r.target()
	if err != nil {
		return err
	}
	r.down(n)
	n.mayEnd = true
	if err := n.disk.freeze(); err != nil {
		return err
	}
	err = r.flows(r.cluster.others(n)...)
	if err == nil {
		err = r.pass(r.between(cutShort, cutLong))
	}
	if err := errors.Join(err, n.disk.heal()); err != nil {
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
func diskHangEnd(r *round) error {
	leader, err := r.someLeader()
	if err != nil {
		return err
	}
	n, limit := leader, leaderHang
	if !r.brief && r.random.IntN(2) == 0 {
		others := r.cluster.others(leader)
		n, limit = others[r.random.IntN(len(others))], followerHang
	}
	r.down(n)
	n.mayEnd = true
	offset := n.logSize()
	if err := n.disk.freeze(); err != nil {
		return err
	}
	err = r.endsHanging(n, offset, limit+hangMargin)
	// Whatever it was: what hangs on the disk can only end when that works.
	if err := errors.Join(err, n.disk.heal()); err != nil {
		return err
	}
	code, err := n.proc.ExitCode(healLimit)
	if err != nil {
		return violationf("%s, whose disk works again: %v", n.name, err)
	}
	if code != 1 {
		return violationf("%s ended with exit code %d when its disk hung; want 1", n.name, code)
	}
	return r.back(n)
}

// endsHanging wants a node whose disk is frozen to say so within limit, to stop there and then, and the
// others to have a leader and to go on.
func (r *round) endsHanging(n *node, offset int64, limit time.Duration) error {
	began := time.Now()
	err := until(r.ctx, limit, n.name+" says that its disk hangs", func() error {
		if last := n.lastLine(offset); !strings.Contains(last, hangs) {
			return fmt.Errorf("its last line: %.300s", last)
		}
		return nil
	})
	if err != nil {
		return err
	}
	r.say("%s said so after %.1f s", n.name, time.Since(began).Seconds())
	if err := until(r.ctx, hangMargin, n.name+" ends, but for what waits for the disk", n.proc.Ended); err != nil {
		return err
	}
	if err := n.endedClearly(offset, hangs); err != nil {
		return err
	}
	if _, err := r.cluster.leader(n); err != nil {
		return err
	}
	return r.flows(r.cluster.others(n)...)
}
