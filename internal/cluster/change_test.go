package cluster

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/raft"

	"ciderd/internal/membership"
)

// wantSaid makes a change that must be made, also if no node may fail after it.
func wantSaid(t *testing.T, n *Node, op, name string, words ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	said, err := n.membership.Change(ctx, op, name, true)
	if err != nil {
		t.Fatalf("%s %q on %s: %v", op, name, n.config.Node, err)
	}
	for _, w := range words {
		if !strings.Contains(said, w) {
			t.Errorf("%s %q said %q, without %q", op, name, said, w)
		}
	}
}

// wantRefused makes a change that must be refused, for a reason with these words.
func wantRefused(t *testing.T, n *Node, op, name string, words ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	said, err := n.membership.Change(ctx, op, name, false)
	if !errors.Is(err, membership.ErrRefused) {
		t.Fatalf("%s %q on %s: %q, %v; want a refusal", op, name, n.config.Node, said, err)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%s %q: %q, without %q", op, name, err, w)
		}
	}
}

func (c *testCluster) wipe(name string) {
	c.t.Helper()
	if err := os.RemoveAll(filepath.Join(c.dir, name)); err != nil {
		c.t.Fatal(err)
	}
}

// endsQuietly lets a server end that is going to be removed, as its process would.
func endsQuietly(n *Node) <-chan error {
	ended := make(chan error, 1)
	n.config.Fatal = func(err error) {
		select {
		case ended <- err:
		default:
		}
	}
	return ended
}

func TestMembersIsTheLeadersView(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, 3)
	c.startAll()
	c.set(c.leader(), "foo", "bar")
	c.settle()
	leader, gone := c.leader(), c.followers()[1].network.Self
	for _, n := range c.nodes {
		list, err := n.membership.Members(t.Context())
		if err != nil || len(list) != 3 {
			t.Fatalf("members on %s: %v, %v", n.config.Node, list, err)
		}
		for i, m := range list {
			want := membership.Status{Name: c.members[i].Name, ServerID: c.nodes[c.members[i].Name].raft.self,
				Vote: membership.VoteYes, Leader: m.Name == leader.config.Node, Alive: true, LastIndex: leader.raft.LastIndex()}
			if m != want {
				t.Errorf("%s lists %+v, want %+v", n.config.Node, m, want)
			}
		}
	}
	c.stop(gone.Node)
	list, err := c.followers()[0].membership.Members(t.Context())
	i := slices.IndexFunc(list, func(m membership.Status) bool { return m.Name == gone.Node })
	if err != nil || i < 0 || list[i].Alive || list[i].ServerID != gone.ServerID {
		t.Errorf("members without %s: %v, %v", gone.ServerID, list, err)
	}
	c.stop(leader.config.Node)
	for _, n := range c.nodes {
		eventually(t, "no leader", func() bool { return n.Status().Leader == "" })
		list, err := n.membership.Members(t.Context())
		if !errors.Is(err, membership.ErrNoLeader) || len(list) != 3 {
			t.Errorf("members without a leader: %v, %v", list, err)
		}
	}
}

func TestTransfer(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, 3)
	c.startAll()
	c.set(c.leader(), "foo", "bar")
	c.settle()
	old, heir := c.leader(), c.followers()[1]
	wantSaid(t, c.followers()[0], membership.OpTransfer, heir.config.Node, heir.config.Node+" leads now")
	if got := c.leader(); got != heir {
		t.Fatalf("%s leads", got.config.Node)
	}
	wantSaid(t, old, membership.OpTransfer, heir.config.Node, "leads already")
	wantSaid(t, heir, membership.OpTransfer, "", "leads now; "+heir.config.Node+" led before")
	if c.leader() == heir {
		t.Error("it leads still")
	}
	wantRefused(t, old, membership.OpTransfer, "n9", `no node "n9"`)
	dead := c.followers()[0].config.Node
	c.stop(dead)
	wantRefused(t, c.leader(), membership.OpTransfer, dead, "does not answer")
}

// Removing goes down to what the living voters can carry, and no further.
func TestRemoveKeepsTheQuorum(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, 3)
	c.startAll()
	c.set(c.leader(), "foo", "bar")
	c.settle()
	leader := c.leader()
	alive, dead := c.followers()[0], c.followers()[1].network.Self
	c.stop(dead.Node)
	// n1, n2 and a dead n3: without a living one, one of two would be left.
	wantRefused(t, alive, membership.OpRemove, alive.config.Node, "does not", dead.ServerID)
	wantRefused(t, alive, membership.OpRemove, leader.config.Node, "does not", dead.ServerID)
	wantRefused(t, alive, membership.OpRemove, "n9", `no node "n9"`, "n1, n2, n3")
	wantSaid(t, alive, membership.OpRemove, dead.Node, "removed "+dead.ServerID, "voters now: 2, of which 0 may fail")
	wantRefused(t, alive, membership.OpRemove, dead.Node, "not a member")
	wantRefused(t, leader, membership.OpRemove, alive.config.Node, "one voter would be left", "member remove -yes "+alive.config.Node)
	ended := endsQuietly(alive)
	wantSaid(t, leader, membership.OpRemove, alive.config.Node, "voters now: 1")
	if err := <-ended; !errors.Is(err, membership.ErrRemoved) {
		t.Errorf("it ended with %v", err)
	}
	wantRefused(t, leader, membership.OpRemove, leader.config.Node, "the last voter")
	c.set(leader, "k", "v")
	// What was removed comes back as a new server, and not as it was.
	c.startEnding(dead.Node)
	wantRefused(t, leader, membership.OpAdd, dead.Node, "has data", "remove its data directory")
	c.stop(dead.Node)
	c.ending.Delete(dead.Node)
	c.wipe(dead.Node)
	n := c.start(dead.Node)
	eventually(t, "it votes", func() bool { return n.Status().Voter })
}

func TestRemoveTheLeader(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, 3)
	c.startAll()
	c.set(c.leader(), "foo", "bar")
	c.settle()
	leader := c.leader()
	ended := endsQuietly(leader)
	wantSaid(t, leader, membership.OpRemove, leader.config.Node, "removed "+leader.raft.self)
	if err := <-ended; !errors.Is(err, membership.ErrRemoved) {
		t.Errorf("it ended with %v", err)
	}
	c.stop(leader.config.Node)
	for _, s := range c.leader().raft.Servers() {
		if string(s.ID) == leader.raft.self {
			t.Error("it is still in the configuration")
		}
	}
	c.set(c.leader(), "k", "v")
}

func TestAdd(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, 3)
	c.startAll()
	c.set(c.leader(), "foo", "bar")
	c.settle()
	leader, name := c.leader(), c.followers()[0].config.Node
	old := c.nodes[name].raft.self
	wantRefused(t, leader, membership.OpAdd, "n9", `no node "n9"`)
	wantRefused(t, leader, membership.OpAdd, name, "a member already")
	wantRefused(t, leader, membership.OpAdd, leader.config.Node, "a member already")
	c.stop(name)
	wantRefused(t, leader, membership.OpAdd, name, "does not answer")
	c.wipe(name)
	n := c.start(name)
	// It may have been let in by itself by now, which is as good.
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	said, err := c.followers()[1].membership.Change(ctx, membership.OpAdd, name, false)
	switch {
	case err == nil && (!strings.Contains(said, n.raft.self) || !strings.Contains(said, old)):
		t.Errorf("said %q", said)
	case err != nil && !strings.Contains(err.Error(), "a member already ("+n.raft.self):
		t.Fatal(err)
	}
	eventually(t, "it votes", func() bool { return n.Status().Voter })
	eventually(t, "ready", n.Ready)
	wantRefused(t, leader, membership.OpPromote, name, "its vote already")
	wantRefused(t, leader, "explode", name, "unknown change")
}

// A vote is given by hand before it is given by itself, or it has been.
func TestPromote(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, 3)
	c.startAll()
	c.set(c.leader(), "foo", "bar")
	c.settle()
	leader, dead := c.leader(), c.followers()[0].network.Self
	wantRefused(t, leader, membership.OpPromote, "n9", `no node "n9"`)
	c.stop(dead.Node)
	if err := leader.raft.DemoteVoter(c.serverOf(leader, dead.Node), 0, membership.ChangeTimeout).Error(); err != nil {
		t.Fatal(err)
	}
	wantRefused(t, leader, membership.OpPromote, dead.Node, "has not caught up")
	c.start(dead.Node)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	eventually(t, "a vote", func() bool {
		_, err := leader.membership.Change(ctx, membership.OpPromote, dead.Node, false)
		return err == nil || strings.Contains(err.Error(), "its vote already")
	})
}

func (c *testCluster) serverOf(n *Node, name string) raft.ServerID {
	s, ok := n.raft.Servers().Named(name)
	if !ok {
		c.t.Fatalf("no server %s", name)
	}
	return raft.ServerID(s.ID)
}
