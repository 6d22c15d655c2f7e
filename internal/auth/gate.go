package auth

import (
	"container/list"
	"context"
	"sync"
)

// gate gives out a fixed number of turns. Who finds none free waits in the queue of its address, and
// the turns go round over the queues, so that an address's share does not grow with its waiters. An
// address's turns go round over the users whom its waiters ask for, so that who guesses one user's
// password does not hold up another's first login from the same address. (By names only, and not by
// which of them had failures or exist: guessers could else push a user's own logins back, or tell by
// the wait who exists.)
//
// There are two lanes: addresses with recent failures wait in the late one, which gets every fourth
// turn while both have waiters. (Never none: a correct password gets in from there too.)
//
// The number of waiters is bounded. When it is reached, a newcomer takes the place of the newest
// waiter of the longest line of the longest queue, unless its own queue would then be as long: filling
// the queue from one address only hurts that address. If that fails, the same goes for the lines of
// its own queue: filling that for one user only hurts that user.
//
// Invariants: free > 0 only if waiting == 0; waiting = the sum of all queues' lengths <= limit, and so
// is each queue's of its lines'; a queue is in queues, and in its lane, and a line is in its queue,
// only while it has waiters.
type gate struct {
	limit int // of waiting

	mu      sync.Mutex // protects all below
	free    int
	waiting int
	queues  map[queueKey]*queue
	lanes   [2]list.List // of *queue, the next to be served in front
	served  int          // turns given while both lanes had waiters
}

// The lanes.
const (
	promptLane = 0
	lateLane   = 1
	lateShare  = 4 // the late lane gets one turn of this many
)

func newGate(parallel, limit int) *gate {
	return &gate{free: parallel, limit: limit, queues: map[queueKey]*queue{}}
}

// request is what a caller asks a turn for.
type request struct {
	addr string          // as addrKey gives it
	user string          // whose password is to be looked at; empty: nobody's
	late bool            // the address has recent failures
	over <-chan struct{} // closed when the turn is not needed any more; nil: it will be
}

// acquire waits for a turn, which the caller must give back with release. It fails with ErrBusy, with
// errRight if r is over, or with the cause of ctx's end, and then there is no turn to give back.
func (g *gate) acquire(ctx context.Context, r request) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	key := queueKey{addr: r.addr, lane: promptLane}
	if r.late {
		key.lane = lateLane
	}
	w, err := g.join(key, r.user)
	if w == nil {
		return err
	}
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

// release gives a turn back, or on to the next waiter.
func (g *gate) release() {
	g.mu.Lock()
	defer g.mu.Unlock()
	w := g.next()
	if w == nil {
		g.free++
		return
	}
	g.remove(w)
	w.called <- nil
}

// join takes a free turn (nil, nil), queues up (a waiter), or fails with ErrBusy.
func (g *gate) join(key queueKey, user string) (*waiter, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.free > 0 {
		g.free--
		return nil, nil
	}
	if g.waiting >= g.limit && !g.makeRoom(key, user) {
		return nil, ErrBusy
	}
	q := g.queues[key]
	if q == nil {
		q = &queue{key: key, lines: map[string]*line{}}
		q.inLane = g.lanes[key.lane].PushBack(q)
		g.queues[key] = q
	}
	g.waiting++
	return q.add(user), nil
}

// makeRoom pushes out a waiter of another queue, or else of another line of key's, if this newcomer
// has a better claim to the place. It says whether there is room now.
func (g *gate) makeRoom(key queueKey, user string) bool {
	var longest *queue
	for _, q := range g.queues {
		if longest == nil || q.claim() > longest.claim() {
			longest = q
		}
	}
	own, mine := 1, 1 // how long key's queue would be, and the line in it
	q := g.queues[key]
	if q != nil {
		own += q.waiting
		mine += q.length(user)
	}
	var from *line
	switch {
	case longest != nil && 2*own+key.lane < longest.claim():
		from = longest.longest()
	case q != nil && mine < q.longest().waiters.Len():
		from = q.longest()
	default:
		return false
	}
	w := from.waiters.Back().Value.(*waiter)
	g.remove(w)
	w.called <- ErrBusy
	return true
}

// next picks the waiter whose turn it is, and sends its queue to the end of its lane.
func (g *gate) next() *waiter {
	lane := &g.lanes[promptLane]
	switch late := &g.lanes[lateLane]; {
	case lane.Len() == 0:
		lane = late
	case late.Len() > 0:
		g.served++
		if g.served%lateShare == 0 {
			lane = late
		}
	}
	front := lane.Front()
	if front == nil {
		return nil
	}
	lane.MoveToBack(front)
	return front.Value.(*queue).next()
}

// remove takes w out of its queue, and drops a queue that is then empty.
func (g *gate) remove(w *waiter) {
	q := w.line.queue
	q.remove(w)
	g.waiting--
	if q.waiting == 0 {
		g.lanes[q.key.lane].Remove(q.inLane)
		delete(g.queues, q.key)
	}
}

// abandon ends the wait of a waiter that does not want its turn any more, also if it has just got it.
func (g *gate) abandon(w *waiter) {
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
