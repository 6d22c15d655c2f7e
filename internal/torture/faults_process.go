package torture

import "time"

func processFaults() []fault {
	return []fault{
		{name: "kill-leader", how: "kill -9", act: killLeader},
		{name: "kill-follower", how: "kill -9", act: killFollower},
		{name: "kill-two", how: "kill -9 of the leader and another", act: killTwo},
		{name: "kill-all", how: "kill -9 of all at once", act: killAll},
		{name: "pause-leader", how: "SIGSTOP, all threads seen stopped; SIGCONT", hold: pauseLeader, shortest: 200 * time.Millisecond, longest: 30 * time.Second},
		{name: "pause-follower", how: "SIGSTOP, all threads seen stopped; SIGCONT", hold: pauseFollower, shortest: 200 * time.Millisecond, longest: 30 * time.Second},
		{name: "pause-storm", how: "SIGSTOP of the leader until there is another one, SIGCONT; five times", act: pauseStorm},
		{name: "restart-storm", how: "SIGTERM and start, one node after the other, twice", act: restartStorm},
		{name: "wipe", how: "kill -9, data directory removed, start", act: wipe},
	}
}

func killLeader(r *round) error {
	leader, err := r.someLeader()
	if err != nil {
		return err
	}
	return killAndReturn(r, leader)
}

func killFollower(r *round) error {
	follower, err := r.follower()
	if err != nil {
		return err
	}
	return killAndReturn(r, follower)
}

func killTwo(r *round) error {
	leader, err := r.someLeader()
	if err != nil {
		return err
	}
	others := r.cluster.others(leader)
	return killAndReturn(r, leader, others[r.random.IntN(len(others))])
}

func killAll(r *round) error { return killAndReturn(r, r.cluster.nodes...) }

func killAndReturn(r *round, nodes ...*node) error {
	r.down(nodes...)
	for _, n := range nodes {
		if err := n.kill(); err != nil {
			return err
		}
	}
	if 2*len(nodes) < len(r.cluster.nodes) {
		if err := r.flows(r.cluster.others(nodes...)...); err != nil {
			return err
		}
	} else if err := r.pass(r.between(100*time.Millisecond, 3*time.Second)); err != nil {
		return err
	}
	return r.back(nodes...)
}

func pauseLeader(r *round) error {
	leader, err := r.someLeader()
	if err != nil {
		return err
	}
	r.down(leader)
	return leader.pause()
}

func pauseFollower(r *round) error {
	follower, err := r.follower()
	if err != nil {
		return err
	}
	r.down(follower)
	return follower.pause()
}

// pauseStorm makes leaders that do not know yet that they have been replaced, with clients that wait
// for an answer of theirs.
func pauseStorm(r *round) error {
	for range 5 {
		leader, err := r.someLeader()
		if err != nil {
			return err
		}
		r.down(leader)
		if err := leader.pause(); err != nil {
			return err
		}
		if !r.combined {
			if _, err := r.cluster.leader(leader); err != nil {
				return err
			}
		}
		if err := r.pass(r.between(50*time.Millisecond, time.Second)); err != nil {
			return err
		}
		if err := leader.resume(); err != nil {
			return err
		}
		if err := r.flows(leader); err != nil {
			return err
		}
	}
	return nil
}

// restartStorm lets no client of another node notice anything: a node is quiet again before the
// next one is stopped.
func restartStorm(r *round) error {
	for range 2 {
		for _, n := range r.cluster.nodes {
			if !n.running() || n.paused {
				continue
			}
			r.down(n)
			if err := n.terminate(); err != nil {
				return err
			}
			if err := r.back(n); err != nil {
				return err
			}
			if r.combined {
				continue
			}
			if err := r.flows(n); err != nil {
				return err
			}
			n.level.Store(int32(quiet))
		}
	}
	return nil
}

// wipe takes a node's disk away: it has to come back by itself.
func wipe(r *round) error {
	n, err := r.target()
	if err != nil {
		return err
	}
	r.down(n)
	if err := n.kill(); err != nil {
		return err
	}
	if err := n.disk.wipe(); err != nil {
		return err
	}
	return r.back(n)
}
