package cluster

import (
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"ciderd/internal/fsm"
)

// A node whose state has drifted from that of the others ends, and the others do not.
func TestDriftedNodeEnds(t *testing.T) {
	usual := compareEvery
	t.Cleanup(func() { compareEvery = usual }) // before the cluster's own cleanup, so run after it
	compareEvery = 50 * time.Millisecond
	c := newTestCluster(t, 3)
	c.startAll()
	c.set(c.leader(), "k", "v")
	c.settle()
	ended := make(chan error, 1)
	drifted := c.followers()[0]
	drifted.config.Fatal = func(err error) {
		select {
		case ended <- err:
		default:
		}
	}
	index := drifted.fsm.Applied()
	entry := fsm.AppendBatch(nil, fsm.Header{Origin: []byte("nobody/1"), Incarnation: 1, Sequence: 1, Count: 1},
		fsm.AppendCommand(nil, &fsm.Command{Op: fsm.OpSet, User: c.uid, Key: []byte("k"), Value: []byte("other")}))
	drifted.fsm.Apply(&raft.Log{Index: index, Term: 1, Type: raft.LogCommand, Data: entry})
	select {
	case err := <-ended:
		if !strings.Contains(err.Error(), "differs") {
			t.Errorf("ended with %v", err)
		}
	case <-time.After(patience):
		t.Fatal("it goes on")
	}
	for _, n := range c.nodes {
		if n != drifted {
			if err := n.compareOnce(t.Context()); err != nil {
				t.Errorf("%s: %v", n.self.Node, err)
			}
		}
	}
}
