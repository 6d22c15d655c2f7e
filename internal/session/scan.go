package session

import (
	"context"
	"errors"
	"runtime"

	"ciderd/internal/cache"
	"ciderd/internal/protocol"
)

// How much of a scan is done at a time, and at all. A step is one of protocol.Glob, some nanoseconds.
const (
	sliceSteps = 1 << 18
	sliceKeys  = 1 << 12 // looked at or compared; View.Keys counts slots, to about as many
	scanSteps  = 1 << 29 // some seconds
)

var (
	errHardGlob = errors.New("the pattern takes more steps than a scan may")
	errEnds     = errors.New("the session is to end")

	// ErrManyKeys is returned for more keys than one reply may have.
	ErrManyKeys = errors.New("there are too many keys for one reply")
)

// scan is one KEYS, or one page of SCAN, as a sequence of slices of some milliseconds. Between two it gives its place to the scan that
// has waited longest for one, and looks whether anybody still wants it. So a scan that is long, as
// its user has many keys or a hostile pattern, neither holds up those of other users nor the end of the
// session; and one that is no end of work ends in errHardGlob.
type scan struct {
	all    *Sessions
	client Client
	user   *user
	reads  *reads
	match  Matcher // nil: every key matches
	placed bool    // it has one of Sessions.scans
	slice  int     // steps in this slice
	keys   int     // that it has looked at
	steps  int     // steps in the slices before
	err    error   // why the scan has been given up
}

// Matcher decides which keys are answered. A Glob is one.
type Matcher interface {
	// Steps reports whether a key matches, and how many steps that took: some nanoseconds each.
	Steps(key []byte) (ok bool, steps int)
}

// run calls find with the user's cache once the scan has its places; not if the account is gone, which has been answered
// then. Its error is ErrHungUp, errHardGlob, errEnds, or of the context in which it has waited for a place: there was none
// in time, or this node shuts down.
func (sc *scan) run(find func(ks *cache.Keyspace) found) (found, error) {
	leave, err := sc.begin()
	if err != nil {
		return found{}, err
	}
	defer leave()
	ks := sc.reads.keyspace()
	if ks == nil {
		return found{}, nil
	}
	f := find(ks)
	return f, sc.err
}

// find finds the keys of a KEYS.
func (sc *scan) find(ks *cache.Keyspace, req *protocol.Request) found {
	v := ks.Freeze()
	since, goesOn := sc.user.walks.goesOn(req.After)
	if !goesOn {
		since = v.Version()
	}
	l := sc.all.lists.find(sc.user, ks, since, req.After)
	if l == nil && goesOn {
		l = sc.makeList(ks, v, req.After, req.Limit)
	}
	keys, more := sc.page(l, v, req)
	if sc.err != nil {
		return found{}
	}
	f := copied(sc.client, sc.all.bounds.ScanBytes, keys, more)
	if f.more {
		sc.user.walks.ended(f.last(), since)
	}
	return f
}

// begin waits for a place. leave gives it back, wherever the scan ends.
func (sc *scan) begin() (leave func(), err error) {
	ctx, cancel := context.WithTimeout(sc.all.waits, sc.all.config.Load().WriteTimeout)
	defer cancel()
	// The user's place comes first: a scan that waits for it takes no place of another user's.
	if err := sc.user.scan.take(ctx); err != nil {
		return nil, err
	}
	sc.all.scanning.Add(1)
	leave = func() {
		sc.leave()
		sc.all.looked.Add(uint64(sc.keys))
		sc.all.scanning.Add(-1)
		sc.user.scan.leave()
	}
	if sc.err = sc.all.scans.take(ctx); sc.err != nil {
		leave()
		return nil, sc.err
	}
	sc.placed = true
	return leave, nil
}

// page finds the keys of one page: in the list, or without one, or where it ends too early, among all that the user has.
func (sc *scan) page(l *keyList, v *cache.View, req *protocol.Request) (keys [][]byte, more bool) {
	if sc.err != nil {
		return nil, false
	}
	now := sc.reads.time()
	if l != nil {
		if keys, more, whole := l.page(v, now, sc.matches, req.After, req.Limit, sc.looked); whole {
			return keys, more
		}
	}
	sc.keys += v.Len()
	return v.Keys(now, sc.matches, req.After, req.Limit, sc.next)
}

// looked counts a key that is looked at, and reports whether the scan is to go on.
func (sc *scan) looked() bool {
	if sc.keys++; sc.keys%sliceKeys == 0 {
		sc.next()
	}
	return sc.err == nil
}

// matches reports whether a key matches, and ends the slice if it has got long. Once the scan is given up nothing
// matches: View.Keys asks next only now and then.
func (sc *scan) matches(key []byte) bool {
	if sc.err != nil {
		return false
	}
	if sc.match == nil {
		return true
	}
	ok, steps := sc.match.Steps(key)
	if sc.slice += steps; sc.slice >= sliceSteps {
		sc.next()
	}
	return ok
}

// next ends a slice and begins another, if the scan is to go on.
func (sc *scan) next() bool {
	sc.steps += sc.slice
	sc.slice = 0
	switch {
	case sc.err != nil:
	case sc.steps > sc.all.bounds.ScanSteps:
		sc.err = errHardGlob
	case sc.client.Ended() || sc.all.waits.Err() != nil:
		sc.err = errEnds
	case sc.client.HungUp():
		sc.err = ErrHungUp
	default:
		sc.leave()
		runtime.Gosched()
		// Each scan in front has a slice only, so there is no need for a deadline.
		sc.err = sc.all.scans.take(sc.all.waits)
		sc.placed = sc.err == nil
	}
	return sc.err == nil
}

func (sc *scan) leave() {
	if sc.placed {
		sc.placed = false
		sc.all.scans.leave()
	}
}

// places are for so many at a time. They are given out in order: a channel wakes its senders first
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
