package auth

import (
	"container/list"
	"context"
	"sync"
)

// gate gives out a fixed number of turns. Who finds none free waits in the queue of its address, and
// the turns go round over the queues, so that an address's share does not grow with its waiters.
//
// There are two lanes: addresses with recent failures wait in the late one, which gets every fourth
// turn while both have waiters. (Never none: a correct password gets in from there too.)
//
// The number of waiters is bounded. When it is reached, a newcomer takes the place of the newest
// waiter of the longest queue, unless its own would then be as long: filling the queue from one
// address only hurts that address.
//
// Invariants: free > 0 only if waiting == 0; waiting = the sum of all queues' lengths <= limit; a
// queue is in queues, and in its lane, only while it has waiters.
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

type queueKey struct {
	addr string
	lane int
}

type queue struct {
	key     queueKey
	waiters list.List     // of *waiter, the oldest in front
	inLane  *list.Element // of this queue in its lane
}

type waiter struct {
	queue   *queue        // nil once the waiter is out of it
	inQueue *list.Element // of this waiter in its queue
	called  chan error    // holds one: nil with a turn, ErrBusy when pushed out
}

func newGate(parallel, limit int) *gate {
	return &gate{free: parallel, limit: limit, queues: map[queueKey]*queue{}}
}

// enter waits for a turn, which the caller must give back with leave. It fails with ErrBusy or with
// the cause of ctx's end, and then there is no turn to give back.
func (g *gate) enter(ctx context.Context, addr string, late bool) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	key := queueKey{addr: addr, lane: promptLane}
	if late {
		key.lane = lateLane
	}
	w, err := g.join(key)
	if w == nil {
		return err
	}
	select {
	case err := <-w.called:
		return err
	case <-ctx.Done():
		g.abandon(w)
		return context.Cause(ctx)
	}
}

// leave gives a turn back, or on to the next waiter.
func (g *gate) leave() {
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
func (g *gate) join(key queueKey) (*waiter, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.free > 0 {
		g.free--
		return nil, nil
	}
	if g.waiting >= g.limit && !g.makeRoom(key) {
		return nil, ErrBusy
	}
	q := g.queues[key]
	if q == nil {
		q = &queue{key: key}
		q.inLane = g.lanes[key.lane].PushBack(q)
		g.queues[key] = q
	}
	w := &waiter{queue: q, called: make(chan error, 1)}
	w.inQueue = q.waiters.PushBack(w)
	g.waiting++
	return w, nil
}

// makeRoom pushes out the newest waiter of the longest queue (a late one among equals), if key's own
// queue has a better claim to the place. It says whether there is room now.
func (g *gate) makeRoom(key queueKey) bool {
	var longest *queue
	for _, q := range g.queues {
		if longest == nil || q.claim() > longest.claim() {
			longest = q
		}
	}
	own := 1 // how long key's queue would be
	if q := g.queues[key]; q != nil {
		own += q.waiters.Len()
	}
	if longest == nil || 2*own+key.lane >= longest.claim() {
		return false
	}
	w := longest.waiters.Back().Value.(*waiter)
	g.remove(w)
	w.called <- ErrBusy
	return true
}

// claim orders queues by length, the late one first among equals.
func (q *queue) claim() int { return 2*q.waiters.Len() + q.key.lane }

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
	return front.Value.(*queue).waiters.Front().Value.(*waiter)
}

// remove takes w out of its queue, and drops a queue that is then empty.
func (g *gate) remove(w *waiter) {
	q := w.queue
	w.queue = nil
	q.waiters.Remove(w.inQueue)
	g.waiting--
	if q.waiters.Len() == 0 {
		g.lanes[q.key.lane].Remove(q.inLane)
		delete(g.queues, q.key)
	}
}

// abandon ends the wait of a waiter that does not want its turn any more, also if it has just got it.
func (g *gate) abandon(w *waiter) {
	g.mu.Lock()
	queued := w.queue != nil
	if queued {
		g.remove(w)
	}
	g.mu.Unlock()
	if !queued && <-w.called == nil {
		g.leave()
	}
}
