package cluster

import (
	"errors"
	"strings"
	"testing"

	"github.com/hashicorp/raft"

	"ciderd/internal/fsm"
	"ciderd/internal/membership"
	"ciderd/internal/peer"
)

// A leader whose disk is nearly full hands over, and nobody is refused anything.
func TestLeaderWithoutRoomHandsOver(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, 3)
	c.startAll()
	full := c.leader()
	c.fill(full.config.Node)
	eventually(t, "another leader", func() bool {
		leader := full.Status().Leader
		return leader != "" && leader != full.config.Node
	})
	c.set(full, "k", "v")
	if full.FSM().Closed() {
		t.Error("closed although a majority has room")
	}
}

// Without a majority that has room, what grows is refused, the same on all nodes; the rest goes on,
// and room opens it again.
func TestNoRoomAnywhere(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, 3)
	c.startAll()
	c.set(c.leader(), "k", "v")
	c.fill("n1", "n2")
	for name, n := range c.nodes {
		eventually(t, name+" closed", n.FSM().Closed)
	}
	n := c.followers()[0]
	for _, cmd := range []fsm.Command{
		{Op: fsm.OpSet, User: c.uid, Key: []byte("k"), Value: []byte("v2")},
		{Op: fsm.OpIncr, User: c.uid, Key: []byte("n"), N: 1},
		{Op: fsm.OpSignup, Name: []byte("bob"), Value: []byte("h")},
	} {
		if r := c.do(n, &cmd); r.Kind != fsm.KindMemoryFull {
			t.Errorf("operation %d without room: %v", cmd.Op, r)
		}
	}
	if c.get(n, "k") != "v" {
		t.Errorf("k is %q", c.get(n, "k"))
	}
	// The refused value is in nobody's log: that would take what room there is.
	big := fsm.Command{Op: fsm.OpSet, User: c.uid, Key: []byte("big"), Value: make([]byte, 100<<10)}
	if r := c.do(n, &big); r.Kind != fsm.KindMemoryFull {
		t.Errorf("a large value without room: %v", r)
	}
	if size := largestOf(t, c.leader(), 3); size > 1000 {
		t.Errorf("a refused value is in the log: an entry of %d bytes", size)
	}
	if r := c.do(n, &fsm.Command{Op: fsm.OpDelete, User: c.uid, Words: [][]byte{[]byte("k")}}); r.Kind != fsm.KindOK {
		t.Errorf("a deletion without room: %v", r)
	}
	c.fill()
	for name, n := range c.nodes {
		eventually(t, name+" open", func() bool { return !n.FSM().Closed() })
	}
	c.set(n, "k", "v3")
}

// When a node is gone for longer than a restart takes, every commit needs the full disk of another: what grows is
// refused, while there is room for deletions, until the node is back.
func TestOneGoneAnotherFull(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, 3)
	c.startAll()
	c.set(c.leader(), "k", "v")
	leader, followers := c.leader(), c.followers()
	full, gone := followers[0], followers[1].config.Node
	c.fill(full.config.Node)
	eventually(t, "a full disk", func() bool { return full.Status().NoSpace })
	c.set(leader, "k", "v2")
	if leader.FSM().Closed() {
		t.Error("closed although a majority has room")
	}
	c.stop(gone)
	eventually(t, "closed", func() bool { return leader.FSM().Closed() && full.FSM().Closed() })
	if r := c.do(full, &fsm.Command{Op: fsm.OpDelete, User: c.uid, Words: [][]byte{[]byte("k")}}); r.Kind != fsm.KindOK {
		t.Errorf("a deletion: %v", r)
	}
	c.start(gone)
	eventually(t, "open", func() bool { return !leader.FSM().Closed() })
	c.set(full, "k", "v3")
}

// A full leader hands over to whoever has room also when that is not enough: it could let nobody in.
func TestFullLeaderHandsOverThoughOneIsGone(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, 3)
	c.startAll()
	full, followers := c.leader(), c.followers()
	c.stop(followers[1].config.Node)
	c.full.Store(full.config.Node, uint64(0))
	eventually(t, "the other one leads", func() bool { return full.Status().Leader == followers[0].config.Node })
	eventually(t, "closed", func() bool { return full.FSM().Closed() })
	c.start(followers[1].config.Node)
	eventually(t, "open", func() bool { return !full.FSM().Closed() })
}

// A leader whose disk has no room for a change of the servers refuses to make one.
func TestNoChangeOfServersWithoutRoom(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, 3)
	c.startAll()
	c.fill("n1", "n2", "n3")
	for name, n := range c.nodes {
		eventually(t, name+" closed", n.FSM().Closed) // before that the leader may hand over
	}
	n := c.leader()
	c.full.Store(n.config.Node, uint64(0))
	id := c.followers()[0].raft.self
	_, err := n.membership.Change(t.Context(), membership.OpRemove, peer.NodeName(id), true)
	if !errors.Is(err, membership.ErrRefused) || !strings.Contains(err.Error(), "is full") {
		t.Error(err)
	}
	if got := len(n.raft.Servers()); got != 3 {
		t.Errorf("%d servers", got)
	}
}

// largestOf is the size of the largest of the last entries in a node's log.
func largestOf(t *testing.T, n *Node, last uint64) (largest int) {
	t.Helper()
	end := n.raft.LastIndex()
	for i := end - last + 1; i <= end; i++ {
		var l raft.Log
		if err := n.storage.Logs.GetLog(i, &l); err != nil {
			t.Fatal(err)
		}
		largest = max(largest, len(l.Data))
	}
	return largest
}
