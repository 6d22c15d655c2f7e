package cluster

import (
	"bytes"
	"context"
	"testing"
	"time"

	"ciderd/internal/peer"
)

// The replies to what a leader has sent are late: they are from before another leader was elected and
// wrote, and arrive once this one is asked for a SYNC. They say nothing about now.
func TestSyncOfALeaderWhoseRepliesAreLate(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, 3)
	c.timing = quiet
	c.timing.Commit = DefaultTiming.Commit // for replies to be under way at any time
	c.linkAll()
	old := c.startAllQuiet()
	next, third := c.followers()[0], c.followers()[1]
	c.set(old, "k", "old")
	c.settle()

	reply := func(f *flow) bool { return f.reply && f.kind == peer.KindRaft }
	from, to := []*link{c.link(old, next), c.link(old, third)}, []*link{c.link(next, old), c.link(third, old)}
	first := make([]int, len(from)) // the first flow that is not let through even later
	for _, l := range from {
		l.hold(reply)
	}
	for i, l := range from {
		eventually(t, "a reply that is held", func() bool { return l.held(reply) > 0 })
		l.hold(func(*flow) bool { return true })
		first[i] = l.seen()
	}
	for _, l := range to {
		l.hold(func(*flow) bool { return true })
	}
	next.campaigner.campaign(old.raft.self)
	eventually(t, "another leader", func() bool { return next.Status().Role == "leader" })
	c.set(next, "k", "new")

	ctx, cancel := context.WithTimeout(t.Context(), 3*termTimeout)
	defer cancel()
	synced := make(chan error, 1)
	go func() { synced <- old.Sync(ctx) }()
	// The question that a sound round begins with shows that it has begun. An unsound one that asks
	// nothing gets the time.
	question := func(f *flow) bool { return !f.reply && bytes.Contains(f.bytes, []byte(`"Term":{}`)) }
	for end := time.Now().Add(termTimeout); from[0].held(question) == 0 && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	for i, l := range from {
		l.hold(func(f *flow) bool { return !reply(f) || f.nth >= first[i] })
	}
	if err := <-synced; err == nil && c.get(old, "k") != "new" {
		t.Errorf("SYNC on a leader that has been replaced: OK, and then k is %q", c.get(old, "k"))
	}
	if role := old.Status().Role; role != "leader" {
		t.Fatalf("the old leader has become a %s: nothing was tried", role)
	}

	for _, l := range append(from, to...) {
		l.hold(nil)
	}
	c.settle()
	if got := c.get(old, "k"); got != "new" {
		t.Errorf("after all has arrived, k is %q on the old leader", got)
	}
}

// A leader hangs while a follower asks it for a read index. Once the follower has another leader it asks
// that one, however long the answer of the old one may take.
func TestSyncDoesNotWaitForALeaderOfBefore(t *testing.T) {
	readIndexTimeout = 10 * patience
	t.Cleanup(func() { readIndexTimeout = 2 * termTimeout })
	c := newTestCluster(t, 3)
	c.timing = quiet
	c.timing.Commit = DefaultTiming.Commit
	c.linkAll()
	old := c.startAllQuiet()
	next, n := c.followers()[0], c.followers()[1]
	c.set(old, "k", "old")
	c.settle()

	for _, o := range []*Node{next, n} { // it takes everything, and says nothing
		c.link(o, old).hold(func(*flow) bool { return true })
		c.link(old, o).hold(func(*flow) bool { return true })
	}
	sync := func() <-chan error {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		t.Cleanup(cancel)
		synced := make(chan error, 1)
		go func() { synced <- n.Sync(ctx) }()
		return synced
	}
	before := sync()
	question := func(f *flow) bool { return !f.reply && bytes.Contains(f.bytes, []byte(`"ReadIndex":{`)) }
	eventually(t, "the old leader is asked", func() bool { return c.link(n, old).held(question) > 0 })
	after := sync() // waits for the round that has begun
	next.campaigner.campaign(old.raft.self)
	eventually(t, "another leader", func() bool { return n.raft.Leader() == next.raft.self })
	c.set(next, "k", "new")
	behind := sync()
	for _, synced := range []<-chan error{before, after, behind} {
		if err := <-synced; err != nil {
			t.Errorf("SYNC: %v", err)
		}
	}
	if got := c.get(n, "k"); got != "new" {
		t.Errorf("SYNC after the write, and k is %q", got)
	}
	if role := old.Status().Role; role != "leader" {
		t.Errorf("the old leader has become a %s: its answer was not what was waited for", role)
	}
}

// A majority is enough: a follower that hangs costs SYNC nothing, however long its answer may take.
func TestSyncDoesNotWaitForOneThatHangs(t *testing.T) {
	before := termTimeout
	t.Cleanup(func() { termTimeout = before }) // after the nodes have been stopped
	termTimeout = 10 * patience
	c := newTestCluster(t, 3)
	c.linkAll()
	c.startAll()
	c.set(c.leader(), "k", "v")
	c.settle()
	leader, hangs := c.leader(), c.followers()[0]
	c.link(leader, hangs).hold(func(f *flow) bool { return f.kind == peer.KindQuery })
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for range 3 {
		if err := leader.Sync(ctx); err != nil {
			t.Fatal(err)
		}
	}
}
