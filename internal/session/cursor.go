package session

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"iter"

	"ciderd/internal/cache"
	"ciderd/internal/fsm"
	"ciderd/internal/pipeline"
	"ciderd/internal/protocol"
)

// ScanRequest asks for one page of an iteration over the user's keys.
type ScanRequest struct {
	// Cursor is 0 where an iteration begins, then Next of the page before, on whichever node. Any other number goes on
	// from there too.
	Cursor uint64
	// Count is how many keys are looked at, 1 to protocol.MaxLimit; what is beyond is taken for the nearest of these.
	Count int
	// Match decides which of them are answered; nil: all.
	Match Matcher
	// View is what is looked at, as of Now (Unix milliseconds), in the midst of an answer; nil: the user's cache now.
	View *cache.View
	Now  int64
}

// Scanned is a page. It holds until the function returns that it is given to.
type Scanned struct {
	Next   uint64 // where to go on, below fsm.Positions; 0: nowhere, all has been looked at
	found  *found
	pinned *pinned
	reply  *answers
}

// Len returns the number of keys.
func (p Scanned) Len() int { return len(p.found.lengths) }

// Keys are the keys. They end early when the client is gone. Each is to be sent before the next one is asked for.
func (p Scanned) Keys() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		rest := p.found.text
		for _, n := range p.found.lengths {
			if p.reply.gone || !yield(rest[:n:n]) {
				return
			}
			p.pinned.sent(int(n))
			rest = rest[n:]
		}
	}
}

// scanPage answers a page of an iteration over the user's keys, in the order of their positions, which is the same on every
// node and after restarts (fsm.Seed). Keys that are there throughout an iteration are answered; some may come twice, and
// none that has gone. It calls answer with the page, or answers with an error itself: with BUSY too if the cluster has no
// seed yet and cannot agree on one now.
func (s *Session) scanPage(req *ScanRequest, answer func(Scanned)) {
	if req.View == nil && !s.mayScan() {
		return
	}
	seed, err := s.all.seed()
	if err != nil {
		s.unseeded(err)
		return
	}
	page := Scanned{reply: &s.answers, pinned: &s.reads.pinned}
	sc := scan{all: s.all, client: s.client, user: s.login.user, reads: &s.reads, match: req.Match}
	found, err := sc.run(func(ks *cache.Keyspace) (f found) {
		f, page.Next = sc.scanned(ks, seed, req)
		return f
	})
	switch {
	case err != nil:
		s.failScan(err)
		return
	case s.Over():
		return
	}
	defer s.client.Give(found.charged)
	page.found = &found
	s.reads.pinned = pinned{bytes: found.size()}
	defer s.reads.unpin()
	answer(page)
}

// mayScan answers all that came before a SCAN, and what keeps it from being served.
func (s *Session) mayScan() bool {
	switch {
	case s.User() == 0:
		s.answers.Error(protocol.AuthRequired, authRequired)
		return false
	case !s.all.node.Ready():
		s.Refuse(protocol.Loading, loading)
		return false
	}
	s.flush()
	s.answers.Flush() // what is answered already does not wait for the scan
	return !s.answers.gone && !s.Over()
}

// errNoSeed: some servers do not know seeds yet, or the cluster is not able to agree on one.
var errNoSeed = errors.New("the cluster has no seed")

// seed returns the cluster's seed. The first SCAN that there is makes one; not earlier, as releases that know none can
// take over until then. One session at a time proposes it.
func (all *Sessions) seed() (*fsm.Seed, error) {
	if seed := all.node.FSM().Seed(); seed != nil {
		return seed, nil
	}
	timeout := all.config.Load().WriteTimeout
	ctx, cancel := context.WithTimeout(all.waits, timeout)
	defer cancel()
	if err := all.seeding.take(ctx); err != nil {
		return nil, err
	}
	defer all.seeding.leave()
	if seed := all.node.FSM().Seed(); seed != nil {
		return seed, nil
	}
	if !all.node.Reads(fsm.OpSeed.Since()) {
		return nil, errNoSeed
	}
	var fresh fsm.Seed
	_, _ = rand.Read(fresh[:]) // never fails
	if _, err := all.node.Propose(fsm.NewGroup(fsm.SetSeed(fresh)), timeout).Wait(); err != nil {
		return nil, err
	}
	if seed := all.node.FSM().Seed(); seed != nil { // this one, or another that came first
		return seed, nil
	}
	return nil, errNoSeed
}

// unseeded answers a SCAN without a seed.
func (s *Session) unseeded(err error) {
	if errors.Is(err, pipeline.ErrShutdown) || errors.Is(err, context.Canceled) {
		s.answers.finish(protocol.ShuttingDown, ShuttingDown)
		return
	}
	s.answers.Error(protocol.Busy, "the cluster has not agreed on an order for SCAN yet; nothing was done; try again soon")
}

// scanned finds the keys of a page, and where to go on.
func (sc *scan) scanned(ks *cache.Keyspace, seed *fsm.Seed, req *ScanRequest) (f found, next uint64) {
	from, count := req.Cursor, min(max(req.Count, 1), protocol.MaxLimit)
	switch {
	case from >= fsm.Positions:
		return found{}, 0
	case req.View != nil:
		keys, next := sc.fromAll(req.View, seed, from, count, req.Now)
		return sc.cut(keys, seed, next)
	}
	since, goesOn := sc.user.cursors.goesOn(cursorBytes(from))
	if !goesOn {
		since = ks.Version()
	}
	var keys [][]byte
	if l := sc.scanList(ks, seed, since, from, count, goesOn); l != nil {
		keys, next = sc.fromList(l, cache.GlanceAt(ks), from, count)
	} else {
		keys, next = sc.fromAll(ks.Freeze(), seed, from, count, sc.reads.time())
	}
	if f, next = sc.cut(keys, seed, next); next != 0 {
		sc.user.cursors.ended(cursorBytes(next), since)
	}
	return f, next
}

// cut copies the keys of a page that ends at next, or earlier, where there is no memory for more.
func (sc *scan) cut(keys [][]byte, seed *fsm.Seed, next uint64) (found, uint64) {
	if sc.err != nil {
		return found{}, 0
	}
	f := copied(sc.client, sc.all.bounds.ScanBytes, keys, false)
	if n := len(f.lengths); n < len(keys) {
		next = seed.Position(keys[n])
	}
	return f, next
}

// cursorBytes is a cursor as walks take it; 0, where every iteration begins, is none.
func cursorBytes(cursor uint64) []byte {
	if cursor == 0 {
		return nil
	}
	return binary.LittleEndian.AppendUint64(nil, cursor)
}

// scanList returns a list that may serve a page, or nil. One is made for iterations that go on.
func (sc *scan) scanList(ks *cache.Keyspace, seed *fsm.Seed, since, from uint64, count int, goesOn bool) *scanList {
	l := sc.all.lists.findScan(sc.user, ks, since, from)
	if l == nil && goesOn {
		l = sc.makeScanList(ks, ks.Freeze(), seed, from, count)
	}
	return l
}

// fromList finds a page in a list: those that are still there, and match.
func (sc *scan) fromList(l *scanList, now cache.Glance, from uint64, count int) (keys [][]byte, next uint64) {
	some, next := l.page(from, count)
	at := sc.reads.time()
	for _, p := range some {
		if !sc.looked() {
			return nil, 0
		}
		if key := l.text.at(p.place); sc.matches(key) && now.Has(key, at) {
			keys = append(keys, key)
		}
	}
	return keys, next
}

// fromAll finds a page among all keys that are visible at a time.
func (sc *scan) fromAll(v *cache.View, seed *fsm.Seed, from uint64, count int, now int64) (keys [][]byte, next uint64) {
	if sc.err != nil {
		return nil, 0
	}
	near := nearest{sc: sc, count: count, next: fsm.Positions}
	v.Range(func(key, _ []byte, _ uint64, deadline int64) bool {
		if position := seed.Position(key); position >= from && (deadline == 0 || deadline > now) {
			near.add(position, key)
		}
		return sc.looked()
	})
	some, next := near.page()
	for _, p := range some {
		if sc.matches(p.key) {
			keys = append(keys, p.key)
		}
	}
	return keys, next
}
