package cluster

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"ciderd/internal/membership"
)

// hang stops a node's Raft at the next thing that happens to it, while the node still answers
// questions, as one whose disk hangs. The func it returns lets it go on.
func hang(n *Node) (release func()) {
	block := make(chan raft.Observation)
	observer := raft.NewObserver(block, true, nil)
	n.raft.RegisterObserver(observer)
	return func() {
		done := make(chan struct{})
		go func() {
			defer close(done)
			n.raft.DeregisterObserver(observer) // waits for those that observe
		}()
		for {
			select {
			case <-block:
			case <-done:
				return
			}
		}
	}
}

// A target that hangs when leadership is handed to it does not cost the writes the time that Raft would
// wait for it, is named, and is not tried again soon.
func TestTransferToOneThatHangs(t *testing.T) {
	before := rpcTimeout
	t.Cleanup(func() { rpcTimeout = before }) // after the nodes have been stopped
	rpcTimeout = 2 * patience                 // so that a leader that waits for the target fails the test
	c := newTestCluster(t, 3)
	c.startAll()
	leader, heir := c.leader(), c.followers()[0]
	c.set(leader, "k", "v")
	c.settle()
	defer hang(heir)()
	name := heir.config.Node
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	said, err := leader.membership.Change(ctx, membership.OpTransfer, name, false)
	if err == nil || errors.Is(err, membership.ErrRefused) || !strings.Contains(err.Error(), heir.raft.self+" did not take over") ||
		!strings.Contains(err.Error(), leader.config.Node+" leads on") {
		t.Fatalf("the transfer: %q, %v", said, err)
	}
	c.set(leader, "k", "w")
	if _, err := leader.membership.Change(ctx, membership.OpTransfer, name, false); err == nil || !strings.Contains(err.Error(), "try again in") {
		t.Errorf("the next transfer: %v", err)
	}
	if best := leader.transfers.best(ctx); best == "" || best == heir.raft.self {
		t.Errorf("the best heir is %q, beside %s that hangs", best, heir.raft.self)
	}
	wantSaid(t, leader, membership.OpTransfer, "", "leads now")
}

// A target that answered, and lost the vote, may soon be tried again; one that did not answer may keep Raft busy.
func TestTransferAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := &transfers{again: map[string]time.Time{}, answered: map[string]time.Time{}, electionTimeout: time.Second}
		x.campaigns("n3/1") // in an earlier one
		time.Sleep(time.Minute)
		begun := time.Now()
		time.Sleep(time.Second)
		x.campaigns("n2/1")
		x.fail("n2/1", begun)
		x.fail("n3/1", begun)
		for id, want := range map[string]time.Duration{"n1/1": 0, "n2/1": 3 * time.Second, "n3/1": transferAgain} {
			if wait := x.leaveAlone(id); wait != want {
				t.Errorf("%s is left alone for %v, want %v", id, wait, want)
			}
		}
		if err := x.transferOnce(t.Context(), "n2/1"); !errors.Is(err, membership.ErrNotTransferred) || !strings.Contains(err.Error(), "try again in 3s") {
			t.Error(err)
		}
		time.Sleep(3 * time.Second)
		if wait := x.leaveAlone("n2/1"); wait != 0 {
			t.Errorf("after 3 s: %v", wait)
		}
	})
}

// Whoever does not answer is not handed leadership, and one with a full disk only for want of others.
func TestBestHeir(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, 3)
	c.startAll()
	c.set(c.leader(), "k", "v")
	c.settle()
	leader, first, second := c.leader(), c.followers()[0], c.followers()[1]
	for full, want := range map[*Node]*Node{first: second, second: first} {
		c.fill(full.config.Node)
		eventually(t, "each knows its room", func() bool { return full.space.Low() && !want.space.Low() })
		for range 20 { // whoever answers first
			if best := leader.transfers.best(t.Context()); best != want.raft.self {
				t.Fatalf("the best is %q, and %s has no room", best, full.raft.self)
			}
		}
	}
	c.fill(first.config.Node)
	c.stop(second.config.Node)
	if best := leader.transfers.best(t.Context()); best != first.raft.self {
		t.Errorf("the best of one is %q", best)
	}
	c.stop(first.config.Node)
	if best := leader.transfers.best(t.Context()); best != "" {
		t.Errorf("the best of none is %q", best)
	}
}

// Only a barrier that says that leadership is lost, or Raft itself, means that it was handed over.
func TestAfterTransfer(t *testing.T) {
	for _, c := range []struct {
		barrier     error
		state       raft.RaftState
		over, leads bool
	}{
		{nil, raft.Leader, true, true},
		{raft.ErrLeadershipTransferInProgress, raft.Leader, false, false},
		{raft.ErrEnqueueTimeout, raft.Leader, false, false},
		{errors.New("no room"), raft.Leader, false, false},
		{raft.ErrEnqueueTimeout, raft.Follower, true, false},
		{raft.ErrNotLeader, raft.Leader, true, false}, // it was elected again since
		{raft.ErrLeadershipLost, raft.Follower, true, false},
		{raft.ErrRaftShutdown, raft.Shutdown, true, false},
	} {
		if over, leads := afterTransfer(c.barrier, c.state); over != c.over || leads != c.leads {
			t.Errorf("%v, %v: over %v, leads %v", c.barrier, c.state, over, leads)
		}
	}
}
