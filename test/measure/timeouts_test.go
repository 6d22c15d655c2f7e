//go:build e2e

package measure

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"ciderd/test/harness"
)

const (
	// loadClients write to the three nodes in turn, every eighth of them largeValue bytes at a time.
	loadClients = 64
	largeValue  = 4096
	// hogsPerCore is how many busy processes there are beside the nodes, for each core.
	hogsPerCore = 2
)

// TestMeasureTimeouts tells, with MEASURE=1, how low Raft's timeouts can be, and what lower ones would
// gain: a row for each of TIMEOUTS ("100ms 150ms 250ms 400ms 700ms" unless given), which is how long a
// follower hears nothing of its leader before it asks for votes.
//
// First comes a full load beside busy processes for ELECTION_SECS (20): whatever election there is
// then, no node was gone. Then, without busy processes, the leader is killed KILLS times (10), and as
// often paused, which is how a machine or a network that is gone looks. Waits are the longest times
// that a client was without an OK; of a leader that is gone, on a survivor.
//
// Client errors are counted and fail nothing: a timeout that is too short must be allowed to show it.
func TestMeasureTimeouts(t *testing.T) {
	seconds, kills := times(t, "ELECTION_SECS", 20), times(t, "KILLS", 10)
	timeouts := os.Getenv("TIMEOUTS")
	if timeouts == "" {
		timeouts = "100ms 150ms 250ms 400ms 700ms"
	}
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "timeout\tlease\tlost sight\tterms\tchanges\tOK/s\twait\terrors\t|\tkilled: median\tlongest\tsilent: median\tlongest\terrors\t")
	for _, timeout := range strings.Fields(timeouts) {
		t.Run(timeout, func(t *testing.T) { // each with an end of its own for its cluster
			defer fmt.Fprintln(w) // what is known when it fails is told too
			fmt.Fprintf(w, "%s\t", timeout)
			m := newTimeoutMeasurement(t, timeout)
			e := m.fullLoad(time.Duration(seconds) * time.Second)
			fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%.0f\t%s\t%d\t|\t", m.lease, e.doubts, e.terms, e.changes, e.rate, ms(e.wait), e.errs)
			dead, errs := leaderless(t, m.c, m.user, kills, killed, t.Logf)
			fmt.Fprintf(w, "%s\t%s\t", ms(median(dead)), ms(slices.Max(dead)))
			hung, more := leaderless(t, m.c, m.user, kills, silent, t.Logf)
			fmt.Fprintf(w, "%s\t%s\t%d\t", ms(median(hung)), ms(slices.Max(hung)), errs+more)
		})
	}
	_ = w.Flush() // a strings.Builder takes everything
	t.Logf("%d s of %d clients' SETs beside %d busy processes; then without them %d leaders killed and %d paused\n"+
		"lost sight: how often a node had no leader; terms: by how much the term grew; changes: how often another node led\n\n%s",
		seconds, loadClients, hogsPerCore*runtime.NumCPU(), kills, kills, &table)
}

type timeoutMeasurement struct {
	t     *testing.T
	c     *harness.Cluster
	user  string
	lease string
}

func newTimeoutMeasurement(t *testing.T, timeout string) *timeoutMeasurement {
	t.Helper()
	c := harness.Start(t, harness.Options{
		Nodes: 3, Env: []string{"CIDERD_TIMEOUTS_ELECTION=" + timeout},
		Config: `log { format = "json" }`,
	})
	m := &timeoutMeasurement{t: t, c: c, user: "measure-" + harness.Unique()}
	harness.MakeUser(t, c.Leader(), m.user)
	election, err := time.ParseDuration(timeout)
	if err != nil {
		t.Fatal(err)
	}
	m.lease = (election / 4 * 3).String() // docs/configuration.md#elections
	for i, n := range c.Nodes {
		if lines := m.logged(i, 0); !slices.ContainsFunc(lines, logLine.leads) {
			t.Fatalf("%s does not say who leads: elections could not be counted", n.Name)
		}
	}
	return m
}

// elections is what happened during a full load.
type elections struct {
	doubts  int // how often a node had no leader
	terms   int // by how much the term has grown
	changes int // how often another node led than before
	rate    float64
	wait    time.Duration
	errs    int
}

// fullLoad has clients write for so long beside busy processes.
func (m *timeoutMeasurement) fullLoad(d time.Duration) (e elections) {
	m.t.Helper()
	load := newWriters(m.t, m.t.Logf)
	for i := range loadClients {
		value := "v"
		if i%8 == 0 {
			value = strings.Repeat("v", largeValue)
		}
		load.add(m.c.Nodes[i%len(m.c.Nodes)], m.user, value)
	}
	leader, term := m.c.Leader().Name, m.term()
	var ends []int64
	for _, n := range m.c.Nodes {
		ends = append(ends, size(m.t, n.LogPath))
	}
	stop := hogs(m.t, hogsPerCore*runtime.NumCPU())
	load.start()
	start := time.Now()
	time.Sleep(d)
	took := time.Since(start)
	e.wait, e.errs = load.end()
	stop()
	for _, w := range load.all {
		e.rate += float64(w.oks) / took.Seconds()
	}
	e.terms = m.term() - term
	leaders := map[int]string{term: leader}
	for i := range m.c.Nodes {
		for _, l := range m.logged(i, ends[i]) {
			switch {
			case l.leads():
				leaders[l.Term] = l.Node
			case l.Message == leaderMessage:
				e.doubts++
			}
		}
	}
	e.changes = changes(leaders)
	return e
}

// changes is how often another leader follows, given the leader of each term that had one.
func changes(leaders map[int]string) (n int) {
	terms := slices.Sorted(maps.Keys(leaders))
	for i, term := range terms {
		if i > 0 && leaders[term] != leaders[terms[i-1]] {
			n++
		}
	}
	return n
}

// term is the highest that a node is in.
func (m *timeoutMeasurement) term() (highest int) {
	m.t.Helper()
	for _, n := range m.c.Nodes {
		highest = max(highest, harness.Term(m.t, n, m.user))
	}
	return highest
}

// leaderMessage is what a node logs when the leader that it knows is another one, or none.
const leaderMessage = "leader"

// logLine is what is read here of a line of a node's log.
type logLine struct {
	Message string `json:"@message"`
	Node    string
	Term    int
}

func (l logLine) leads() bool { return l.Message == leaderMessage && l.Node != "" }

// logged is what the i-th node has logged from a position in its log on.
func (m *timeoutMeasurement) logged(i int, from int64) (lines []logLine) {
	m.t.Helper()
	text, err := os.ReadFile(m.c.Nodes[i].LogPath)
	if err != nil {
		m.t.Fatal(err)
	}
	for line := range bytes.Lines(text[from:]) {
		var l logLine
		if json.Unmarshal(line, &l) == nil { // what is said before the log is set up is no JSON
			lines = append(lines, l)
		}
	}
	return lines
}

func size(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// hogs starts so many processes that use a core each without a pause, and gives what ends them; the end
// of the test does too.
func hogs(t *testing.T, many int) (stop func()) {
	t.Helper()
	dir := t.TempDir()
	var all []*harness.Process
	stop = func() {
		for _, p := range all {
			if err := p.Kill(); err != nil {
				t.Error(err)
			}
		}
	}
	t.Cleanup(stop)
	for range many {
		p, err := harness.StartProcess("/bin/sh", dir, filepath.Join(dir, "log"), nil, "-c", "while :; do :; done")
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	return stop
}

func median[T cmp.Ordered](all []T) T {
	slices.Sort(all)
	return all[len(all)/2]
}

func ms(d time.Duration) string { return fmt.Sprintf("%d ms", d.Milliseconds()) }
