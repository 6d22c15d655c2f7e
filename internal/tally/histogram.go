package tally

import (
	"math"
	"sync/atomic"
	"time"
)

// Latencies are the bounds for how long something takes, in nanoseconds: from a read of memory to a write that waits for
// an election.
var Latencies = []int64{
	int64(10 * time.Microsecond), int64(100 * time.Microsecond), int64(500 * time.Microsecond),
	int64(time.Millisecond), int64(2 * time.Millisecond), int64(5 * time.Millisecond), int64(10 * time.Millisecond),
	int64(25 * time.Millisecond), int64(100 * time.Millisecond), int64(250 * time.Millisecond),
	int64(time.Second), int64(5 * time.Second),
}

// Sizes are the bounds for how many commands there are in something.
var Sizes = []int64{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024}

// Histogram counts values by their size. All methods may be called from any goroutine.
type Histogram struct {
	bounds []int64
	counts []atomic.Uint64 // one more than bounds
	sum    atomic.Int64
}

// NewHistogram returns an empty one. bounds ascend; a value counts for the first one that it does not exceed.
func NewHistogram(bounds []int64) *Histogram {
	return &Histogram{bounds: bounds, counts: make([]atomic.Uint64, len(bounds)+1)}
}

// Observe counts a value.
func (h *Histogram) Observe(v int64) {
	i := 0
	for i < len(h.bounds) && v > h.bounds[i] {
		i++
	}
	h.counts[i].Add(1)
	h.sum.Add(v)
}

// Since counts the nanoseconds since a moment.
func (h *Histogram) Since(t time.Time) { h.Observe(int64(time.Since(t))) }

// Read returns what has been counted.
func (h *Histogram) Read() Distribution {
	d := Distribution{Bounds: h.bounds, Counts: make([]uint64, len(h.counts)), Sum: h.sum.Load()}
	for i := range h.counts {
		d.Counts[i] = h.counts[i].Load()
	}
	return d
}

// Distribution is what a Histogram has counted.
type Distribution struct {
	Bounds []int64
	Counts []uint64 // of values up to each bound and above the one before; the last one: above all bounds
	Sum    int64
}

// Count returns how many values there were.
func (d Distribution) Count() (n uint64) {
	for _, c := range d.Counts {
		n += c
	}
	return n
}

// Add adds what another Histogram of the same bounds has counted.
func (d *Distribution) Add(other Distribution) {
	if d.Counts == nil {
		d.Bounds, d.Counts = other.Bounds, make([]uint64, len(other.Counts))
	}
	for i, c := range other.Counts {
		d.Counts[i] += c
	}
	d.Sum += other.Sum
}

// Sub returns what was counted since an earlier reading of the same Histogram.
func (d Distribution) Sub(earlier Distribution) Distribution {
	since := Distribution{Bounds: d.Bounds, Counts: append([]uint64(nil), d.Counts...), Sum: d.Sum - earlier.Sum}
	for i, c := range earlier.Counts {
		since.Counts[i] -= min(c, since.Counts[i])
	}
	return since
}

// Quantile estimates the value that a part q of all, from 0 to 1, do not exceed: within its bucket values are taken to be
// spread evenly. Above all bounds it is the last bound. 0: there were none.
func (d Distribution) Quantile(q float64) int64 {
	rank := q * float64(d.Count())
	if rank <= 0 {
		return 0
	}
	below, seen := int64(0), 0.0
	for i, bound := range d.Bounds {
		n := float64(d.Counts[i])
		if seen+n >= rank {
			return below + int64(math.Ceil(float64(bound-below)*(rank-seen)/n))
		}
		below, seen = bound, seen+n
	}
	return below
}
