package session

import (
	"sync"
	"sync/atomic"
)

// gate lets sessions of one user work, any number of them or a few at a time.
type gate struct {
	working atomic.Int32  // sessions at work, or held up in the middle of it
	limit   atomic.Int32  // how many may be; 0: any number
	queued  atomic.Int32  // of waiting
	passed  atomic.Uint32 // how often one has left
	listed  atomic.Bool   // it is among those that are looked at

	mu      sync.Mutex // protects waiting
	waiting []chan struct{}

	// Those who look at it keep here what they have seen.
	looks int    // since it was at work
	last  uint32 // passed, at the last look
	extra int32  // places beside those that stand still
}

// enter waits until one more session may work.
func (g *gate) enter() {
	n := g.working.Add(1)
	if limit := g.limit.Load(); limit > 0 && n > limit {
		g.wait()
	}
}

// wait gives the place back, and waits for another.
func (g *gate) wait() {
	g.mu.Lock()
	if limit := g.limit.Load(); limit == 0 || g.working.Load() <= limit {
		g.mu.Unlock()
		return
	}
	turn := make(chan struct{})
	g.waiting = append(g.waiting, turn)
	g.queued.Add(1)
	g.working.Add(-1)
	g.mu.Unlock()
	if limit := g.limit.Load(); limit == 0 || g.working.Load() < limit {
		g.admit() // one has left before it could see that somebody waits
	}
	<-turn
}

// leave lets another one work.
func (g *gate) leave() {
	g.working.Add(-1)
	g.passed.Add(1)
	if g.queued.Load() > 0 {
		g.admit()
	}
}

// admit lets as many work as may, those first that have waited longest.
func (g *gate) admit() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for len(g.waiting) > 0 {
		if limit := g.limit.Load(); limit > 0 && g.working.Load() >= limit {
			return
		}
		g.working.Add(1)
		g.queued.Add(-1)
		close(g.waiting[0])
		g.waiting = g.waiting[1:]
	}
	g.waiting = nil
}

// set sets the limit.
func (g *gate) set(limit int32) {
	if g.limit.Swap(limit) != limit {
		g.admit()
	}
}

// busy returns how many sessions work, or would.
func (g *gate) busy() int { return int(g.working.Load()) + int(g.queued.Load()) }

// look notes whether there was work since the last look, and reports for how many looks there has been none.
func (g *gate) look() (idle int) {
	if g.looks++; g.busy() > 0 || g.passed.Load() != g.last {
		g.looks = 0
	}
	return g.looks
}

// allow sets the limit to a part; and to one more for each look at which some waited and none had left since the one
// before: who works is then held up, by a client that takes nothing or by the disks.
func (g *gate) allow(part int32) {
	passed := g.passed.Load()
	switch {
	case g.queued.Load() == 0:
		g.extra = 0
	case passed == g.last:
		g.extra++
	case g.extra > 0:
		g.extra--
	}
	g.set(part + g.extra)
}
