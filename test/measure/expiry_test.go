//go:build e2e

package measure

import (
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ciderd/test/harness"
)

// TestMeasureExpiry tells, with MEASURE=1, how many items with a deadline of 100 ms are in memory after each of
// some seconds of as many SETEX as one node takes, of a cluster of three and of one node. What is alive of them
// is at most what was stored in the last 100 ms; all else is past its deadline and not removed yet.
func TestMeasureExpiry(t *testing.T) {
	measured(t)
	for _, nodes := range []int{1, 3} {
		c := harness.Start(t, harness.Options{Nodes: nodes})
		leader := c.Leader()
		user := "expiry-" + harness.Unique()
		harness.MakeUser(t, leader, user)
		var stored atomic.Int64
		stop := beside(32, func(w int, stopped *atomic.Bool) {
			f := harness.LoginAs(t, leader, user)
			for i := 0; !stopped.Load(); {
				lines := make([]string, 256)
				for l := range lines {
					i++
					lines[l] = fmt.Sprintf("SETEX key:%d:%d 100ms v", w, i)
				}
				if _, err := f.Pipeline(lines...); err != nil {
					t.Errorf("SETEX: %v", err)
					return
				}
				stored.Add(int64(len(lines)))
			}
		})
		look := harness.LoginAs(t, leader, user)
		for range 8 {
			before, begun := stored.Load(), time.Now()
			time.Sleep(time.Second)
			rate := float64(stored.Load()-before) / time.Since(begun).Seconds()
			keys, bytes := stat(t, look, "keys"), stat(t, look, "bytes")
			t.Logf("%d nodes: %.0f SETEX/s, %d alive, about %d in memory", nodes, rate, keys, bytes/(32+15+1))
		}
		stop()
	}
}

// stat is a figure of STATS.
func stat(t *testing.T, c *harness.Client, name string) int {
	t.Helper()
	lines, err := c.DoLines("STATS")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range lines {
		if text, ok := strings.CutPrefix(line, name+" "); ok {
			n, _ := strconv.Atoi(text)
			return n
		}
	}
	t.Fatalf("STATS has no %s", name)
	return 0
}
