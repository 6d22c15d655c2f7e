//go:build e2e

package measure

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ciderd/test/harness"
)

const (
	valueSize = 4000 // bytes
	pipelines = 16   // clients, each with a hundred SETs under way
)

// TestMeasureCatchUp tells, with MEASURE=1, how long a follower that has lost its disk takes until it serves
// again, while the others write as much as they can; how often it was sent a snapshot for that; and how
// large the log of those that write has become. The state is VALUES values (100,000 unless given) of 4,000 bytes.
func TestMeasureCatchUp(t *testing.T) {
	values := times(t, "VALUES", 100_000)
	c := harness.Start(t, harness.Options{Nodes: 3})
	user := "catchup-" + harness.Unique()
	harness.MakeUser(t, c.Leader(), user)
	wiped := c.Followers(c.Leader())[0]
	var written atomic.Int64
	var stop atomic.Bool
	var wg sync.WaitGroup
	defer func() {
		stop.Store(true)
		wg.Wait()
	}()
	for i := range pipelines {
		conn := harness.LoginAs(t, c.Followers(wiped)[i%2], user)
		wg.Go(func() {
			lines := make([]string, 100)
			for at := i; !stop.Load(); {
				for l := range lines {
					lines[l] = fmt.Sprintf("SET k%d %0*d", at%values, valueSize, at)
					at += pipelines
				}
				if _, err := conn.Pipeline(lines...); err != nil {
					t.Errorf("writing: %v", err)
					return
				}
				written.Add(int64(len(lines)))
			}
		})
	}
	wrote := func(want int64) {
		harness.Eventually(t, "writes", func() error {
			if got := written.Load(); got < want && !t.Failed() {
				return fmt.Errorf("%d of %d", got, want)
			}
			return nil
		})
	}
	wrote(int64(2 * values)) // all values are there, and snapshots have been taken
	wiped.Kill()
	wiped.WipeData()
	log := logSize(t, wiped)
	start, before := time.Now(), written.Load()
	wiped.Start()
	wiped.WaitServing()
	took, during := time.Since(start), written.Load()-before
	wrote(written.Load() + int64(values))
	t.Logf("%d values: it served after %v, in which %d were written (%.0f MB/s); snapshots taken over: %d", values,
		took.Round(time.Millisecond), during, float64(during)*valueSize/1e6/took.Seconds(), installs(t, wiped, log))
	for _, n := range c.Nodes {
		info, err := os.Stat(filepath.Join(n.DataDir, "raft.db"))
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: raft.db has %d MiB", n.Name, info.Size()>>20)
	}
}

func logSize(t *testing.T, n *harness.Node) int {
	t.Helper()
	text, err := os.ReadFile(n.LogPath)
	if err != nil {
		t.Fatal(err)
	}
	return len(text)
}

// installs counts the snapshots that a node says to have taken its state from, behind an offset of its log.
func installs(t *testing.T, n *harness.Node, from int) int {
	t.Helper()
	text, err := os.ReadFile(n.LogPath)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Count(text[from:], []byte(`"state taken from a snapshot"`))
}
