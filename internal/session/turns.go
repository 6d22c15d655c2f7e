package session

import (
	"context"
	"math"
	"slices"
	"sync"
	"time"
)

// turns are places for so many scripts at a time. One that gets free goes to the user among those who wait whose scripts
// have taken least time of late, and among equals to the one who has waited longest. So scripts that take long hold up each
// other, and a user of small ones waits for no more than the rest of one.
type turns struct {
	mu      sync.Mutex // all below, and what users have used
	free    int
	waiting []*waiter // in the order of their coming
}

// waiter is a user's script that waits; place is closed when it has one.
type waiter struct {
	used  *used
	place chan struct{}
}

// used is how much time the scripts of a user have taken, of which half is forgotten each usedHalf.
type used struct {
	amount float64 // seconds, at the time at
	at     time.Time
}

const usedHalf = 5 * time.Second

func (u *used) now(at time.Time) float64 {
	return u.amount * math.Exp2(-float64(at.Sub(u.at))/float64(usedHalf))
}

// take waits for a place. A free one is had also when ctx has ended.
func (t *turns) take(ctx context.Context, u *used) error {
	t.mu.Lock()
	if t.free > 0 {
		t.free--
		t.mu.Unlock()
		return nil
	}
	w := &waiter{used: u, place: make(chan struct{})}
	t.waiting = append(t.waiting, w)
	t.mu.Unlock()
	select {
	case <-w.place:
		return nil
	case <-ctx.Done():
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	i := slices.Index(t.waiting, w)
	if i < 0 { // it has got one meanwhile
		return nil
	}
	t.waiting = slices.Delete(t.waiting, i, i+1)
	return context.Cause(ctx)
}

// leave gives a place back, that was used since a time.
func (t *turns) leave(u *used, since time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	u.amount, u.at = u.now(now)+now.Sub(since).Seconds(), now
	if len(t.waiting) == 0 {
		t.free++
		return
	}
	next := 0
	for i, w := range t.waiting {
		if w.used.now(now) < t.waiting[next].used.now(now) {
			next = i
		}
	}
	close(t.waiting[next].place)
	t.waiting = slices.Delete(t.waiting, next, next+1)
}
