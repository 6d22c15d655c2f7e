package cluster

import (
	"testing"
	"time"
)

// Only for a leader that others can take the place of is a disk given up soon.
func TestHangLimit(t *testing.T) {
	t.Parallel()
	for size, want := range map[int]time.Duration{1: 30 * time.Second, 3: 5 * time.Second} {
		c := newTestCluster(t, size)
		c.startAll()
		if got := c.leader().hangLimit(); got != want {
			t.Errorf("the leader of %d: %v, want %v", size, got, want)
		}
		for _, n := range c.followers() {
			if got := n.hangLimit(); got != 30*time.Second {
				t.Errorf("a follower: %v", got)
			}
		}
	}
}
