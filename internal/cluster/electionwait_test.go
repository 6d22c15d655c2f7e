package cluster

import (
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

// tuned is a Raft that notes how it is tuned.
type tuned struct {
	raft.ReloadableConfig
	times int
}

func (r *tuned) tune(change func(*raft.ReloadableConfig)) error {
	change(&r.ReloadableConfig)
	r.times++
	return nil
}

// A follower waits three times the longest gap between its leader's messages, within bounds and for about a minute; one
// that leads does not, and what lay between two leaders is no gap.
func TestElectionWait(t *testing.T) {
	const ms = time.Millisecond
	r := &tuned{}
	w := &electionWait{raft: r, base: DefaultTiming, electionIn: DefaultTiming.Heartbeat, log: hclog.NewNullLogger()}
	now := time.Unix(1000, 0)
	hear := func(term uint64, after ...time.Duration) {
		for _, d := range after {
			now = now.Add(d)
			w.answered(term, now)
		}
	}
	want := func(leads bool, wait time.Duration, times int) {
		t.Helper()
		w.look(leads, now)
		if w.waits() != wait || r.times != times || times > 0 && (r.HeartbeatTimeout != wait || r.ElectionTimeout != wait+100*ms) {
			t.Fatalf("waits %v, Raft %v and %v after %d times; want %v, %d times", w.waits(), r.HeartbeatTimeout, r.ElectionTimeout, r.times, wait, times)
		}
	}
	hear(1, 0, 60*ms, 60*ms, 95*ms)
	want(false, 300*ms, 0) // all is well
	hear(1, 200*ms)
	want(false, 600*ms, 1)
	hear(1, 210*ms)
	want(false, 600*ms, 1) // not worth it
	hear(1, 5*time.Second)
	want(false, 900*ms, 2) // it lost sight of the leader, which was there all the time
	want(true, 300*ms, 3)
	hear(2, 10*time.Second, 60*ms) // another leader
	want(false, 900*ms, 4)         // still of before
	for range 10 {
		hear(2, 60*ms)
		now = now.Add(gapsLast - 60*ms)
		w.last = now // nothing was late meanwhile
		w.look(false, now)
	}
	want(false, 300*ms, 5)
}

// Raft takes every wait that electionWait may choose, and a snapshot's setting beside it.
func TestRaftIsTuned(t *testing.T) {
	c := newTestCluster(t, 3)
	config := c.config("n1")
	config.AdaptElection = true
	n, err := Open(config)
	if err != nil {
		t.Fatal(err)
	}
	c.add(n)
	for _, gap := range []time.Duration{10 * time.Second, 150 * time.Millisecond} {
		w := n.electionWait
		w.mu.Lock()
		w.worst, w.worstPast, w.turned = gap, 0, time.Now()
		w.mu.Unlock()
		w.look(false, time.Now())
		if err := n.raft.tune(func(c *raft.ReloadableConfig) { c.TrailingLogs = 77 }); err != nil {
			t.Fatal(err)
		}
		c, want := n.raft.ReloadableConfig(), min(gap*gapTimes, longest*DefaultTiming.Heartbeat)
		if c.HeartbeatTimeout != want || c.TrailingLogs != 77 || n.Stats().ElectionWait != want {
			t.Errorf("after a gap of %v: %+v, told as %v; want %v and 77", gap, c, n.Stats().ElectionWait, want)
		}
	}
}
