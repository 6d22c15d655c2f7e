package cluster

import (
	"bytes"
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"ciderd/internal/membership"
	"ciderd/internal/peer"
	"ciderd/internal/storage"
)

// fullStable is a node's stable store on a disk without room: a term waits for room, for ever, as the
// real one's does.
type fullStable struct {
	raft.StableStore
	full, waits atomic.Bool
}

func (s *fullStable) SetUint64(key []byte, value uint64) error {
	if string(key) == "CurrentTerm" && s.full.Load() {
		s.waits.Store(true)
		select {}
	}
	return s.StableStore.SetUint64(key, value)
}

// startFilling starts a node whose disk a test can fill.
func (c *testCluster) startFilling(name string) (*Node, *fullStable) {
	c.t.Helper()
	config := c.config(name)
	config.RaftLog = config.Log
	st, err := storage.Open(config.DataDir, config.Log, func(err error) { c.died(name, err) })
	if err != nil {
		c.t.Fatal(err)
	}
	stable := &fullStable{StableStore: st.Stable}
	st.Stable = stable
	n := madeNode(c.t, config, st)
	n.waitsForSpace = stable.waits.Load
	if err := n.start(); err != nil {
		c.t.Fatal(err)
	}
	c.add(n)
	return n, stable
}

// wantClosed closes a node that cannot wait for its Raft.
func (c *testCluster) wantClosed(n *Node) {
	c.t.Helper()
	c.mu.Lock()
	delete(c.nodes, n.config.Node)
	c.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- n.Close(ctx) }()
	select {
	case err := <-done:
		if err != nil {
			c.t.Errorf("close: %v", err)
		}
	case <-time.After(patience):
		c.t.Fatal("Close hangs")
	}
}

// Raft waits for room, and others wait for what Raft says to them: Close waits for neither.
func TestCloseWhileRaftWaitsForRoom(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, 3)
	c.linkAll()
	c.start("n1")
	c.start("n2")
	victim, stable := c.startFilling("n3")
	for name, n := range c.nodes {
		eventually(t, name+" ready", n.Ready)
	}
	if c.leader() == victim {
		wantSaid(t, victim, membership.OpTransfer, "n1")
	}
	gone, other := c.leader().config.Node, c.followers()[0]
	if other == victim {
		other = c.followers()[1]
	}
	stable.full.Store(true)
	c.stop(gone)
	eventually(t, "Raft waits", stable.waits.Load)
	var asked atomic.Int64
	c.link(other, victim).hold(func(f *flow) bool {
		if f.kind == peer.KindRaft && !f.reply && !bytes.HasPrefix(f.bytes, []byte(helloMagic)) {
			asked.Add(1)
		}
		return false
	})
	eventually(t, "a request that is not answered", func() bool { return asked.Load() > 0 })
	c.wantClosed(victim)
}

// The first start's bootstrap waits for room.
func TestCloseWhileBootstrapWaitsForRoom(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, 3)
	n, stable := c.startFilling("n3")
	stable.full.Store(true) // and not before: Raft stores its term when it starts
	c.start("n1")
	c.start("n2")
	eventually(t, "Raft waits", stable.waits.Load)
	c.wantClosed(n)
}
