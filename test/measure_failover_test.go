//go:build e2e

package test

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"ciderd/internal/harness"
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
	user := "measure-" + unique()
	makeUser(t, c.Leader(), user)
	var gaps []time.Duration
	var failed int
	for range kills {
		leader := c.Leader()
		load := writeOn(t, c.Followers(leader), user)
		load.settle()
		leader.Kill()
		load.settle()
		gap, errs := load.end()
		gaps, failed = append(gaps, gap), failed+errs
		restart(t, c, []*harness.Node{leader})
	}
	t.Logf("leader killed, longest time without an OK on a survivor: %s; client errors: %d", summary(gaps), failed)
}

// TestMeasureRollingRestart tells, with MEASURE=1, for how long the clients of the other nodes wait for an
// OK while each node in turn is ended by SIGTERM and started again, ROUNDS times (5 unless given).
func TestMeasureRollingRestart(t *testing.T) {
	rounds := times(t, "ROUNDS", 5)
	c := harness.Start(t, harness.Options{Nodes: 3})
	user := "measure-" + unique()
	makeUser(t, c.Leader(), user)
	gaps := map[string][]time.Duration{}
	var failed int
	for range rounds {
		for _, n := range c.Nodes {
			role := "a follower"
			if n == c.Leader() {
				role = "the leader"
			}
			load := writeOn(t, c.Followers(n), user)
			load.settle()
			if code := n.Stop(stopLimit); code != 0 {
				t.Errorf("%s ended with %d", n.Name, code)
			}
			restart(t, c, []*harness.Node{n})
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
	t    *testing.T
	stop chan struct{}
	wg   sync.WaitGroup
	all  []*measuredWriter
}

type measuredWriter struct {
	conn *harness.Client
	key  string

	mu      sync.Mutex // all below
	last    time.Time  // of an OK
	longest time.Duration
	oks     int
	errs    int
}

func writeOn(t *testing.T, nodes []*harness.Node, user string) *writers {
	t.Helper()
	w := &writers{t: t, stop: make(chan struct{})}
	for _, n := range nodes {
		for i := range writersEach {
			conn := loginAs(t, n, user)
			w.all = append(w.all, &measuredWriter{conn: conn, key: fmt.Sprintf("%s-%d", n.Name, i)})
		}
	}
	for _, m := range w.all {
		m.last = time.Now() // not before the logins of the others, which take bcrypt's time
		w.wg.Go(func() { m.run(t, w.stop) })
	}
	return w
}

func (m *measuredWriter) run(t *testing.T, stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		default:
		}
		_, err := m.conn.Do("SET " + m.key + " v")
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
			t.Errorf("SET %s: %v", m.key, err)
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
		harness.Eventually(w.t, m.key+" writes", func() error {
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
	close(w.stop)
	w.wg.Wait()
	for _, m := range w.all {
		_ = m.conn.Close()
		longest, errs = max(longest, m.longest), errs+m.errs
	}
	return longest, errs
}
