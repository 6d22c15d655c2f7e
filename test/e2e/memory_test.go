//go:build e2e

package e2e

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ciderd/test/harness"
)

const mib = 1 << 20

// limited is the part of a file that sets limits on memory.
func limited(settings string) string { return patient + "\nlimits {\n" + settings + "\n}" }

// TestMemoryLimit fills a cluster several times over. No write is refused; what is missing was evicted, and is counted,
// the same on every node; a user within its share loses nothing; and only a changed file changes the limit.
func TestMemoryLimit(t *testing.T) {
	const limit = 64 * mib
	c := harness.Start(t, harness.Options{Nodes: 3, Config: limited(`max_memory = "64MiB"`)})
	wantLimit(t, c, limit)
	does(t, command(t, c, c.Nodes[1], "", "limits"), "64MiB", "evict")
	memory := watchMemory(t, c)

	small := "small-" + harness.Unique()
	within := newFiller(t, c.Nodes[2], small, 500)
	if err := within.write(2000); err != nil {
		t.Fatal(err)
	}
	t.Run("one user", func(t *testing.T) { fillAll(t, c, 100*mib, []string{"one-" + harness.Unique()}) })
	t.Run("several users", func(t *testing.T) {
		fillAll(t, c, 100*mib, []string{"a-" + harness.Unique(), "b-" + harness.Unique(), "c-" + harness.Unique()})
	})
	if most := memory.end(); most > limit+limit/25 {
		t.Errorf("STATUS has shown memory of %d with a limit of %d", most, limit)
	}
	t.Run("a user within its share", func(t *testing.T) { neighbours(t, c, within) })
	t.Run("quota and reserve", func(t *testing.T) { quotaHolds(t, c) })
	t.Run("changing it", func(t *testing.T) { limitChanges(t, c) })
}

// fillAll stores so many bytes, by some users, each on a node of its own, and judges what is left of them.
func fillAll(t *testing.T, c *harness.Cluster, bytes int, users []string) {
	const size = 2000
	var all []*filler
	for i, user := range users {
		all = append(all, newFiller(t, c.Nodes[i%len(c.Nodes)], user, size))
	}
	var wg sync.WaitGroup
	for _, f := range all {
		wg.Go(func() {
			if err := f.write(bytes / len(all) / size); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, f := range all {
		if left := f.check(t, c); left == f.written {
			t.Errorf("%s has all of its %d keys", f.user, left)
		}
	}
}

// neighbours has others flood the cluster through a leader's death. The user that is within its share loses nothing.
func neighbours(t *testing.T, c *harness.Cluster, within *filler) {
	killed := c.Leader()
	var stop atomic.Bool
	var wg sync.WaitGroup
	end := sync.OnceFunc(func() { stop.Store(true); wg.Wait() })
	defer end()
	var done [2]atomic.Int64
	for i, n := range c.Followers(killed) {
		f := newFiller(t, n, "flood-"+harness.Unique(), 2000)
		wg.Go(func() {
			for !stop.Load() {
				if err := f.write(64); err != nil {
					t.Error(err)
					return
				}
				done[i].Add(64)
			}
		})
	}
	flooded := func(bytes int64) {
		t.Helper()
		from := done[0].Load() + done[1].Load()
		harness.Eventually(t, "the flood goes on", func() error {
			if n := (done[0].Load() + done[1].Load() - from) * 2000; n < bytes && !t.Failed() {
				return fmt.Errorf("%d MiB", n/mib)
			}
			return nil
		})
	}
	flooded(20 * mib)
	killed.Kill()
	flooded(20 * mib)
	harness.Restart(t, c, []*harness.Node{killed})
	flooded(5 * mib)
	end()
	within.conn = harness.LoginAs(t, c.Nodes[0], within.user)
	if left := within.check(t, c); left != within.written {
		t.Errorf("%s had its share, and %d of %d keys are left", within.user, left, within.written)
	}
}

// quotaHolds gives a user a quota and a reserve, and sees them at work.
func quotaHolds(t *testing.T, c *harness.Cluster) {
	const quota = mib
	f := newFiller(t, c.Nodes[0], "bounded-"+harness.Unique(), 1000)
	does(t, command(t, c, c.Nodes[1], "", "user", "quota", f.user, "1MiB"), "has a quota of 1MiB")
	does(t, command(t, c, c.Nodes[2], "", "user", "reserve", f.user, "512KiB"), "has a reserve of 512KiB")
	if err := f.write(6000); err != nil {
		t.Error(err)
	}
	f.check(t, c)
	for _, n := range c.Nodes {
		harness.Eventually(t, "the quota holds on "+n.Name, func() error {
			s, err := statsOf(n, f.user)
			if err == nil && (s["quota"] != quota || s["memory"] > quota || s["memory"] < quota/2 ||
				s["guarantee"] < mib/2 || s["guarantee"] > quota/16*15) {
				err = fmt.Errorf("%v", s)
			}
			return err
		})
	}
	if _, err := f.conn.Do(largeMSet(quota + mib/2)); harness.Code(err) != "QUOTA" {
		t.Errorf("an MSET above the quota: %v", err)
	}
	does(t, command(t, c, c.Nodes[1], "", "user", "quota", f.user, "none"), "no quota of their own")
}

// largeMSet is an MSET of so many bytes.
func largeMSet(bytes int) string {
	const each = 250 << 10
	line := "MSET"
	for i := range bytes / each {
		line += fmt.Sprintf(" m%d %s", i, strings.Repeat("v", each))
	}
	return line
}

// memoryWatch looks again and again at what nodes count.
type memoryWatch struct {
	stop atomic.Bool
	wg   sync.WaitGroup
	most atomic.Int64
}

func watchMemory(t *testing.T, c *harness.Cluster) *memoryWatch {
	t.Helper()
	var w memoryWatch
	for _, n := range c.Nodes {
		conn := harness.LoginAs(t, n, "operator")
		w.wg.Go(func() {
			for ; !w.stop.Load(); time.Sleep(20 * time.Millisecond) {
				s, err := conn.Status()
				if err != nil {
					t.Error(err)
					return
				}
				m, _ := strconv.ParseInt(s["memory"], 10, 64)
				for now := w.most.Load(); m > now && !w.most.CompareAndSwap(now, m); now = w.most.Load() {
				}
			}
		})
	}
	return &w
}

// end gives the most that any node counted.
func (w *memoryWatch) end() int64 {
	w.stop.Store(true)
	w.wg.Wait()
	return w.most.Load()
}
