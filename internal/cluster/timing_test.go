package cluster

import (
	"testing"

	"github.com/hashicorp/raft"
)

// A node that is told nothing of timeouts runs with those of timing.go, and Raft's demands on them (a
// lease no longer than the heartbeat, an election no shorter) hold for it, and for one that is alone.
func TestTimingOfANode(t *testing.T) {
	for size, want := range map[int]Timing{
		1: {Heartbeat: aloneTimeout, Election: aloneTimeout, Lease: aloneTimeout, Commit: DefaultTiming.Commit},
		3: DefaultTiming,
	} {
		n := newTestCluster(t, size).start("n1")
		c := n.raftConfig()
		if err := raft.ValidateConfig(c); err != nil {
			t.Errorf("one of %d: %v", size, err)
		}
		if got := (Timing{c.HeartbeatTimeout, c.ElectionTimeout, c.LeaderLeaseTimeout, c.CommitTimeout}); got != want {
			t.Errorf("one of %d: %+v, want %+v", size, got, want)
		}
		if r := n.raft.ReloadableConfig(); r.HeartbeatTimeout != want.Heartbeat || r.ElectionTimeout != want.Election {
			t.Errorf("one of %d: Raft runs with %v and %v, want %+v", size, r.HeartbeatTimeout, r.ElectionTimeout, want)
		}
	}
}
