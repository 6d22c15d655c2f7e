//go:build e2e

package measure

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"ciderd/test/harness"
)

const (
	// writersEach is how many clients write to each node that stays, one write at a time.
	writersEach = 4
	// settled is how many OKs each of them gets before and after what is measured.
	settled = 100
)

// TestMeasureFailover tells, with MEASURE=1, for how long the clients of the surviving nodes wait for an
// OK when the leader is killed, KILLS times (20 unless given). It asserts no time.
func TestMeasureFailover(t *testing.T) {
	kills := times(t, "KILLS", 20)
	c := harness.Start(t, harness.Options{Nodes: 3})
	user := "measure-" + harness.Unique()
	harness.MakeUser(t, c.Leader(), user)
	gaps, failed := leaderless(t, c, user, kills, killed, t.Errorf)
	t.Logf("leader killed, longest time without an OK on a survivor: %s; client errors: %d", summary(gaps), failed)
}

// absence is a way in which a leader goes and comes back.
type absence struct{ begin, end func(*harness.Node) }

var (
	killed = absence{(*harness.Node).Kill, (*harness.Node).Start}
	silent = absence{(*harness.Node).Pause, (*harness.Node).Resume}
)

// leaderless lets the leader go so many times, and gives the longest time that a client of a survivor
// was then without an OK, each time, and the number of client errors, which failed is told too.
func leaderless(t *testing.T, c *harness.Cluster, user string, often int, a absence,
	failed func(string, ...any)) (gaps []time.Duration, errs int) {
	t.Helper()
	for range often {
		leader := c.Leader()
		load := writeOn(t, c.Followers(leader), user, failed)
		load.settle()
		a.begin(leader)
		load.settle()
		gap, n := load.end()
		gaps, errs = append(gaps, gap), errs+n
		a.end(leader)
		c.WaitReady()
	}
	return gaps, errs
}

// TestMeasureRollingRestart tells, with MEASURE=1, for how long the clients of the other nodes wait for an
// OK while each node in turn is ended by SIGTERM and started again, ROUNDS times (5 unless given).
func TestMeasureRollingRestart(t *testing.T) {
	rounds := times(t, "ROUNDS", 5)
	c := harness.Start(t, harness.Options{Nodes: 3})
	user := "measure-" + harness.Unique()
	harness.MakeUser(t, c.Leader(), user)
	gaps := map[string][]time.Duration{}
	var failed int
	for range rounds {
		for _, n := range c.Nodes {
			role := "a follower"
			if n == c.Leader() {
				role = "the leader"
			}
			load := writeOn(t, c.Followers(n), user, t.Errorf)
			load.settle()
			if code := n.Stop(harness.StopLimit); code != 0 {
				t.Errorf("%s ended with %d", n.Name, code)
			}
			harness.Restart(t, c, []*harness.Node{n})
			load.settle()
			gap, errs := load.end()
			gaps[role], failed = append(gaps[role], gap), failed+errs
		}
	}
	for role, g := range gaps {
		t.Logf("%s restarted by SIGTERM, longest time without an OK on another node: %s", role, summary(g))
	}
	t.Logf("rolling restarts, %d rounds: client errors: %d", rounds, failed)
}

// times skips the test unless this is a measurement, and gives how often to measure.
func times(t *testing.T, variable string, usual int) int {
	t.Helper()
	if os.Getenv("MEASURE") != "1" {
		t.Skip("a measurement, not a test: set MEASURE=1")
	}
	text := os.Getenv(variable)
	if text == "" {
		return usual
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s=%q", variable, text)
	}
	return n
}

func summary(gaps []time.Duration) string {
	slices.Sort(gaps)
	at := func(q float64) time.Duration {
		return gaps[int(q*float64(len(gaps)-1)+0.5)].Round(100 * time.Microsecond)
	}
	return fmt.Sprintf("median %v, p90 %v, p99 %v, longest %v, of %d", at(.5), at(.9), at(.99), at(1), len(gaps))
}

// writers are clients that write without a pause.
type writers struct {
	t      *testing.T
	failed func(string, ...any) // is told of each error
	stop   chan struct{}
	wg     sync.WaitGroup
	all    []*measuredWriter
}

type measuredWriter struct {
	conn *harness.Client
	line string // SET and a key of its own

	mu      sync.Mutex // all below
	last    time.Time  // of an OK
	longest time.Duration
	oks     int
	errs    int
}

// writeOn starts a few writers on each of the nodes.
func writeOn(t *testing.T, nodes []*harness.Node, user string, failed func(string, ...any)) *writers {
	t.Helper()
	w := newWriters(t, failed)
	for _, n := range nodes {
		for range writersEach {
			w.add(n, user, "v")
		}
	}
	w.start()
	return w
}

func newWriters(t *testing.T, failed func(string, ...any)) *writers {
	return &writers{t: t, failed: failed, stop: make(chan struct{})}
}

// add makes a client that writes the value, once start is called.
func (w *writers) add(n *harness.Node, user, value string) {
	w.t.Helper()
	line := fmt.Sprintf("SET %s-%d %s", n.Name, len(w.all), value)
	w.all = append(w.all, &measuredWriter{conn: harness.LoginAs(w.t, n, user), line: line})
}

func (w *writers) start() {
	for _, m := range w.all {
		m.last = time.Now() // not before the logins of the others, which take bcrypt's time
		w.wg.Go(func() { m.run(w.failed, w.stop) })
	}
}

func (m *measuredWriter) run(failed func(string, ...any), stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		default:
		}
		_, err := m.conn.Do(m.line)
		m.mu.Lock()
		now := time.Now()
		if err == nil {
			m.oks++
			m.longest = max(m.longest, now.Sub(m.last))
			m.last = now
		} else {
			m.errs++
		}
		m.mu.Unlock()
		if err != nil {
			failed("%.40s: %v", m.line, err)
			if harness.Code(err) == "" {
				return // the connection is gone
			}
		}
	}
}

// settle waits until every client has got a number of OKs from now on.
func (w *writers) settle() {
	w.t.Helper()
	for _, m := range w.all {
		m.mu.Lock()
		want := m.oks + settled
		m.mu.Unlock()
		harness.Eventually(w.t, fmt.Sprintf("%.40s again and again", m.line), func() error {
			m.mu.Lock()
			defer m.mu.Unlock()
			if m.oks < want {
				return fmt.Errorf("%d of %d OKs", m.oks, want)
			}
			return nil
		})
	}
}

// end gives the longest time that a client was without an OK, and how many errors there were.
func (w *writers) end() (longest time.Duration, errs int) {
	stopped := time.Now()
	close(w.stop)
	w.wg.Wait()
	for _, m := range w.all {
		_ = m.conn.Close()
		longest, errs = max(longest, m.longest, stopped.Sub(m.last)), errs+m.errs
	}
	return longest, errs
}
