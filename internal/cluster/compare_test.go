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
	t.Parallel()
	c := newTestCluster(t, 3)
	c.polls.Compare = 50 * time.Millisecond
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
	c.drift(drifted)
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
			if err := n.divergence.Compare(t.Context()); err != nil {
				t.Errorf("%s: %v", n.config.Node, err)
			}
		}
	}
}

// drift gives a node's FSM what no other's gets, at the index that it is at.
func (c *testCluster) drift(n *Node) {
	index := n.fsm.Applied()
	entry := fsm.AppendBatch(nil, fsm.Header{Origin: []byte("nobody/1"), Incarnation: 1, Sequence: 1, Count: 1},
		fsm.AppendCommand(nil, &fsm.Command{Op: fsm.OpSet, User: c.uid, Key: []byte("k"), Value: []byte("other")}))
	n.fsm.Apply(&raft.Log{Index: index, Term: 1, Type: raft.LogCommand, Data: entry})
}

// With one node of three down, a follower that differs from the leader serves nobody and says why, while
// the leader does and writes go on; the third node's word ends whoever is wrong.
func TestDriftedFollowerWithdraws(t *testing.T) {
	t.Parallel()
	for name, leaderDrifts := range map[string]bool{"the follower drifted": false, "the leader drifted": true} {
		t.Run(name, func(t *testing.T) {
			c := newTestCluster(t, 3)
			c.startAll()
			c.set(c.leader(), "k", "v")
			c.settle()
			third := c.followers()[1].config.Node
			c.stop(third)
			leader, follower := c.leader(), c.followers()[0]
			wrong := follower
			if leaderDrifts {
				wrong = leader
			}
			c.drift(wrong)
			eventually(t, "withdrawn", func() bool { // until the marks are at one index
				return follower.divergence.Compare(t.Context()) == nil && !follower.Ready()
			})
			if w := follower.Status().Waiting; !strings.Contains(w, "differs from that of "+leader.config.Node) {
				t.Errorf("it waits for %q", w)
			}
			if err := leader.divergence.Compare(t.Context()); err != nil || !leader.Ready() {
				t.Errorf("the leader: %v, ready %v", err, leader.Ready())
			}
			c.set(leader, "more", "v") // takes the follower's vote for it

			c.start(third)
			eventually(t, "a verdict", func() bool { return wrong.divergence.Compare(t.Context()) != nil })
			eventually(t, "the right ones serve", func() bool {
				all := true
				for _, n := range c.nodes {
					if n != wrong {
						all = n.divergence.Compare(t.Context()) == nil && n.Ready() && all
					}
				}
				return all
			})
		})
	}
}
