//go:build e2e

package measure

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ciderd/test/harness"
)

// TestMeasureMemory tells, with MEASURE=1, what a limit on memory costs, and what processes really take at it. Each case
// has a cluster of its own, and one line. From the environment: LIMITS (MiB, "64"), CASES (words of their names, all),
// FILL (how many times the limit is written, 5).
//
// A line has: writes that were refused, the highest anonymous resident memory of each node over the limit, the longest
// time that a burst of writes took, writes a second, what was evicted, and bytes of log for each eviction.
func TestMeasureMemory(t *testing.T) {
	times(t, "FILL", 5)
	for _, limit := range strings.Split(orDefault("LIMITS", "64"), ",") {
		var mib int64
		if _, err := fmt.Sscan(limit, &mib); err != nil {
			t.Fatalf("LIMITS=%s: %v", os.Getenv("LIMITS"), err)
		}
		for _, m := range memoryCases {
			if name := limit + "MiB " + m.name; chosen(name) {
				t.Run(name, func(t *testing.T) { m.measure(t, mib<<20) })
			}
		}
	}
}

func orDefault(variable, usual string) string {
	if text := os.Getenv(variable); text != "" {
		return text
	}
	return usual
}

// chosen: CASES is empty, or one of its words, with + for blanks, is in the name.
func chosen(name string) bool {
	words := os.Getenv("CASES")
	if words == "" {
		return true
	}
	for _, w := range strings.Split(words, ",") {
		if strings.Contains(name, strings.ReplaceAll(w, "+", " ")) {
			return true
		}
	}
	return false
}

// memoryCase is one way to write.
type memoryCase struct {
	name  string
	users int
	on    func(*harness.Cluster) []*harness.Node // that are written to
	// line gives the i-th write of a writer, and about what the item counts for.
	line func(w *memoryWriter, i int) (string, int)
	// midway is done once half is written, with a node that is not written to.
	midway func(*testing.T, *harness.Cluster, *harness.Node)
	flush  bool // in the end all is removed, and the nodes are idle
	// atMost is how long is written where items do not add up, however much that is; 0: FILL times the limit.
	atMost time.Duration
}

func onLeader(c *harness.Cluster) []*harness.Node    { return []*harness.Node{c.Leader()} }
func onFollowers(c *harness.Cluster) []*harness.Node { return c.Followers(c.Leader()) }
func onAll(c *harness.Cluster) []*harness.Node       { return c.Nodes }

var memoryCases = []memoryCase{
	{name: "32 B, one user on the leader", users: 1, on: onLeader, line: newKeys(32)},
	{name: "32 B, 100 users on followers", users: 100, on: onFollowers, line: newKeys(32)},
	{name: "1 KiB, one user on the leader", users: 1, on: onLeader, line: newKeys(1 << 10)},
	{name: "1 KiB, 100 users on followers", users: 100, on: onFollowers, line: newKeys(1 << 10), flush: true},
	{name: "100 KiB, one user on the leader", users: 1, on: onLeader, line: newKeys(100 << 10)},
	{name: "100 KiB, 100 users on followers", users: 100, on: onFollowers, line: newKeys(100 << 10)},
	{name: "mixed, one user on the leader", users: 1, on: onLeader, line: newKeys(32, 32, 32, 32, 1<<10, 1<<10, 8<<10, 100<<10)},
	{name: "mixed, 100 users on followers", users: 100, on: onFollowers, line: newKeys(32, 32, 32, 32, 1<<10, 1<<10, 8<<10, 100<<10), flush: true},
	{name: "1 KiB with a deadline of 1h, one user on all nodes", users: 1, on: onAll, line: withDeadline("1h", 1<<10)},
	{name: "churn: 32 B become 1 KiB, one after the other", users: 1, on: onAll, line: growing, flush: true},
	{name: "churn: 32 B and 1 KiB change places", users: 1, on: onAll, line: flipping, flush: true},
	{name: "deadlines of 100ms at full speed", users: 1, on: onAll, line: withDeadline("100ms", 32), atMost: 15 * time.Second},
	{name: "mixed, the leader killed midway", users: 10, on: onFollowers, line: newKeys(32, 1<<10, 8<<10), midway: leaderDies},
	{name: "1 KiB, a node wiped midway", users: 10, on: onFollowers, line: newKeys(1 << 10), midway: nodeWiped},
}

const memoryWriters = 16

// confinedFrom: with a limit of so many bytes or more a node must do with a memory cgroup of twice the limit.
const confinedFrom = 512 << 20

// memoryWriter is one client of a case.
type memoryWriter struct {
	id     int
	limit  int64
	random *rand.Rand
	text   string

	conn    *harness.Client
	longest time.Duration
	count   int
	refused int
	first   string // that was refused
}

// newKeys stores a new key each time, with values of these sizes at random.
func newKeys(sizes ...int) func(*memoryWriter, int) (string, int) {
	return func(w *memoryWriter, i int) (string, int) {
		n := sizes[w.random.IntN(len(sizes))]
		return fmt.Sprintf("SET k%d:%d %s", w.id, i, w.value(n)), counted(n)
	}
}

func withDeadline(ttl string, n int) func(*memoryWriter, int) (string, int) {
	return func(w *memoryWriter, i int) (string, int) {
		return fmt.Sprintf("SETEX k%d:%d %s %s", w.id, i, ttl, w.value(n)), counted(n) + 36
	}
}

// counted is about what an item counts for.
func counted(value int) int { return (value+14+12)*17/16 + 20 }

// growing stores as many small items as there is room for, and then makes them large in random order, round after round.
func growing(w *memoryWriter, i int) (string, int) {
	keys := int(w.limit*9/10) / counted(32) / memoryWriters
	if i < keys {
		return fmt.Sprintf("SET k%d:%d %s", w.id, i, w.value(32)), counted(32)
	}
	return fmt.Sprintf("SET k%d:%d %s", w.id, w.random.IntN(keys), w.value(1<<10)), counted(1 << 10)
}

// flipping keeps a number of items that fit, each of which is small or large by turns.
func flipping(w *memoryWriter, i int) (string, int) {
	keys := int(w.limit*9/10) / ((counted(32) + counted(1<<10)) / 2) / memoryWriters
	n := 32
	if w.random.IntN(2) == 0 {
		n = 1 << 10
	}
	return fmt.Sprintf("SET k%d:%d %s", w.id, w.random.IntN(keys), w.value(n)), counted(n)
}

// value is text that does not begin like an option, nor anew in the same place each time.
func (w *memoryWriter) value(n int) string {
	from := w.random.IntN(len(w.text) - n)
	return w.text[from : from+n]
}

// leaderDies kills a node that leads, if need be as it was just made to.
func leaderDies(t *testing.T, c *harness.Cluster, n *harness.Node) {
	harness.Eventually(t, n.Name+" leads", func() error {
		if leader, err := c.FindLeader(); err != nil || leader == n {
			return err
		}
		return operate(t, c, n, "transfer", n.Name)
	})
	n.Kill()
	c.Leader()
	n.Start()
	n.WaitServing()
}

func nodeWiped(_ *testing.T, _ *harness.Cluster, n *harness.Node) {
	n.Kill()
	n.WipeData()
	n.Start()
	n.WaitServing()
}

func (m *memoryCase) measure(t *testing.T, limit int64) {
	use := func(*harness.Cluster) {}
	if limit >= confinedFrom {
		use = confined(t, 3, 2*limit)
	}
	c := harness.New(t, harness.Options{Nodes: 3, Config: fmt.Sprintf("timeouts { write = \"45s\" }\n"+
		"limits {\n  max_memory = \"%dMiB\"\n  max_connections_per_address = 0\n}\nauth { bcrypt_cost = 4 }", limit>>20)})
	use(c)
	for _, n := range c.Nodes {
		n.Start()
	}
	c.WaitReady()
	nodes := m.on(c)
	text := strings.Repeat(harness.Unique(), 30_000)
	var writers []*memoryWriter
	for i := range memoryWriters {
		w := &memoryWriter{id: i, limit: limit, random: rand.New(rand.NewPCG(uint64(i), 0)), text: text}
		writers = append(writers, w)
	}
	users := make([]string, m.users)
	for i := range users {
		users[i] = fmt.Sprintf("u%d-%s", i, harness.Unique())
	}
	conns := m.connect(t, nodes, users)
	seen := startWatch(c)
	begun := time.Now()
	m.write(t, c, nodes, writers, conns, limit*int64(times(t, "FILL", 5)))
	took := time.Since(begun)
	if m.midway == nil && m.atMost == 0 {
		time.Sleep(time.Second)
	}
	all := seen.end(t, c)
	m.tell(t, writers, all, limit, took)
	if m.flush {
		flushed(t, c, users)
	}
}

// connect logs in: a connection for each user and writer of that user.
func (m *memoryCase) connect(t *testing.T, nodes []*harness.Node, users []string) (conns [][]*harness.Client) {
	conns = make([][]*harness.Client, memoryWriters)
	for i := range max(memoryWriters, len(users)) {
		at := i % memoryWriters
		conns[at] = append(conns[at], harness.LoginAs(t, nodes[i%len(nodes)], users[i%len(users)]))
	}
	return conns
}

// write has the writers store so many bytes in all. A writer of several users takes them by turns.
func (m *memoryCase) write(t *testing.T, c *harness.Cluster, nodes []*harness.Node, writers []*memoryWriter, conns [][]*harness.Client, bytes int64) {
	var written atomic.Int64
	var wg sync.WaitGroup
	begun := time.Now()
	done := func() bool {
		return m.atMost == 0 && written.Load() >= bytes || m.atMost > 0 && time.Since(begun) > m.atMost || t.Failed()
	}
	for at, w := range writers {
		wg.Go(func() {
			for turn := 0; !done(); turn++ {
				w.conn = conns[at][turn%len(conns[at])]
				n, err := m.burst(w)
				if err != nil {
					t.Errorf("writing: %v", err)
					return
				}
				written.Add(n)
			}
		})
	}
	if m.midway != nil {
		harness.Eventually(t, "half of it", func() error {
			if n := written.Load(); n < bytes/2 && !t.Failed() {
				return fmt.Errorf("%d of %d bytes", n, bytes)
			}
			return nil
		})
		i := slices.IndexFunc(c.Nodes, func(n *harness.Node) bool { return !slices.Contains(nodes, n) })
		m.midway(t, c, c.Nodes[i])
	}
	wg.Wait()
}

// burst sends some writes at once.
func (m *memoryCase) burst(w *memoryWriter) (bytes int64, err error) {
	const most, mostBytes = 128, 256 << 10
	var lines []string
	for sent := 0; len(lines) < most && sent < mostBytes; w.count++ {
		line, counts := m.line(w, w.count)
		lines, sent, bytes = append(lines, line), sent+len(line), bytes+int64(counts)
	}
	begun := time.Now()
	replies, err := w.conn.Pipeline(lines...)
	w.longest = max(w.longest, time.Since(begun))
	for _, r := range replies {
		if r != "OK" {
			w.refused++
			w.first = r
		}
	}
	return bytes, err
}

func (m *memoryCase) tell(t *testing.T, writers []*memoryWriter, all []*watched, limit int64, took time.Duration) {
	refused, count, longest, why := 0, 0, time.Duration(0), ""
	for _, w := range writers {
		refused, count, longest = refused+w.refused, count+w.count, max(longest, w.longest)
		if w.first != "" {
			why = " (" + w.first + ")"
		}
	}
	var real, most []string
	items, evicted := 0, uint64(0)
	for _, s := range all {
		real = append(real, fmt.Sprintf("%.2f", float64(s.anonymous)/float64(limit)))
		most = append(most, fmt.Sprintf("%.3f/%.2f", float64(s.counted)/float64(limit), float64(s.lowest)/float64(limit)))
		items, evicted = max(items, s.items), max(evicted, s.last.State.Evicted)
	}
	entries, victims, bytes, late := evictions(all)
	t.Logf("refused %d%s; RssAnon/limit %s; counted/limit, lowest working limit %s; longest burst %v; %.0f SET/s (%d in %v); "+
		"evicted %d (%d were named, in %d entries), %.1f log bytes each; entries without room in time %d; items at most %d; snapshots %d",
		refused, why, strings.Join(real, " "), strings.Join(most, " "), longest.Round(time.Millisecond), float64(count)/took.Seconds(), count,
		took.Round(time.Millisecond), evicted, victims, entries, float64(bytes)/float64(max(evicted, 1)), late, items, all[0].last.Log.Snapshots)
}

// flushed removes all that the users have, and tells how long idle nodes take to give the memory back.
func flushed(t *testing.T, c *harness.Cluster, users []string) {
	for _, user := range users {
		conn := harness.LoginAs(t, c.Leader(), user)
		if _, err := conn.Do("FLUSH ALL"); err != nil {
			t.Fatal(err)
		}
		_ = conn.Close()
	}
	const close = 100 << 20 // to what is counted, besides
	begun := time.Now()
	took := map[string]string{}
	for len(took) < len(c.Nodes) && time.Since(begun) < 60*time.Second {
		for _, n := range c.Nodes {
			anonymous, err := n.Anonymous()
			if err != nil {
				t.Fatal(err)
			}
			r, err := reportOf(n)
			if err != nil {
				t.Fatal(err)
			}
			if _, done := took[n.Name]; !done && anonymous < r.State.Memory+close {
				took[n.Name] = fmt.Sprintf("%.1f s", time.Since(begun).Seconds())
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
	line := ""
	for _, n := range c.Nodes {
		anonymous, _ := n.Anonymous()
		line += fmt.Sprintf(" %s: %s (now %s);", n.Name, orElse(took[n.Name], "not in 60 s"), memorySize(anonymous))
	}
	t.Logf("idle after FLUSH ALL, until RssAnon was within %s of what is counted:%s", memorySize(close), line)
}

func orElse(text, other string) string {
	if text == "" {
		return other
	}
	return text
}
