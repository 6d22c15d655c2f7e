//go:build e2e

package test

import (
	"os"
	"slices"
	"testing"
	"time"

	"ciderd/internal/harness"
)

// TestMeasureFailover tells, with MEASURE=1, for how long a client of a surviving
// node waits for an OK when the leader is killed. It asserts no time.
func TestMeasureFailover(t *testing.T) {
	if os.Getenv("MEASURE") != "1" {
		t.Skip("a measurement, not a test: set MEASURE=1")
	}
	c := harness.Start(t, harness.Options{Nodes: 3})
	user := "measure-" + unique()
	makeUser(t, c.Leader(), user)
	var gaps []time.Duration
	for range 5 {
		leader := c.Leader()
		conn := loginAs(t, c.Followers(leader)[0], user)
		gaps = append(gaps, longestGap(t, conn, leader))
		restart(t, c, []*harness.Node{leader})
	}
	slices.Sort(gaps)
	t.Logf("longest time without an OK, %d kills: median %v, all %v", len(gaps), gaps[len(gaps)/2], gaps)
}

// longestGap writes without a pause and kills the leader in between.
func longestGap(t *testing.T, conn *harness.Client, leader *harness.Node) time.Duration {
	t.Helper()
	const before, after = 200, 400
	var longest time.Duration
	last := time.Now()
	for i := range before + after {
		if i == before {
			leader.Kill()
		}
		if _, err := conn.Do("SET k v"); err != nil {
			t.Errorf("number %d: %v", i, err)
		}
		now := time.Now()
		longest = max(longest, now.Sub(last))
		last = now
	}
	return longest
}
