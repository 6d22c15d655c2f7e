package report

import (
	"slices"
	"sync"
	"time"
)

const (
	// mostEvents is how many are kept.
	mostEvents = 100
	// quiet is how long nothing must have been evicted until evictions are told to have ended.
	quiet = 30 * time.Second
)

// Event is something that has happened to a node or its cluster, as one node has seen it.
type Event struct {
	At   int64  // Unix milliseconds
	Kind string // a name for scripts: "leader"
	Text string
}

// Events are the last of them. Their zero value has none. All methods may be called from any goroutine.
type Events struct {
	mu       sync.Mutex
	all      []Event // in the order of time
	seen     *moment // the last that was noted; nil: none
	evicting bool
	evicted  time.Time // when something last was
	items    uint64    // that had been evicted when evictions began
	flooded  bool
	started  map[string]int64 // when each other node has, Unix milliseconds, by its clock
}

// moment is what Events compare.
type moment struct {
	node, leader         string
	changes              uint64 // of the leader, counted
	voters               int
	silent               map[string]string // why each other node does not answer; empty: it does
	notReady             string
	draining, full       bool
	evicted, memoryLimit uint64
	wrong                uint64 // logins, in the last minute
}

func (s *Source) moment() moment {
	r := s.Report()
	m := moment{
		node: r.Node, leader: r.Leader, changes: r.Log.LeaderChanges, voters: r.Voters, silent: map[string]string{}, notReady: r.NotReady(), draining: r.Draining,
		full: r.NoSpace, evicted: r.State.Evicted, memoryLimit: uint64(r.State.MemoryLimit), wrong: s.History.Over(time.Minute).Wrong,
	}
	for _, p := range r.Peers {
		m.silent[p.Name] = p.Reason
	}
	return m
}

// Latest returns all that are kept, the latest first.
func (e *Events) Latest() []Event {
	e.mu.Lock()
	defer e.mu.Unlock()
	latest := append([]Event{}, e.all...) // never nil, which JSON would not have as a list
	slices.Reverse(latest)
	return latest
}

func (e *Events) add(at time.Time, kind, text string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.keep(at, kind, text)
}

// keep must be called with mu held.
func (e *Events) keep(at time.Time, kind, text string) {
	if len(e.all) >= mostEvents {
		e.all = slices.Delete(e.all, 0, len(e.all)-mostEvents+1)
	}
	e.all = append(e.all, Event{at.UnixMilli(), kind, printable(text)})
}

// note tells what differs from the moment before.
func (e *Events) note(now time.Time, m moment) {
	e.mu.Lock()
	defer e.mu.Unlock()
	before := e.seen
	e.seen = &m
	if before == nil {
		e.evicted = now
		return
	}
	for _, changed := range []func(now time.Time, a, b *moment){e.leaders, e.members, e.own, e.evictions, e.floods} {
		changed(now, before, &m)
	}
}
