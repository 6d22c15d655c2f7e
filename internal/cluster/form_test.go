package cluster

import (
	"testing"

	"ciderd/internal/storage"
)

// A first start that ended while the cluster was being formed, on any number of its nodes: the next one forms it.
func TestFormAfterHalfBootstrap(t *testing.T) {
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
	c := newTestCluster(t, 2)
	n := c.start("n1") // and it waits for n2
	c.storeBootstrapTerm(n.storage)
	if err := n.bootstrap(map[string]string{"n1": n.self.ServerID}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "ready", n.Ready)
}
