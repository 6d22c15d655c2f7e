//go:build e2e

package measure

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"

	"ciderd/test/harness"
)

const (
	hitClients = 12
	hitBurst   = 2 // with 16 a cache of 5,000 items turns over faster than the nodes apply what one of them has missed
	// hitValue has an item of a hit's measurement count for hitItem bytes, so that the sizes below are items.
	hitValue = 800 - 14 - 7
	hitItem  = 832 + 20
)

// TestMeasureHits tells, with MEASURE=1, the part of GETs that found something, of real nodes and of local policies on
// the same trace. A miss is followed by a SET of that key, through the leader. From the environment: TRACES (words of
// their names, all), REQUESTS (of each, 600,000), ITEMS ("5000,20000").
//
// One user has a quota that holds so many items; the cluster has room. The nodes see the trace by many clients at once,
// some requests out of order, and evict by what they heard of each other's reads; a local policy sees all of it in order.
// The first fifth of a trace counts for nothing.
func TestMeasureHits(t *testing.T) {
	requests := times(t, "REQUESTS", 600_000)
	for _, tr := range traces {
		if words := os.Getenv("TRACES"); words != "" && !strings.Contains(words, tr.name) {
			continue
		}
		keys := tr.make(requests)
		for _, text := range strings.Split(orDefault("ITEMS", "5000,20000"), ",") {
			items, err := strconv.Atoi(text)
			if err != nil {
				t.Fatal(err)
			}
			line := ""
			for _, p := range policies {
				line += fmt.Sprintf(", %s %.1f", p.name, simulated(p.make(items), keys))
			}
			for _, spread := range []bool{false, true} {
				where := "followers"
				if spread {
					where = "all nodes"
				}
				ratio, stored := hitRatio(t, keys, items, spread)
				t.Logf("%s, %d items, reads on %s: %.1f (%d items in the end)%s", tr.name, items, where, ratio, stored, line)
			}
		}
	}
}

func simulated(p policy, keys []int) float64 {
	hits := 0
	for i, key := range keys {
		if p.has(key) && i >= len(keys)/5 {
			hits++
		}
	}
	return percent(hits, len(keys)-len(keys)/5)
}

func percent(part, of int) float64 { return 100 * float64(part) / float64(of) }

// hitRatio plays a trace against a new cluster, and returns the ratio and how many items there are in the end.
func hitRatio(t *testing.T, keys []int, items int, spread bool) (ratio float64, stored int) {
	c := harness.Start(t, harness.Options{Nodes: 3, Config: "limits {\n  max_memory = \"256MiB\"\n}\nauth { bcrypt_cost = 4 }"})
	defer func() {
		for _, n := range c.Nodes {
			n.Kill()
		}
	}()
	user := "hits-" + harness.Unique()
	leader := c.Leader()
	harness.MakeUser(t, leader, user)
	setQuota(t, c, leader, user, int64(items)*hitItem)
	nodes := c.Followers(leader)
	if spread {
		nodes = c.Nodes
	}
	var wg sync.WaitGroup
	hits := make([]int, hitClients)
	asked := make([]int, hitClients)
	next := newTurns(len(keys))
	for i := range hitClients {
		reads, writes := harness.LoginAs(t, nodes[i%len(nodes)], user), harness.LoginAs(t, leader, user)
		wg.Go(func() {
			for from, to := next.take(); from < to; from, to = next.take() {
				found, err := playPart(reads, writes, keys[from:to])
				if err != nil {
					t.Error(err)
					return
				}
				if from >= len(keys)/5 {
					hits[i], asked[i] = hits[i]+found, asked[i]+to-from
				}
			}
		})
	}
	wg.Wait()
	hit, all := 0, 0
	for i := range hits {
		hit, all = hit+hits[i], all+asked[i]
	}
	s, err := harness.LoginAs(t, leader, user).Stats()
	if err != nil {
		t.Fatal(err)
	}
	return percent(hit, max(all, 1)), int(s["keys"])
}

// turns deals the parts of a trace in order.
type turns struct {
	mu       sync.Mutex
	at, most int
}

func newTurns(most int) *turns { return &turns{most: most} }

func (n *turns) take() (from, to int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	from = n.at
	n.at = min(n.at+hitBurst, n.most)
	return from, n.at
}

// playPart reads some keys, and stores those that are missing.
func playPart(reads, writes *harness.Client, keys []int) (hits int, err error) {
	lines := make([]string, len(keys))
	for i, key := range keys {
		lines[i] = fmt.Sprintf("GET %07d", key)
	}
	replies, err := reads.Pipeline(lines...)
	if err != nil {
		return 0, err
	}
	lines = lines[:0]
	stored := map[int]bool{}
	for i, reply := range replies {
		switch {
		case reply != "NOT_FOUND" || stored[keys[i]]:
			hits++
		default:
			stored[keys[i]] = true
			lines = append(lines, fmt.Sprintf("SET %07d %s", keys[i], hitText))
		}
	}
	if len(lines) == 0 {
		return hits, nil
	}
	replies, err = writes.Pipeline(lines...)
	for _, r := range replies {
		if err == nil && r != "OK" {
			err = fmt.Errorf("SET: %s", r)
		}
	}
	return hits, err
}

var hitText = strings.Repeat("v", hitValue)

// setQuota gives a user about so many bytes, as an operator would.
func setQuota(t *testing.T, c *harness.Cluster, n *harness.Node, user string, bytes int64) {
	t.Helper()
	// The leader keeps up to a 64th free: half of that more has as many items on average.
	size := fmt.Sprintf("%dKiB", bytes*128/127>>10)
	if err := operate(t, c, n, "user", "quota", user, size); err != nil {
		t.Fatal(err)
	}
}

// operate runs a command on a node's admin socket, as an operator would.
func operate(t *testing.T, c *harness.Cluster, n *harness.Node, words ...string) error {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), harness.Binary(t), append(words, "-config", c.ConfigPath(), "-node", n.Name)...)
	cmd.Env = harness.CleanEnv()
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("ciderd %s: %w: %s", strings.Join(words, " "), err, out)
	}
	return nil
}
