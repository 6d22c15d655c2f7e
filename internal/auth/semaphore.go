package auth

import (
	"context"
	"sync"
	"time"

	"ciderd/internal/tally"
)

// semaphore gives out a fixed number of slots. A caller that finds none free waits in its class: known, prompt or
// late. While there are waiters in others, the late class gets every fourth slot; the rest alternate
// between known and prompt. So no class can starve another. (A correct password gets in from the
// late class, too.)
//
// Within a class the slots go round over the addresses, so that an address's share does not grow with
// its waiters. When many addresses wait they go round over networks, and within a network over its
// addresses: a guesser with a thousand addresses of six networks counts as six and not as a thousand. An
// address's slots go round over the users that its waiters ask for, so that guesses at one user's
// password do not hold up another's first login from the same address. (By names only, and not by
// which of them had failures or exist: guessers could else push a user's own logins back, or tell from
// the wait which users exist.)
//
// The number of waiters is bounded. When it is reached, a newcomer takes the place of the newest
// waiter of the longest queue of those that slots go round over in any class, unless its own queue
// would then be as long: filling the queue from one address, or one network when there are many, only
// hurts that. If that fails, the same goes for the parts of its own queue, down to the lines: filling
// that for one user only hurts that user. Among equals the known give way last and the late first.
//
// What the class tells: a client that shares an address with a user can tell, by its first wrong guess and only
// while many wait, that this user has logged in from there lately. Its next guess is late like any other.
//
// Invariants: free > 0 only if waiting == 0; waiting = the sum of the classes' <= limit; every fair
// queue's number is the sum of its parts', and never 0 in one that is a part; a class's addresses are
// those in its tree.
type semaphore struct {
	limit  int              // of waiting
	waited *tally.Histogram // how long callers did

	mu      sync.Mutex // protects all below
	free    int
	waiting int
	classes [classCount]class
	shared  int // slots given while the late class and another had waiters
	early   int // slots given to known or prompt ones while both had
}

const lateShare = 4 // the late class gets one slot of this many

func newSemaphore(parallel, limit int) *semaphore {
	return &semaphore{free: parallel, limit: limit, waited: tally.NewHistogram(tally.Latencies)}
}

// request is what a caller asks a slot for.
type request struct {
	class int
	addr  string          // as addrKey gives it
	user  string          // whose password is to be looked at; empty: no user's
	over  <-chan struct{} // closed when the slot is not needed any more; nil: it will be
}

// acquire waits for a slot, which the caller must give back with release. It fails with ErrBusy, with
// errRight if r is over, or with the cause of ctx's end, and then there is no slot to give back.
func (g *semaphore) acquire(ctx context.Context, r request) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	began := time.Now()
	w, err := g.join(r)
	if w == nil {
		if err == nil {
			g.waited.Observe(0)
		}
		return err
	}
	defer g.waited.Since(began)
	select {
	case err := <-w.called:
		return err
	case <-r.over:
		g.abandon(w)
		return errRight
	case <-ctx.Done():
		g.abandon(w)
		return context.Cause(ctx)
	}
}

// release gives a slot back, or on to the next waiter.
func (g *semaphore) release() {
	g.mu.Lock()
	defer g.mu.Unlock()
	w := g.nextClass().next()
	if w == nil {
		g.free++
		return
	}
	g.remove(w)
	w.called <- nil
}

// join takes a free slot (nil, nil), queues up (a waiter), or fails with ErrBusy.
func (g *semaphore) join(r request) (*waiter, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.free > 0 {
		g.free--
		return nil, nil
	}
	p := pathOf(r)
	if g.waiting >= g.limit && !g.makeRoom(r.class, p) {
		return nil, ErrBusy
	}
	g.waiting++
	return g.classes[r.class].add(p), nil
}

// makeRoom pushes out a waiter if a newcomer has a better claim to its place. It reports whether there is
// room now.
func (g *semaphore) makeRoom(class int, p path) bool {
	most, highest := g.mostWaiters()
	own, rest := g.classes[class].share(p)
	var w *waiter
	if claim(own.length()+1, class) < highest {
		w = most.newest()
	} else if w = own.rival(rest); w == nil {
		return false
	}
	g.remove(w)
	w.called <- ErrBusy
	return true
}

// mostWaiters is, of all queues that slots go round over, the one that gives way, and its claim.
func (g *semaphore) mostWaiters() (most *fairQueue, highest int) {
	for i := range g.classes {
		q := longest(g.classes[i].shares())
		if c := claim(q.length(), i); q != nil && c > highest {
			most, highest = q, c
		}
	}
	return most, highest
}

// claim orders queues by length, among equals by class; the greatest gives way.
func claim(waiting, class int) int { return classCount*waiting + class }

// nextClass is the class that the next slot goes to; it has waiters if any has.
func (g *semaphore) nextClass() *class {
	known, prompt, late := &g.classes[knownClass], &g.classes[promptClass], &g.classes[lateClass]
	if known.all.waiting+prompt.all.waiting == 0 {
		return late
	}
	if late.all.waiting > 0 {
		if g.shared++; g.shared%lateShare == 0 {
			return late
		}
	}
	switch {
	case known.all.waiting == 0:
		return prompt
	case prompt.all.waiting == 0:
		return known
	}
	if g.early++; g.early%2 == 0 {
		return prompt
	}
	return known
}

// remove takes w out of its class.
func (g *semaphore) remove(w *waiter) {
	w.class.remove(w)
	g.waiting--
}

// abandon ends the wait of a waiter that does not want its slot any more, also if it has just got it.
func (g *semaphore) abandon(w *waiter) {
	g.mu.Lock()
	queued := w.line != nil
	if queued {
		g.remove(w)
	}
	g.mu.Unlock()
	if !queued && <-w.called == nil {
		g.release()
	}
}
