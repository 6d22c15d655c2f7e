package server

import (
	"context"
	"errors"
	"runtime"

	"ciderd/internal/protocol"
)

// How much of a scan is done at a time, and at all. A step is one of protocol.Glob, some nanoseconds.
const (
	sliceSteps = 1 << 18 // and never more slots than View.Keys has between two yields
	scanSteps  = 1 << 29 // some seconds
)

var (
	errHardGlob     = errors.New("the pattern takes more steps than a scan may")
	errSessionEnded = errors.New("the session is to end")
)

// slicer makes a scan a sequence of slices of some milliseconds. Between two it gives its place to who
// has waited longest for one, and looks whether anybody still wants the scan. So a scan that is long, as
// its user has many keys or a hostile pattern, neither holds up those of other users nor the end of the
// session; and one that is no end of work ends in errHardGlob.
type slicer struct {
	session *session
	glob    protocol.Glob
	placed  bool  // it has one of Server.scans
	slice   int   // steps in this slice
	steps   int   // steps in the slices before
	err     error // why the scan has been given up
}

// scan finds the keys. Its error is errHungUp, errHardGlob, errSessionEnded, or of the context in which it
// has waited for a place: there was none in time, or this node shuts down.
func (s *session) scan() (found, error) {
	ctx, cancel := context.WithTimeout(s.srv.waits, s.srv.config.Load().WriteTimeout)
	defer cancel()
	// The user's place comes first: who waits for it takes nobody else's.
	own := s.login.account.scan
	if err := own.take(ctx); err != nil {
		return found{}, err
	}
	defer own.leave()
	sl := slicer{session: s}
	if sl.err = s.srv.scans.take(ctx); sl.err != nil {
		return found{}, sl.err
	}
	sl.placed = true
	defer sl.leave()
	ks := s.keyspace()
	if ks == nil {
		return found{}, nil
	}
	var match func([]byte) bool
	if s.req.Glob != nil {
		sl.glob = protocol.CompileGlob(s.req.Glob)
		match = sl.match
	}
	keys, more := ks.Freeze().Keys(s.clock(), match, s.req.After, s.req.Limit, sl.next)
	if sl.err != nil {
		return found{}, sl.err
	}
	return s.copied(keys, more), nil
}

// match is the glob's Match, and ends the slice if it has got long. Once the scan is given up nothing
// matches: View.Keys asks next only now and then.
func (sl *slicer) match(key []byte) bool {
	if sl.err != nil {
		return false
	}
	ok, steps := sl.glob.Steps(key)
	if sl.slice += steps; sl.slice >= sliceSteps {
		sl.next()
	}
	return ok
}

// next ends a slice and begins another, if the scan is to go on.
func (sl *slicer) next() bool {
	s := sl.session
	sl.steps += sl.slice
	sl.slice = 0
	switch {
	case sl.err != nil:
	case sl.steps > s.srv.scanSteps:
		sl.err = errHardGlob
	case s.ending.Load() != endNone || s.srv.waits.Err() != nil:
		sl.err = errSessionEnded
	case s.hungUp():
		sl.err = errHungUp
	default:
		sl.leave()
		runtime.Gosched()
		// Everybody who is in front has a slice only, so there is no need for a deadline.
		sl.err = s.srv.scans.take(s.srv.waits)
		sl.placed = sl.err == nil
	}
	return sl.err == nil
}

func (sl *slicer) leave() {
	if sl.placed {
		sl.placed = false
		sl.session.srv.scans.leave()
	}
}

// hungUp says whether the client has reset the connection. Lines that came before may have yet to be done.
func (s *session) hungUp() bool {
	gone := false
	if s.raw != nil {
		_ = s.raw.Control(func(fd uintptr) { gone = wasReset(fd) })
	}
	return gone
}

// places are for so many at a time. Who waits for one gets it in turn: a channel wakes its senders first
// come, first served, and hands the place over, so that nobody gets in between.
type places chan struct{}

// take waits for a place. A free one is had also when ctx has ended.
func (p places) take(ctx context.Context) error {
	select {
	case p <- struct{}{}:
		return nil
	default:
	}
	select {
	case p <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (p places) leave() { <-p }
