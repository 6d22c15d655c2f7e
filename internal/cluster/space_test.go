package cluster

import (
	"testing"

	"ciderd/internal/fsm"
)

// A leader whose disk is nearly full hands over, and nobody is refused anything.
func TestLeaderWithoutRoomHandsOver(t *testing.T) {
	c := newTestCluster(t, 3)
	c.startAll()
	full := c.leader()
	c.fill(full.self.Node)
	eventually(t, "another leader", func() bool {
		leader := full.Status().Leader
		return leader != "" && leader != full.self.Node
	})
	c.set(full, "k", "v")
	if full.FSM().Closed() {
		t.Error("closed although a majority has room")
	}
}

// Without a majority that has room, what grows is refused, the same on all nodes; the rest goes on,
// and room opens it again.
func TestNoRoomAnywhere(t *testing.T) {
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
	if r := c.do(n, &fsm.Command{Op: fsm.OpDelete, User: c.uid, Words: [][]byte{[]byte("k")}}); r.Kind != fsm.KindOK {
		t.Errorf("a deletion without room: %v", r)
	}
	c.fill()
	for name, n := range c.nodes {
		eventually(t, name+" open", func() bool { return !n.FSM().Closed() })
	}
	c.set(n, "k", "v3")
}
