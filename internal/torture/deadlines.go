package torture

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// deadlinePrefix begins the keys that are judged by when they go.
const deadlinePrefix = "dl:"

// deadlines is all keys with a deadline of a round whose SET was answered OK, and the readings that
// only the end of the round can judge.
type deadlines struct {
	mu       sync.Mutex
	keys     []*deadlineKey
	readings []reading
}

// deadlineKey is written once. All times are ns since the load began.
type deadlineKey struct {
	key        string
	ttl        time.Duration
	start, end int64 // of its SET
}

// A reading is what a node said of a key.
type reading struct {
	*deadlineKey
	node       *node
	start, end int64
	left       time.Duration // at the most; 0: it is gone
}

func (d *deadlines) add(k *deadlineKey) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.keys = append(d.keys, k)
}

// pick gives one of the last keys, or of all.
func (d *deadlines) pick(c *client) *deadlineKey {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := len(d.keys)
	if n == 0 {
		return nil
	}
	if c.random.IntN(3) > 0 {
		n = min(n, 40)
	}
	return d.keys[len(d.keys)-1-c.random.IntN(n)]
}

func (d *deadlines) note(r reading) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.readings = append(d.readings, r)
}

// ttlLeft reads the reply to GETV: the time to live in it is rounded up to seconds. 0: gone.
func ttlLeft(reply string) (time.Duration, error) {
	if reply == "NOT_FOUND" {
		return 0, nil
	}
	fields := strings.SplitN(reply, " ", 4)
	if len(fields) == 4 && fields[0] == "VALUE" {
		if s, err := strconv.ParseInt(fields[2], 10, 64); err == nil && s > 0 {
			return time.Duration(s) * time.Second, nil
		}
	}
	return 0, fmt.Errorf("no key with a deadline: %.60q", reply)
}

// What is allowed to the clock that a node goes by.
const (
	// lateBy is what applying, answering and being scheduled may take on a loaded machine.
	lateBy = 3 * time.Second
	// A gap without an OK to a write is time that the cluster may not have seen go by, if it is
	// longer than this.
	gapFrom = 100 * time.Millisecond
	// earlyBy is how far time may jump forward when a majority starts: what was lost before.
	earlyBy = 10 * time.Minute
	// quietEarlyBy is the same where nothing was done to any node.
	quietEarlyBy = time.Second
)

// judge wants each reading to be as late, and as early, as it may be: the key lives for its time
// to live, and longer only by what its node could not see go by.
func (d *deadlines) judge(g gaps, allQuiet bool) (errs []error) {
	for _, times := range g {
		slices.Sort(times)
	}
	for _, r := range d.readings {
		lost := g.lost(r.node.name, r.deadlineKey.start, r.end)
		early := earlyBy
		if allQuiet {
			early = quietEarlyBy
		}
		if err := r.judge(lost, early); err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

func (r reading) judge(lost, early time.Duration) error {
	// What is left by the clock of who reads: at the most, and at the least.
	most := time.Duration(r.deadlineKey.end-r.start) + r.ttl + lateBy + lost
	least := time.Duration(r.deadlineKey.start-r.end) + r.ttl - early
	switch {
	case r.left > 0 && r.left-time.Second > max(most, 0), r.left > 0 && most < 0:
		return violationf("%s has %v left on %s, %.3f s after a SET … EX %v; %v were lost: it lives too long",
			r.key, r.left, r.node.name, secondsOf(r.start-r.deadlineKey.end), r.ttl, lost)
	case r.left < least:
		return violationf("%s has %v left on %s, %.3f s after a SET … EX %v: it goes too early",
			r.key, r.left, r.node.name, secondsOf(r.end-r.deadlineKey.start), r.ttl)
	}
	return nil
}

func secondsOf(ns int64) float64 { return time.Duration(ns).Seconds() }

// lost is how long, between two times, a node went without an OK to a write. The times are sorted.
func (g gaps) lost(node string, from, to int64) (lost time.Duration) {
	times := g[node]
	i, _ := slices.BinarySearch(times, from)
	for last := from; ; i++ {
		next := to
		if i < len(times) {
			next = min(times[i], to)
		}
		if gap := time.Duration(next - last); gap > gapFrom {
			lost += gap
		}
		if last = next; next == to {
			return lost
		}
	}
}

// atEnd reads every key on every node, behind a SYNC.
func (d *deadlines) atEnd(l *load) error {
	for _, n := range l.nodes {
		if err := d.readOn(n, l); err != nil {
			return violationf("%s: %v", n.name, err)
		}
	}
	return nil
}

func (d *deadlines) readOn(n *node, l *load) error {
	c, err := n.dial(l.user)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	if _, err := c.do("SYNC"); err != nil {
		return err
	}
	for keys := range slices.Chunk(d.keys, pageKeys) {
		lines := make([]string, len(keys))
		for i, k := range keys {
			lines[i] = "GETV " + k.key
		}
		start := l.now()
		replies, err := c.pipeline(lines...)
		if err != nil {
			return err
		}
		for i, reply := range replies {
			left, err := ttlLeft(reply)
			if err != nil {
				return err
			}
			d.readings = append(d.readings, reading{keys[i], n, start, l.now(), left})
		}
	}
	return nil
}
