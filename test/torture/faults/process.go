package faults

import (
	"fmt"
	"time"

	"ciderd/test/torture/judge"
	"ciderd/test/torture/rig"
)

func processFaults() []Fault {
	return []Fault{
		{Name: "kill-leader", How: "kill -9", Act: killLeader},
		{Name: "kill-follower", How: "kill -9", Act: killFollower},
		{Name: "kill-two", How: "kill -9 of the leader and another", Act: killTwo},
		{Name: "kill-all", How: "kill -9 of all at once", Act: killAll},
		{Name: "pause-leader", How: "SIGSTOP, all threads seen stopped; SIGCONT", Hold: pauseLeader, Shortest: 200 * time.Millisecond, Longest: 30 * time.Second},
		{Name: "pause-follower", How: "SIGSTOP, all threads seen stopped; SIGCONT", Hold: pauseFollower, Shortest: 200 * time.Millisecond, Longest: 30 * time.Second},
		{Name: "pause-storm", How: "SIGSTOP of the leader until there is another one, SIGCONT; five times", Act: pauseStorm},
		{Name: "restart-storm", How: "SIGTERM and start, one node after the other, twice", Act: restartStorm},
		{Name: "log-stuck", How: "SIGTERM, start with a full pipe for its output, transfer to it, SIGTERM", Act: logStuck},
		{Name: "wipe", How: "kill -9, data directory removed, start", Act: wipe},
	}
}

func killLeader(r *Round) error {
	leader, err := r.someLeader()
	if err != nil {
		return err
	}
	return killAndReturn(r, leader)
}

func killFollower(r *Round) error {
	follower, err := r.follower()
	if err != nil {
		return err
	}
	return killAndReturn(r, follower)
}

func killTwo(r *Round) error {
	leader, err := r.someLeader()
	if err != nil {
		return err
	}
	others := r.Cluster.Others(leader)
	return killAndReturn(r, leader, others[r.Random.IntN(len(others))])
}

func killAll(r *Round) error { return killAndReturn(r, r.Cluster.Nodes...) }

func killAndReturn(r *Round, nodes ...*rig.Node) error {
	r.down(nodes...)
	for _, n := range nodes {
		if err := n.Kill(); err != nil {
			return err
		}
	}
	if 2*len(nodes) < len(r.Cluster.Nodes) {
		if err := r.flows(r.Cluster.Others(nodes...)...); err != nil {
			return err
		}
	} else if err := r.Pass(r.Between(100*time.Millisecond, 3*time.Second)); err != nil {
		return err
	}
	return r.back(nodes...)
}

func pauseLeader(r *Round) error {
	leader, err := r.someLeader()
	if err != nil {
		return err
	}
	r.down(leader)
	return leader.Pause()
}

func pauseFollower(r *Round) error {
	follower, err := r.follower()
	if err != nil {
		return err
	}
	r.down(follower)
	return follower.Pause()
}

// pauseStorm makes leaders that do not know yet that they have been replaced, and asks them for what
// has been written since.
func pauseStorm(r *Round) error {
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

func pauseAndAsk(r *Round, leader *rig.Node, i int) error {
	r.down(leader)
	var conns []*rig.Conn
	defer func() {
		for _, c := range conns {
			_ = c.Close()
		}
	}()
	for range asking {
		if c, err := leader.Dial(r.Load.User); err == nil {
			conns = append(conns, c)
		}
	}
	if err := leader.Pause(); err != nil {
		return err
	}
	want := ""
	if !r.Combined {
		heir, err := r.Cluster.Leader(leader)
		if err != nil {
			return err
		}
		c, err := heir.Dial(r.Load.User)
		if err != nil {
			return tolerated(heir, err)
		}
		want = fmt.Sprint(i)
		err = c.Expect("SET "+staleKey+" "+want, "OK")
		_ = c.Close()
		if err != nil {
			return tolerated(heir, err)
		}
	}
	for _, c := range conns {
		_ = c.Send("SYNC", "GET "+staleKey) // it waits in the kernel until the node runs again
	}
	if err := r.Pass(r.Between(time.Millisecond, time.Second)); err != nil {
		return err
	}
	if err := leader.Resume(); err != nil {
		return err
	}
	for _, c := range conns {
		sync, err := c.Line()
		if err != nil || sync != "OK" {
			continue // then the GET says nothing
		}
		if got, err := c.Line(); err == nil && want != "" && got != want {
			return judge.Violationf("%s answered OK to a SYNC that was sent after SET %s %s was OK, and then %q",
				leader.Name, staleKey, want, got)
		}
	}
	return nil
}

func restartStorm(r *Round) error {
	for range 2 {
		if err := r.restartEach(); err != nil {
			return err
		}
	}
	return nil
}

// restartEach stops and starts the nodes, one after the other, so that no client of another node notices
// anything: a node is quiet again before the next one is stopped.
func (r *Round) restartEach() error {
	for _, n := range r.Cluster.Nodes {
		if !n.Running() || n.Paused {
			continue
		}
		r.down(n)
		if err := n.Terminate(); err != nil {
			return err
		}
		if err := r.back(n); err != nil {
			return err
		}
		if r.Combined {
			continue
		}
		if err := r.flows(n); err != nil {
			return err
		}
		n.Level.Store(int32(judge.Quiet))
	}
	return nil
}

// wipe takes a node's disk away: it has to come back by itself.
func wipe(r *Round) error {
	n, err := r.target()
	if err != nil {
		return err
	}
	r.down(n)
	if err := n.Kill(); err != nil {
		return err
	}
	if err := n.Disk.Wipe(); err != nil {
		return err
	}
	return r.back(n)
}
