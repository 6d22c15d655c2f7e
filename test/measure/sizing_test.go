//go:build e2e

package measure

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"ciderd/test/harness"
)

// TestMeasureSizing tells, with MEASURE=1, what a data set takes of three nodes, in bytes and never in time: docs/sizing.md
// has the numbers. From the environment: DATA (MiB of values that are stored, 64) and OVER (how many times they are then
// written over, 3). A line for each size of a value has
//
//   - what an item counts for beside its key and value, and the most anonymous memory of a process over what is counted;
//   - the largest that the log's file, the snapshots and the whole data directory were;
//   - the size of a backup over keys and values, which are such that nothing makes them much smaller;
//   - what all nodes together have sent each other (TCP's payload) over what was written, on the leader.
func TestMeasureSizing(t *testing.T) {
	over := times(t, "OVER", 3)
	data, err := strconv.Atoi(orDefault("DATA", "64"))
	if err != nil {
		t.Fatal(err)
	}
	for _, value := range []int{32, 100, 1000, 10_000, 100_000} {
		t.Run(fmt.Sprintf("values of %d bytes", value), func(t *testing.T) { sizes(t, value, data<<20/value, over) })
	}
}

const (
	sizingWriters = 8
	sizingKey     = "key:%012d" // 16 bytes
)

// sizing is the most that was seen.
type sizing struct{ anonymous, log, snapshots, directory int64 }

func sizes(t *testing.T, value, items, over int) {
	c := harness.Start(t, harness.Options{Nodes: 3, Config: "timeouts { write = \"60s\" }\nauth { bcrypt_cost = 4 }\nlimits { max_memory = \"4GiB\" }"})
	leader := c.Leader()
	user := "sizes-" + harness.Unique()
	harness.MakeUser(t, leader, user)
	before, base := sentBetween(t, c), reportMust(t, leader)
	text := make([]byte, 4<<20) // which hardly anything makes smaller: of 64 letters, at random
	random := rand.New(rand.NewPCG(1, 2))
	for i := range text {
		text[i] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"[random.IntN(64)]
	}
	stop, watching := make(chan struct{}), sync.WaitGroup{}
	most := make([]sizing, len(c.Nodes))
	for i, n := range c.Nodes {
		watching.Go(func() {
			for ended := false; !ended; {
				select {
				case <-stop:
					ended = true
				default:
				}
				most[i].look(n)
			}
		})
	}
	for round := range 1 + over {
		writeRound(t, leader, user, string(text), value, items, round)
	}
	close(stop)
	watching.Wait()

	sent := sentBetween(t, c) - before
	r := reportMust(t, leader)
	file := filepath.Join(t.TempDir(), "backup")
	if err := operate(t, c, leader, "backup", file); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	counted, plain := r.State.Memory-base.State.Memory, int64(items)*int64(value+16)
	var all sizing
	for _, m := range most {
		all = sizing{max(all.anonymous, m.anonymous), max(all.log, m.log), max(all.snapshots, m.snapshots), max(all.directory, m.directory)}
	}
	t.Logf("%d items, counted %s, %.0f bytes an item beside key and value; memory %s (%.2f); log %s, snapshots %s, directory %s; backup %.2f; "+
		"sent between nodes %.2f", items, memorySize(counted), float64(counted-plain)/float64(items), memorySize(all.anonymous),
		float64(all.anonymous)/float64(counted), memorySize(all.log), memorySize(all.snapshots), memorySize(all.directory),
		float64(info.Size())/float64(plain), float64(sent)/float64(plain*int64(1+over)))
}

func reportMust(t *testing.T, n *harness.Node) reported {
	t.Helper()
	r, err := reportOf(n)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// writeRound writes each key once, in an order of its own.
func writeRound(t *testing.T, n *harness.Node, user, text string, value, items, round int) {
	t.Helper()
	var writers sync.WaitGroup
	for w := range sizingWriters {
		conn := harness.LoginAs(t, n, user)
		writers.Go(func() {
			random := rand.New(rand.NewPCG(uint64(round), uint64(w)))
			order := random.Perm((items - w + sizingWriters - 1) / sizingWriters)
			var lines []string
			for i, at := range order {
				from := random.IntN(len(text) - value)
				lines = append(lines, fmt.Sprintf("SET "+sizingKey+" %s", at*sizingWriters+w, text[from:from+value]))
				if len(lines)*value < 128<<10 && len(lines) < 256 && i < len(order)-1 {
					continue
				}
				replies, err := conn.Pipeline(lines...)
				for _, r := range replies {
					if r != "OK" {
						err = fmt.Errorf("%.100s", r)
					}
				}
				if err != nil {
					t.Errorf("writing: %v", err)
					return
				}
				lines = nil
			}
		})
	}
	writers.Wait()
}

// look takes in how a node is now. What goes while it is looked at counts for nothing.
func (s *sizing) look(n *harness.Node) {
	if anonymous, err := n.Anonymous(); err == nil {
		s.anonymous = max(s.anonymous, anonymous)
	}
	all, snapshots := int64(0), int64(0)
	_ = filepath.WalkDir(n.DataDir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return nil
		}
		all += info.Size()
		switch {
		case strings.Contains(path, "/snapshots/"):
			snapshots += info.Size()
		case d.Name() == "raft.db":
			s.log = max(s.log, info.Size())
		}
		return nil
	})
	s.snapshots, s.directory = max(s.snapshots, snapshots), max(s.directory, all)
}

// sentBetween is what the connections between nodes have carried, in bytes of payload.
func sentBetween(t *testing.T, c *harness.Cluster) (bytes int64) {
	t.Helper()
	for _, n := range c.Nodes {
		_, port, _ := strings.Cut(n.Peer(), ":")
		out, err := exec.Command("ss", "-tinH", "state", "established", "( sport = :"+port+" or dport = :"+port+" )").Output()
		if err != nil {
			t.Fatalf("ss: %v", err)
		}
		for word := range strings.FieldsSeq(string(out)) {
			if number, is := strings.CutPrefix(word, "bytes_acked:"); is {
				n, err := strconv.ParseInt(number, 10, 64)
				if err != nil {
					t.Fatal(err)
				}
				bytes += n
			}
		}
	}
	return bytes
}
