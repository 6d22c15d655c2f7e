package faults

import (
	"time"
)

func clockFaults() []Fault {
	return []Fault{
		{Name: "clock-jump", How: "a node's wall clock jumps by an hour and by a year, forth and back, while it runs and is made the leader", Act: clockJump},
		{Name: "clock-restart", How: "SIGTERM and start of a node whose wall clock is off by an hour or a year; it is made the leader", Act: clockRestart},
		{Name: "clock-kill-all", How: "kill -9 of all; one of them starts with a wall clock that is off by an hour or a year", Act: clockKillAll},
	}
}

// jumps is by how much a wall clock may be off.
var jumps = []time.Duration{time.Hour, -time.Hour, 365 * 24 * time.Hour, -365 * 24 * time.Hour}

// clockJump lets nobody notice anything: all nodes stay quiet.
func clockJump(r *Round) error {
	n, err := r.target()
	if err != nil {
		return err
	}
	for i, j := range r.Random.Perm(len(jumps)) {
		if err := n.SetClock(jumps[j]); err != nil {
			return err
		}
		r.Say("%s: %v", n.Name, jumps[j])
		if i%2 == 1 { // what it stamps is everybody's time
			if err := r.lead(n); err != nil {
				return err
			}
		}
		if err := r.Pass(time.Second); err != nil {
			return err
		}
		if err := r.flows(); err != nil {
			return err
		}
	}
	return nil
}

func clockRestart(r *Round) error {
	n, err := r.target()
	if err != nil {
		return err
	}
	off := jumps[r.Random.IntN(len(jumps))]
	r.Say("%s: %v", n.Name, off)
	r.down(n)
	if err := n.SetClock(off); err != nil {
		return err
	}
	if err := n.Terminate(); err != nil {
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

func clockKillAll(r *Round) error {
	n, err := r.target()
	if err != nil {
		return err
	}
	off := jumps[r.Random.IntN(len(jumps))]
	r.Say("%s: %v", n.Name, off)
	if err := n.SetClock(off); err != nil {
		return err
	}
	return killAll(r)
}
