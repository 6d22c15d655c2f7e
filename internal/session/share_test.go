package session

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A gate never lets more work than it may, loses nobody, and lets all go on when it is opened.
func TestGate(t *testing.T) {
	g := &gate{}
	g.set(3)
	var at, most, done atomic.Int32
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			for range 200 {
				g.enter()
				n := at.Add(1)
				for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
				}
				at.Add(-1)
				g.leave()
				done.Add(1)
			}
		})
	}
	wg.Wait()
	if most.Load() > 3 || done.Load() != 50*200 || g.working.Load() != 0 || g.queued.Load() != 0 {
		t.Errorf("%d at a time, %d done, %d at work, %d waiting", most.Load(), done.Load(), g.working.Load(), g.queued.Load())
	}
}

// entered has so many sessions want to work, and waits until all of them do or wait.
func entered(t *testing.T, f *fairShares, g *gate, n int, in *sync.WaitGroup) {
	t.Helper()
	before := g.busy()
	for range n {
		in.Go(func() { f.enter(g) })
	}
	until(t, "all want to work", func() bool { return g.busy() == before+n })
}

// look is a look on two processors, now.
func (f *fairShares) lookNow() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.share(2)
}

// Of several users at work on too few processors each has its part; alone, or with few sessions, a user has all.
func TestFairShares(t *testing.T) {
	f := &fairShares{timer: time.AfterFunc(time.Hour, func() {})}
	var in sync.WaitGroup
	many, few := &gate{}, &gate{}
	entered(t, f, many, 40, &in)
	f.lookNow()
	if many.limit.Load() != 0 {
		t.Error("a user that is alone is held back")
	}
	entered(t, f, few, 1, &in)
	f.lookNow()
	if many.limit.Load() != 2 || few.limit.Load() != 2 {
		t.Errorf("with another one they may have %d and %d at work", many.limit.Load(), few.limit.Load())
	}
	// Those that were at work leave; others wait from then on.
	for range 40 {
		many.leave()
	}
	entered(t, f, many, 10, &in)
	until(t, "two are at work, and eight wait", func() bool { return many.working.Load() == 2 && many.queued.Load() == 8 })
	f.lookNow() // many has left since the last look
	f.lookNow() // and now it stands still
	if many.working.Load() != 3 {
		t.Errorf("while those at work stand still there are %d", many.working.Load())
	}
	few.leave()
	for range recently + 1 {
		f.lookNow()
	}
	if many.limit.Load() != 0 || many.queued.Load() != 0 || len(f.active) != 1 || few.listed.Load() {
		t.Errorf("when the other has gone: limit %d, %d waiting, %d active", many.limit.Load(), many.queued.Load(), len(f.active))
	}
	in.Wait()
	f.close()
}

// Whoever waits goes on when the node stops.
func TestFairSharesClose(t *testing.T) {
	f := &fairShares{timer: time.AfterFunc(time.Hour, func() {})}
	var in sync.WaitGroup
	a, b := &gate{}, &gate{}
	entered(t, f, a, 20, &in)
	entered(t, f, b, 20, &in)
	f.lookNow()
	for range 20 {
		a.leave()
	}
	entered(t, f, a, 20, &in)
	f.close()
	in.Wait()
}
