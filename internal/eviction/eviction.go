package eviction

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"ciderd/internal/fsm"
)

// Config is what the package needs of its node. The functions may be called from any goroutine.
type Config struct {
	Leads func() bool
	Term  func() uint64
	// Confirm returns nil once everything that was given to Raft before is applied here, while this node leads.
	Confirm func(timeout time.Duration) error
	Shares  func() fsm.Shares
	// AppliedBytes returns the size of all entries that this process has applied.
	AppliedBytes func() uint64
	// Give gives an eviction to Raft, which keeps it. The leader's next entries come after it.
	Give func(entry []byte) error
	// Now returns the log's time, in Unix milliseconds.
	Now func() int64
	Log hclog.Logger
}

const (
	// every is how often the evictor looks whether it should work ahead of need; calm how often while nothing is written,
	// and idle how often it looks whether there is a limit at all.
	every = 5 * time.Millisecond
	calm  = 50 * time.Millisecond
	idle  = 200 * time.Millisecond
	// confirmTimeout bounds how long the first entries of a term wait for those before them.
	confirmTimeout = 2 * time.Second
	roomPoll       = 500 * time.Microsecond
	// evictionsAtOnce is how many evictions one entry waits for where memory passes: when the limit to work to falls by
	// much, writes go on meanwhile.
	evictionsAtOnce = 16
	// tellEvery is how often the log is told the same limit to work to, while it has not been applied.
	tellEvery = 200 * time.Millisecond
)

// roomTimeout bounds how long an entry waits for room. Then it is given all the same: the state machine has a net. (A
// variable for tests, on machines that are short of processors.)
var roomTimeout = 2 * time.Second

// Evictor chooses victims, while its node leads. All methods may be called from any goroutine.
type Evictor struct {
	config  Config
	target  atomic.Int64 // the limit to work to; 0: the limit itself
	low     atomic.Bool  // it is much below that
	brake   atomic.Int64 // how long brakeBytes of entries wait, as a time.Duration
	braking sync.Mutex   // owed
	owed    time.Duration
	counts  counts
	unseen  atomic.Bool // entries were given that flight does not know, or were lost

	mu      sync.Mutex // all below; held while entries are given to Raft, which must happen in the order of the flight
	flight  flight
	tracked bool // flight knows what is on its way in this term
	term    uint64
	choice  choice
	seen    uint64 // bytes that had been applied at the last look ahead of need
}

// New returns an Evictor. It starts nothing.
func New(c Config) *Evictor {
	return &Evictor{config: c, choice: choice{cursors: map[uint64]place{}}}
}

// counts is what the evictor has done.
type counts struct {
	entries, victims, quota, bytes, waited, late atomic.Uint64
}

// Stats is what this node has done as leader since the process began.
type Stats struct {
	Entries uint64 // evictions that it gave to the log
	Victims uint64 // in them
	Quota   uint64 // of the victims, those of users who were at their quota; the others: for the limit
	Bytes   uint64 // of them, in the log
	Waited  uint64 // entries that waited for room
	Late    uint64 // of them, those that got none in time
}

// Stats returns the present counts.
func (e *Evictor) Stats() Stats {
	return Stats{Entries: e.counts.entries.Load(), Victims: e.counts.victims.Load(), Quota: e.counts.quota.Load(), Bytes: e.counts.bytes.Load(), Waited: e.counts.waited.Load(), Late: e.counts.late.Load()}
}

// bounds is what holds at one moment.
type bounds struct {
	fsm.Shares
	limits  fsm.Limits
	working int64 // 0: there is no limit
	quotas  bool
}

func (e *Evictor) bounds() bounds {
	s := e.config.Shares()
	limits, _ := s.Limits()
	return bounds{s, limits, e.aim(limits.MaxMemory), s.Quotas()}
}

// active reports whether anything is evicted at all.
func (b *bounds) active() bool { return !b.limits.Reject && (b.limits.MaxMemory > 0 || b.quotas) }

// Admit calls give, which gives an entry to Raft, once there is room for what the entry stores.
func (e *Evictor) Admit(entry []byte, give func() error) error {
	b := e.bounds()
	if !b.active() {
		e.Lose()
		defer e.Lose() // also for who has begun to count meanwhile
		return give()
	}
	if b.working > 0 {
		e.slow(len(entry))
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.track(); err != nil {
		return err
	}
	growth := e.makeRoom(entry)
	if err := give(); err != nil {
		return err
	}
	e.flight.add(int64(len(entry)), growth)
	return nil
}

// slow waits for an entry of so many bytes, one entry after the other, while the brake is on. What is less than a sleep is
// good for is owed.
func (e *Evictor) slow(bytes int) {
	brake := e.brake.Load()
	if brake == 0 {
		return
	}
	e.braking.Lock()
	defer e.braking.Unlock()
	e.owed += time.Duration(float64(brake) * float64(bytes) / brakeBytes)
	if e.owed < time.Millisecond {
		return
	}
	wait := min(e.owed, brakeLongest)
	e.owed = 0
	time.Sleep(wait)
}

// Lose says that Raft may not have kept an entry that it was given: what is in flight has to be counted anew.
func (e *Evictor) Lose() { e.unseen.Store(true) }

// track sees to it that flight knows what is on its way: in a new term, and where entries were given unseen or lost,
// it waits until nothing is.
func (e *Evictor) track() error {
	term := e.config.Term()
	if !e.unseen.Load() && e.tracked && e.term == term && !e.flight.stuck(e.config.AppliedBytes()) {
		return nil
	}
	e.tracked = false
	e.unseen.Store(false)
	if err := e.config.Confirm(confirmTimeout); err != nil {
		return err
	}
	e.brake.Store(0) // of another term
	e.flight.reset(e.config.AppliedBytes())
	e.choice.reset()
	e.term, e.tracked = term, true
	return nil
}

// makeRoom has the log evict until there is room for an entry, and returns the entry's growth. What is in flight cannot
// be evicted yet; if that is too much it waits. mu is held, but not while it waits.
func (e *Evictor) makeRoom(entry []byte) fsm.Growth {
	growth := fsm.Growth{Total: fsm.BoundGrowth(entry)}
	for deadline := (time.Time{}); ; {
		b := e.bounds()
		e.flight.drain(e.config.AppliedBytes())
		if memory := b.Memory(); !b.quotas && (b.working == 0 || memory+e.flight.total+growth.Total <= max(b.working, memory)) {
			return growth
		}
		if growth = b.Growth(entry); growth.Total == 0 {
			return growth // it may well make room
		}
		short := e.short(&b, growth, false)
		for n := 0; !short.none() && e.evict(&b, short); n++ {
			short = e.short(&b, growth, false)
			if n >= evictionsAtOnce && e.passes(&b, growth) {
				return growth // the rest is left to those that come, and to the work ahead of need
			}
		}
		if e.passes(&b, growth) {
			return growth
		}
		if now := time.Now(); deadline.IsZero() {
			e.counts.waited.Add(1)
			deadline = now.Add(roomTimeout)
		} else if now.After(deadline) || e.flight.empty() || !e.config.Leads() {
			e.counts.late.Add(1)
			return growth
		}
		e.mu.Unlock()
		time.Sleep(roomPoll)
		e.mu.Lock()
	}
}

// passes reports whether an entry of such a growth may be given, with memory above its bounds for a moment.
func (e *Evictor) passes(b *bounds, growth fsm.Growth) bool {
	s := e.short(b, growth, true)
	return s.none()
}

// Run works ahead of need, while this node leads, until ctx ends.
func (e *Evictor) Run(ctx context.Context) {
	timer := time.NewTimer(idle)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-ctx.Done():
			return
		}
		timer.Reset(e.ahead())
	}
}

// ahead evicts until a 64th of the limit is free, and returns when to look again.
func (e *Evictor) ahead() time.Duration {
	b := e.bounds()
	if !b.active() || !e.config.Leads() {
		return idle
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.track() != nil {
		return idle
	}
	e.flight.drain(e.config.AppliedBytes())
	short := shortage{users: e.overQuota(&b)}
	if b.working > 0 {
		short.whole = max(b.Memory()+e.flight.total-(b.working-b.working/64), 0)
	}
	if e.moved(&b) {
		// First: which users have more than their guarantee follows from the limit that the log says is worked to.
		e.give(&b, nil)
	}
	if !short.none() && e.evict(&b, short) {
		return 0
	}
	seen := e.seen
	if e.seen = e.config.AppliedBytes(); e.seen == seen {
		return calm
	}
	return every
}

// moved reports whether the limit that is worked to should be another one than the log says.
func (e *Evictor) moved(b *bounds) bool {
	said := b.Shares.Working()
	if e.flight.told == b.working && time.Since(e.flight.toldAt) < tellEvery {
		return false
	}
	return b.working > 0 && max(b.working-said, said-b.working) > b.limits.MaxMemory/64
}
