// Package clock owns the cluster's time as one node knows it: the largest stamp that the log has
// given, plus the monotonic time since that stamp was applied here.
//
// It promises that Now never goes back while the process runs, and that no step of the machine's
// wall clock reaches it: who starts a node gives it a time of day once, by Settle. It never compares two nodes'
// wall clocks and starts no goroutine.
package clock

import (
	"sync"
	"sync/atomic"
	"time"
)

// Source is where a Clock gets the machine's time from; tests move one of their own.
type Source interface {
	// Monotonic is the time since some fixed moment of this process; it never goes back.
	Monotonic() time.Duration
	// Wall is the machine's idea of the time of day, in Unix milliseconds.
	Wall() int64
}

// Clock is the cluster's time on one node. All methods may be called from any goroutine.
type Clock struct {
	source Source
	// offset is Now minus the monotonic time, in milliseconds. It only grows, which is what keeps
	// Now from going back.
	offset  atomic.Int64
	once    sync.Once   // of Settle
	settled atomic.Bool // after the offset: who sees it may stamp
}

// New returns a clock that reads source, or the machine's own clocks if that is nil.
func New(source Source) *Clock {
	if source == nil {
		source = machine{start: time.Now()}
	}
	return &Clock{source: source}
}

// Now is the cluster's time in Unix milliseconds: 0 or little more before the first Observe.
func (c *Clock) Now() int64 {
	return wallStamp(c, c.offset.Load()+c.source.Monotonic().Milliseconds())
}

// Observe tells the clock of an entry's stamp that has just been applied here.
func (c *Clock) Observe(stamp int64) { c.advance(stamp) }

// Settled tells whether this process has been given the time: by Settle, once it had caught up.
func (c *Clock) Settled() bool { return c.settled.Load() }

// Settle ends the start of a process: the clock goes on from now, or from what it has if that is
// later. A node that has just started calls it once, with another node's settled time if there
// is one, else with its own wall clock: only then may it stamp.
func (c *Clock) Settle(now int64) {
	c.once.Do(func() {
		c.advance(now)
		c.settled.Store(true)
	})
}

// Wall is the machine's time of day in Unix milliseconds, for Settle.
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
func (m machine) Wall() int64              { return time.Now().Add(skew()).UnixMilli() }
