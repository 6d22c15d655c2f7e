//go:build e2e

package e2e

import (
	"fmt"
	"testing"
	"time"

	"ciderd/test/harness"
)

// A leader whose messages come late, as where its machine is short of processors, makes its followers wait longer before
// they ask for votes; it does not make itself wait. With a time of its own in the file none does.
func TestFollowersWaitForALateLeader(t *testing.T) {
	t.Parallel()
	wait := func(n *harness.Node) float64 {
		s, err := scrape(n)
		if err != nil {
			t.Fatal(err)
		}
		v, there := s.sum("ciderd_election_timeout_seconds")
		if !there {
			t.Fatalf("%s does not tell how long it waits", n.Name)
		}
		return v
	}
	late := func(c *harness.Cluster, by time.Duration) {
		leader := c.Leader()
		for range 5 {
			leader.Pause()
			time.Sleep(by)
			leader.Resume()
			time.Sleep(200 * time.Millisecond)
		}
	}
	auto := harness.Start(t, harness.Options{Nodes: 3})
	// An election may come between, as a follower waits from 300 ms on: then there is another leader to be late.
	harness.Eventually(t, "followers that wait longer", func() error {
		late(auto, 220*time.Millisecond)
		leader := auto.Leader()
		for _, n := range auto.Followers(leader) {
			if v := wait(n); v < 0.6 || v > 0.9 {
				return fmt.Errorf("%s, which follows, waits %v s", n.Name, v)
			}
		}
		if v := wait(leader); v != 0.3 {
			return fmt.Errorf("%s, which leads, waits %v s", leader.Name, v)
		}
		return nil
	})
	fixed := harness.Start(t, harness.Options{Nodes: 3, Config: `timeouts { election = "1s" }`})
	late(fixed, 450*time.Millisecond)   // three times that is more than a second
	time.Sleep(1100 * time.Millisecond) // as long as between two looks
	for _, n := range fixed.Nodes {
		if v := wait(n); v != 1 {
			t.Errorf("%s waits %v s, and its file says 1s", n.Name, v)
		}
	}
}
