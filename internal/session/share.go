package session

import (
	"runtime"
	"sync"
	"time"
)

const (
	shareEvery = 20 * time.Millisecond
	// crowd is how many sessions at work for each processor are too many.
	crowd = 4
	// recently is for how many looks a user counts as active after its last work.
	recently = 25
)

// fairShares has users share the processors, not connections: while those are short, a user with a thousand busy
// connections gets no more than one with a single one. While they are not, nobody waits.
//
// A session is at work from when its client's bytes have come until it waits for the client, or for its writes, and of each
// user it is known how many are. While any are, it is looked again and again whether there are more than processors can
// serve, of several users: then of each user only its part may be at work, and the others wait for those (gate). What it
// costs is two additions for what a client sends in one go.
type fairShares struct {
	mu     sync.Mutex // protects all below
	active []*gate    // those that were at work recently
	timer  *time.Timer
	closed bool
}

// enter has a session of a user begin its work, which may be after others.
func (f *fairShares) enter(g *gate) {
	if !g.listed.Load() {
		f.list(g)
	}
	g.enter()
}

func (f *fairShares) list(g *gate) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed || g.listed.Swap(true) {
		return
	}
	g.looks, g.last, g.extra = 0, g.passed.Load(), 0
	f.active = append(f.active, g)
	switch {
	case f.timer == nil:
		f.timer = time.AfterFunc(shareEvery, f.look)
	case len(f.active) == 1:
		f.timer.Reset(shareEvery)
	}
}

// look sets each user's limit. It is called while somebody is active.
func (f *fairShares) look() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return
	}
	f.share(runtime.GOMAXPROCS(0))
	if len(f.active) > 0 {
		f.timer.Reset(shareEvery)
	}
}

// share is look on so many processors, with mu held.
func (f *fairShares) share(processors int) {
	busy, kept := 0, f.active[:0]
	for _, g := range f.active {
		busy += g.busy()
		if g.look() < recently {
			kept = append(kept, g)
			continue
		}
		g.set(0)
		g.listed.Store(false)
	}
	clear(f.active[len(kept):])
	f.active = kept
	part := int32(0)
	if len(f.active) > 1 && busy > crowd*processors {
		part = int32(max(1, 2*processors/len(f.active)))
	}
	for _, g := range f.active {
		if part == 0 {
			g.set(0)
		} else {
			g.allow(part)
		}
		g.last = g.passed.Load()
	}
}

// close lets all work, for good.
func (f *fairShares) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	if f.timer != nil {
		f.timer.Stop()
	}
	for _, g := range f.active {
		g.set(0)
	}
}

// Work is what one session does between waits.
type Work struct {
	session *Session
	gate    *gate // in which it has a place; nil: it does nothing
}

// Begin says that the client has sent something, and waits for the session's turn while processors are short.
func (w *Work) Begin() {
	if u := w.session.login.user; u != nil && w.gate == nil {
		w.gate = &u.gate
		w.session.all.fair.enter(w.gate)
	}
}

// Pause says that the session is about to wait itself, and reports whether it was at work. It may be called again.
func (w *Work) Pause() (was bool) {
	if was = w.gate != nil; was {
		w.gate.leave()
		w.gate = nil
	}
	return was
}
