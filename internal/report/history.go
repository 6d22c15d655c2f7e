package report

import (
	"sync"
	"time"

	"ciderd/internal/tally"
)

const (
	// pointEvery is how often the counters are noted, and kept is for how long.
	pointEvery = time.Second
	kept       = 15 * time.Minute
)

// Counters is what a history notes: what has been counted since the process began.
type Counters struct {
	Commands, Hits, Misses, Evicted uint64
	LeaderChanges, Wrong            uint64 // Wrong: logins with a wrong password
	SnapshotsFailed                 uint64
	Memory, Limit                   int64 // bytes; Limit 0: none
	Reads, Writes, Commit, Sync     tally.Distribution
}

// History is what the counters were in the last quarter of an hour, so that rates and percentiles of any part of it can be
// told. All methods may be called from any goroutine.
type History struct {
	read func() Counters

	mu     sync.Mutex
	points []point // in the order of time, up to a quarter of an hour
}

type point struct {
	at time.Time
	Counters
}

// NewHistory returns an empty one. read must not wait.
func NewHistory(read func() Counters) *History { return &History{read: read} }

func (h *History) note(now time.Time) {
	c := h.read()
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.points) >= int(kept/pointEvery)+1 {
		copy(h.points, h.points[1:])
		h.points = h.points[:len(h.points)-1]
	}
	h.points = append(h.points, point{now, c})
}

// Rates is what happened in a part of the past.
type Rates struct {
	Seconds         float64 // how long that part is; 0: there is none
	Operations      float64 // per second
	Hits, Misses    uint64
	Evicted         uint64
	LeaderChanges   uint64
	Wrong           uint64
	SnapshotsFailed uint64
	// Percentiles, in nanoseconds; 0: there was nothing of it.
	ReadP99, WriteP99, CommitP50, CommitP99, SyncP99 int64
}

// HitRate is the part of reads that found something, from 0 to 1; -1: there were none.
func (r *Rates) HitRate() float64 {
	if r.Hits+r.Misses == 0 {
		return -1
	}
	return float64(r.Hits) / float64(r.Hits+r.Misses)
}

// Over returns the rates of the time until the last note.
func (h *History) Over(d time.Duration) Rates {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.points) == 0 {
		return Rates{}
	}
	last := h.points[len(h.points)-1]
	first := last
	for i := len(h.points) - 1; i >= 0 && last.at.Sub(h.points[i].at) <= d; i-- {
		first = h.points[i]
	}
	return between(first, last)
}

func between(a, b point) Rates {
	r := Rates{
		Seconds: b.at.Sub(a.at).Seconds(),
		Hits:    b.Hits - a.Hits, Misses: b.Misses - a.Misses, Evicted: b.Evicted - min(a.Evicted, b.Evicted),
		LeaderChanges: b.LeaderChanges - a.LeaderChanges, Wrong: b.Wrong - a.Wrong,
		SnapshotsFailed: b.SnapshotsFailed - a.SnapshotsFailed,
	}
	if r.Seconds > 0 {
		r.Operations = float64(b.Commands-a.Commands) / r.Seconds
	}
	commit := b.Commit.Sub(a.Commit)
	r.CommitP50, r.CommitP99 = commit.Quantile(0.5), commit.Quantile(0.99)
	r.ReadP99 = b.Reads.Sub(a.Reads).Quantile(0.99)
	r.WriteP99 = b.Writes.Sub(a.Writes).Quantile(0.99)
	r.SyncP99 = b.Sync.Sub(a.Sync).Quantile(0.99)
	return r
}
