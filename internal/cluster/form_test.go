package cluster

import (
	"testing"

	"ciderd/internal/peer"
	"ciderd/internal/storage"
)

// A first start that ended while the cluster was being formed, on any number of its nodes: the next one forms it.
func TestFormAfterHalfBootstrap(t *testing.T) {
	t.Parallel()
	for _, half := range [][]string{{"n1"}, {"n1", "n2", "n3"}} {
		c := newTestCluster(t, 3)
		for _, name := range half {
			config := c.config(name)
			config.Listener.Close()
			st, err := storage.Open(config.DataDir, config.Log, config.Fatal)
			if err != nil {
				t.Fatal(err)
			}
			c.storeBootstrapTerm(st)
			if err := st.Close(); err != nil {
				t.Fatal(err)
			}
		}
		c.startAll()
		c.set(c.leader(), "k", "v")
		c.stopAll()
	}
}

// storeBootstrapTerm stores what Raft does before the first configuration.
func (c *testCluster) storeBootstrapTerm(st *storage.Storage) {
	c.t.Helper()
	if err := st.Stable.SetUint64([]byte("CurrentTerm"), 1); err != nil {
		c.t.Fatal(err)
	}
}

// A bootstrap that found no room in its middle is tried again by the same process.
func TestBootstrapAgain(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, 2)
	n := c.start("n1") // and it waits for n2
	c.storeBootstrapTerm(n.storage)
	c.start("n2")
	eventually(t, "ready", n.Ready)
}

// Two empty nodes that have seen each other find a node that has data: one is let in first, and must not be taken
// for one that has formed a cluster with the other.
func TestTwoEmptyNodesJoinAtOnce(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, 3)
	c.membersFor = map[string]peer.Members{"n1": c.members[:1]}
	eventually(t, "n1 alone", c.start("n1").Ready)
	c.set(c.nodes["n1"], "k", "v")
	c.stop("n1")
	c.membersFor = nil
	n2, n3 := c.start("n2"), c.start("n3")
	eventually(t, "they see each other", func() bool { return len(n2.seen()) == 2 && len(n3.seen()) == 2 })
	c.start("n1")
	for _, n := range []*Node{n2, n3} {
		eventually(t, "the vote of "+n.config.Node, func() bool { return n.Ready() && n.Status().Voter })
	}
	if got := c.get(n3, "k"); got != "v" {
		t.Errorf("k is %q", got)
	}
}
