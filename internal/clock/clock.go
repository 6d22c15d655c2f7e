// Package clock owns the cluster's time as one node knows it: the largest stamp in the log so far, plus the
// monotonic time since that stamp was applied here.
//
// It promises that Now never goes back while the process runs, and that no step of the machine's wall clock affects
// it: a starting node sets the time of day once, with Settle. It never compares two nodes' wall clocks and starts
// no goroutine.
package clock

import (
	"sync"
	"sync/atomic"
	"time"
)

// Source is where a Clock gets the machine's time from; tests use one that they control.
type Source interface {
	// Monotonic returns the time since some fixed moment of this process; it never goes back.
	Monotonic() time.Duration
	// Wall returns the machine's time of day, in Unix milliseconds.
	Wall() int64
}

// Clock is the cluster's time on one node. All methods may be called from any goroutine.
type Clock struct {
	source Source
	// offset is Now minus the monotonic time, in milliseconds. It only increases, so Now never goes back.
	offset  atomic.Int64
	once    sync.Once   // of Settle
	settled atomic.Bool // after the offset: a reader that sees it may stamp
}

// New returns a clock that reads source, or the machine's own clocks if source is nil.
func New(source Source) *Clock {
	if source == nil {
		source = machine{start: time.Now()}
	}
	return &Clock{source: source}
}

// Now returns the cluster's time in Unix milliseconds. Before the first Observe it is 0 or slightly more.
func (c *Clock) Now() int64 {
	return c.offset.Load() + c.source.Monotonic().Milliseconds()
}

// Observe tells the clock the stamp of an entry that was just applied here.
func (c *Clock) Observe(stamp int64) { c.advance(stamp) }

// Settled reports whether Settle has set the time of this process.
func (c *Clock) Settled() bool { return c.settled.Load() }

// Settle sets the time once at the start of a process: the clock continues from now, or from its own time if that
// is later. A node that has just started calls it once, with another node's settled time if there is one, else with
// its own wall clock. Only after that may it stamp.
func (c *Clock) Settle(now int64) {
	c.once.Do(func() {
		c.advance(now)
		c.settled.Store(true)
	})
}

// Wall returns the machine's time of day in Unix milliseconds, for Settle.
func (c *Clock) Wall() int64 { return c.source.Wall() }

func (c *Clock) advance(to int64) {
	want := to - c.source.Monotonic().Milliseconds()
	for {
		have := c.offset.Load()
		if want <= have || c.offset.CompareAndSwap(have, want) {
			return
		}
	}
}

type machine struct{ start time.Time }

func (m machine) Monotonic() time.Duration { return time.Since(m.start) }
func (m machine) Wall() int64              { return time.Now().UnixMilli() }
