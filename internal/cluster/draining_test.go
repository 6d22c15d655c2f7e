package cluster

import (
	"context"
	"errors"
	"strings"
	"testing"

	"ciderd/internal/membership"
)

// A leader that is taken out of traffic hands leadership on, whenever it gets it, while another one can lead; and no
// operator hands it to one by mistake.
func TestDrainingNodesDoNotLead(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, 3)
	c.startAll()
	c.set(c.leader(), "k", "v")
	c.settle()
	first := c.leader()
	c.draining.Store(first.config.Node, true)
	eventually(t, "another one leads", func() bool { return !first.raft.Leads() && first.raft.Leader() != "" })
	next := c.leader()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := next.membership.Change(ctx, membership.OpTransfer, first.config.Node, false); !errors.Is(err, membership.ErrRefused) || !strings.Contains(err.Error(), "is draining") {
		t.Errorf("a transfer to it: %v", err)
	}
	eventually(t, "the heir is the other one", func() bool {
		heir := next.transfers.heir(ctx)
		return heir != nil && !heir.Draining
	})
	// An election may make it the leader all the same.
	if err := next.transfers.TransferTo(ctx, first.raft.self); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it has handed it on", func() bool { return !first.raft.Leads() && first.raft.Leader() != "" })
	c.set(c.leader(), "k", "w")

	// If all of them are, one leads, and is not sent round.
	for _, m := range c.members {
		c.draining.Store(m.Name, true)
	}
	if best := c.leader().transfers.best(ctx); best == "" {
		t.Error("nobody would take over from one that stops")
	}
	c.set(c.leader(), "k", "x")
}
