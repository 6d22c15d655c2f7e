package torture

import (
	"errors"
	"io/fs"
	"os"
	"time"
)

func clockFaults() []fault {
	return []fault{
		{name: "clock-jump", how: "a node's wall clock jumps by an hour and by a year, forth and back, while it runs and is made the leader", act: clockJump},
		{name: "clock-restart", how: "SIGTERM and start of a node whose wall clock is off by an hour or a year; it is made the leader", act: clockRestart},
		{name: "clock-kill-all", how: "kill -9 of all; one of them starts with a wall clock that is off by an hour or a year", act: clockKillAll},
	}
}

// jumps is by how much a wall clock may be off.
var jumps = []time.Duration{time.Hour, -time.Hour, 365 * 24 * time.Hour, -365 * 24 * time.Hour}

// setClock makes the node's wall clock jump, at once and for as long as the file says so: see
// internal/clock's skew.go, which is in daemons with the tag testclock.
func (n *node) setClock(off time.Duration) error {
	if off == 0 {
		err := os.Remove(n.clock)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	next := n.clock + ".next" // a reader must not see half of it
	return errors.Join(os.WriteFile(next, []byte(off.String()), 0o600), os.Rename(next, n.clock))
}

// clockJump lets nobody notice anything: all nodes stay quiet.
func clockJump(r *round) error {
	n, err := r.target()
	if err != nil {
		return err
	}
	for i, j := range r.random.Perm(len(jumps)) {
		if err := n.setClock(jumps[j]); err != nil {
			return err
		}
		r.say("%s: %v", n.name, jumps[j])
		if i%2 == 1 { // what it stamps is everybody's time
			if err := r.lead(n); err != nil {
				return err
			}
		}
		if err := r.pass(time.Second); err != nil {
			return err
		}
		if err := r.flows(); err != nil {
			return err
		}
	}
	return nil
}

func clockRestart(r *round) error {
	n, err := r.target()
	if err != nil {
		return err
	}
	off := jumps[r.random.IntN(len(jumps))]
	r.say("%s: %v", n.name, off)
	r.down(n)
	if err := n.setClock(off); err != nil {
		return err
	}
	if err := n.terminate(); err != nil {
		return err
	}
	if err := r.back(n); err != nil {
		return err
	}
	if err := r.lead(n); err != nil {
		return err
	}
	return r.flows()
}

func clockKillAll(r *round) error {
	n, err := r.target()
	if err != nil {
		return err
	}
	off := jumps[r.random.IntN(len(jumps))]
	r.say("%s: %v", n.name, off)
	if err := n.setClock(off); err != nil {
		return err
	}
	return killAll(r)
}
