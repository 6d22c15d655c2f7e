package cluster

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"ciderd/internal/fsm"
)

const year = 365 * 24 * time.Hour

func (c *testCluster) setFor(n *Node, key, value string, ttl time.Duration) {
	c.t.Helper()
	r := c.do(n, &fsm.Command{
		Op: fsm.OpSet, User: c.user(n), Key: []byte(key), Value: []byte(value), TTL: ttl.Milliseconds(),
	})
	if r.Kind != fsm.KindOK {
		c.t.Fatalf("set: %v", r)
	}
}

// An item is hidden everywhere when its time has come, removed by one entry, and then nothing more
// is written.
func TestDeadline(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, 3)
	c.moveClocks()
	c.startAll()
	c.setFor(c.followers()[0], "k", "v", time.Hour)
	c.settle()
	before := c.leader().raft.LastIndex()
	c.advance(59 * time.Minute)
	for name, n := range c.nodes {
		if c.get(n, "k") != "v" {
			t.Errorf("%s: gone too early", name)
		}
	}
	c.advance(time.Minute)
	for name, n := range c.nodes {
		if c.get(n, "k") != "" {
			t.Errorf("%s: still there", name)
		}
	}
	for name, n := range c.nodes {
		eventually(t, name+" removed it", func() bool { _, any := n.FSM().NextDeadline(); return !any })
	}
	c.settle()
	index := c.leader().raft.LastIndex()
	if index != before+1 {
		t.Errorf("%d entries to remove one item", index-before)
	}
	c.advance(10 * year)
	time.Sleep(4 * sweepPoll) // long enough for sweeps that should not be; a longer wait finds no more
	if now := c.leader().raft.LastIndex(); now != index {
		t.Errorf("an idle cluster wrote %d entries", now-index)
	}
	dump := c.leader().FSM().Dump()
	for name, n := range c.nodes {
		if n.FSM().Dump() != dump {
			t.Errorf("%s differs", name)
		}
	}
}

// A wall clock that jumps while the node runs has no effect, whoever leads.
func TestWallClockJumps(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, 3)
	c.moveClocks()
	c.startAll()
	c.setFor(c.leader(), "k", "v", time.Hour)
	for _, jump := range []time.Duration{time.Hour, -time.Hour, year, -year} {
		for name, s := range c.sources {
			s.wall.Store(jump.Milliseconds())
			c.setFor(c.nodes[name], "by-"+name, "v", time.Hour)
			c.settle()
			for name, n := range c.nodes {
				if c.get(n, "k") != "v" {
					t.Fatalf("gone on %s after a jump of %v", name, jump)
				}
				if due, _ := n.FSM().NextDeadline(); due-n.Clock().Now() > time.Hour.Milliseconds() {
					t.Fatalf("on %s an hour became %v after a jump of %v", name, time.Duration(due-n.Clock().Now())*time.Millisecond, jump)
				}
			}
		}
		if err := c.leader().Transfer(t.Context()); err != nil {
			t.Log("transfer:", err)
		}
	}
	c.advance(2 * time.Hour)
	for name, n := range c.nodes {
		if c.get(n, "k") != "" {
			t.Errorf("still there on %s", name)
		}
	}
}

// Time goes on while everything is down, by the wall clocks of a majority, and never back.
func TestTimeOverRestarts(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, 3)
	c.moveClocks()
	c.startAll()
	c.setFor(c.leader(), "short", "v", time.Hour)
	c.setFor(c.leader(), "long", "v", 10*time.Hour)
	c.settle()
	restart := func(jump map[string]time.Duration) {
		t.Helper()
		c.stopAll()
		for name, s := range c.sources {
			s.wall.Add(jump[name].Milliseconds())
		}
		c.startAll()
	}
	check := func(what, short, long string) {
		t.Helper()
		for name, n := range c.nodes {
			if gotShort, gotLong := c.get(n, "short"), c.get(n, "long"); gotShort != short || gotLong != long {
				t.Errorf("%s, %s: short %q, long %q", what, name, gotShort, gotLong)
			}
		}
	}
	restart(map[string]time.Duration{"n2": 5 * year})
	check("one wrong clock", "v", "v")
	restart(map[string]time.Duration{"n1": 2 * time.Hour, "n2": 2*time.Hour - 5*year, "n3": 2 * time.Hour})
	check("two hours later", "", "v")
	for name, n := range c.nodes {
		eventually(t, name+" removed it", func() bool {
			due, _ := n.FSM().NextDeadline()
			return due > n.Clock().Now()
		})
	}
	restart(map[string]time.Duration{"n1": -3 * time.Hour, "n2": -3 * time.Hour, "n3": -3 * time.Hour})
	check("clocks put back", "", "v")
}

// words collects a log.
type words struct {
	mu   sync.Mutex
	text strings.Builder
}

func (w *words) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(p)
}

func (w *words) has(text string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Contains(w.text.String(), text)
}

// A start whose clock is years ahead says how many keys go with that.
func TestFarAheadIsSaid(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, 1)
	c.moveClocks()
	c.startAll()
	for _, key := range []string{"a", "b", "c"} {
		c.setFor(c.leader(), key, "v", time.Hour)
	}
	c.setFor(c.leader(), "later", "v", 10*year)
	c.settle()
	c.stopAll()
	c.sources["n1"].wall.Add((3 * year).Milliseconds())
	var said words
	config := c.config("n1")
	config.Log = hclog.New(&hclog.LoggerOptions{Output: &said})
	n, err := Open(config)
	if err != nil {
		t.Fatal(err)
	}
	c.add(n)
	c.set(n, "x", "y")
	if !said.has("[WARN]") || !said.has("keys=3") {
		t.Errorf("it says nothing of the three keys: %s", said.text.String())
	}
	if c.get(n, "later") != "v" || c.get(n, "a") != "" {
		t.Error("the deadlines are wrong")
	}
}
