package judge

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// DeadlinePrefix begins the keys that are judged by when they go.
const DeadlinePrefix = "dl:"

// Deadlines is all keys with a deadline of a round whose SET was answered OK, and the readings that
// only the end of the round can judge.
type Deadlines struct {
	mu       sync.Mutex
	Keys     []*DeadlineKey
	readings []Reading
}

// DeadlineKey is written once. All times are ns since the load began.
type DeadlineKey struct {
	Key        string
	TTL        time.Duration
	Start, End int64 // of its SET
}

// A Reading is what a node said of a key.
type Reading struct {
	*DeadlineKey
	Node       string
	Start, End int64
	Left       time.Duration // at the most; 0: it is gone
}

// Add notes a key whose SET was OK.
func (d *Deadlines) Add(k *DeadlineKey) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.Keys = append(d.Keys, k)
}

// Pick gives one of the last keys, or of all.
func (d *Deadlines) Pick(random *rand.Rand) *DeadlineKey {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := len(d.Keys)
	if n == 0 {
		return nil
	}
	if random.IntN(3) > 0 {
		n = min(n, 40)
	}
	return d.Keys[len(d.Keys)-1-random.IntN(n)]
}

// Note keeps a reading for Judge.
func (d *Deadlines) Note(r Reading) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.readings = append(d.readings, r)
}

// TTLLeft reads the reply to GETV: the time to live in it is rounded up to seconds. 0: gone.
func TTLLeft(reply string) (time.Duration, error) {
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

// Judge wants each reading to be as late, and as early, as it may be: the key lives for its time
// to live, and longer only by what its node could not see go by.
func (d *Deadlines) Judge(g Gaps, allQuiet bool) (errs []error) {
	for _, times := range g {
		slices.Sort(times)
	}
	for _, r := range d.readings {
		lost := g.lost(r.Node, r.DeadlineKey.Start, r.End)
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

func (r Reading) judge(lost, early time.Duration) error {
	// What is left by the clock of who reads: at the most, and at the least.
	most := time.Duration(r.DeadlineKey.End-r.Start) + r.TTL + lateBy + lost
	least := time.Duration(r.DeadlineKey.Start-r.End) + r.TTL - early
	switch {
	case r.Left > 0 && r.Left-time.Second > max(most, 0), r.Left > 0 && most < 0:
		return Violationf("%s has %v left on %s, %.3f s after a SET … EX %v; %v were lost: it lives too long",
			r.Key, r.Left, r.Node, secondsOf(r.Start-r.DeadlineKey.End), r.TTL, lost)
	case r.Left < least:
		return Violationf("%s has %v left on %s, %.3f s after a SET … EX %v: it goes too early",
			r.Key, r.Left, r.Node, secondsOf(r.End-r.DeadlineKey.Start), r.TTL)
	}
	return nil
}

func secondsOf(ns int64) float64 { return time.Duration(ns).Seconds() }

// lost is how long, between two times, a node went without an OK to a write. The times are sorted.
func (g Gaps) lost(node string, from, to int64) (lost time.Duration) {
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
