package torture

import (
	"fmt"
	"time"
)

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
		{name: "log-stuck", how: "SIGTERM, start with a full pipe for its output, transfer to it, SIGTERM", act: logStuck},
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

// pauseStorm makes leaders that do not know yet that they have been replaced, and asks them for what
// has been written since.
func pauseStorm(r *round) error {
	for i := range 5 {
		leader, err := r.someLeader()
		if err != nil {
			return err
		}
		if err := pauseAndAsk(r, leader, i); err != nil {
			return err
		}
		if err := r.flows(leader); err != nil {
			return err
		}
	}
	return nil
}

// asking is how many clients ask a deposed leader at the same moment, and staleKey for what.
const (
	asking   = 16
	staleKey = "reg:stale"
)

func pauseAndAsk(r *round, leader *node, i int) error {
	r.down(leader)
	var conns []*conn
	defer func() {
		for _, c := range conns {
			_ = c.Close()
		}
	}()
	for range asking {
		if c, err := leader.dial(r.load.user); err == nil {
			conns = append(conns, c)
		}
	}
	if err := leader.pause(); err != nil {
		return err
	}
	want := ""
	if !r.combined {
		heir, err := r.cluster.leader(leader)
		if err != nil {
			return err
		}
		c, err := heir.dial(r.load.user)
		if err != nil {
			return tolerated(heir, err)
		}
		want = fmt.Sprint(i)
		err = c.expect("SET "+staleKey+" "+want, "OK")
		_ = c.Close()
		if err != nil {
			return tolerated(heir, err)
		}
	}
	for _, c := range conns {
		_ = c.send("SYNC", "GET "+staleKey) // it waits in the kernel until the node runs again
	}
	if err := r.pass(r.between(time.Millisecond, time.Second)); err != nil {
		return err
	}
	if err := leader.resume(); err != nil {
		return err
	}
	for _, c := range conns {
		sync, err := c.line()
		if err != nil || sync != "OK" {
			continue // then the GET says nothing
		}
		if got, err := c.line(); err == nil && want != "" && got != want {
			return violationf("%s answered OK to a SYNC that was sent after SET %s %s was OK, and then %q",
				leader.name, staleKey, want, got)
		}
	}
	return nil
}

func restartStorm(r *round) error {
	for range 2 {
		if err := r.restartEach(); err != nil {
			return err
		}
	}
	return nil
}

// restartEach stops and starts the nodes, one after the other, so that no client of another node notices
// anything: a node is quiet again before the next one is stopped.
func (r *round) restartEach() error {
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
