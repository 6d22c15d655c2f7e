package server

import (
	"ciderd/internal/cache"
	"ciderd/internal/protocol"
)

// nowLasts is how many reads of a burst go by one look at the clock. All of them had arrived before
// that look, so each may be taken to have happened then.
const nowLasts = 32

// clock is the time for reads, in Unix milliseconds.
func (s *session) clock() int64 {
	if s.now == 0 || s.nowUses >= nowLasts {
		s.now, s.nowUses = s.srv.node.Clock().Now(), 0
	}
	s.nowUses++
	return s.now
}

// keyspace is the user's cache. Without one the session is at its end: the account is gone.
func (s *session) keyspace() *cache.Keyspace {
	ks := s.reader.Keyspace()
	if ks == nil {
		s.finish(protocol.SessionEnded, sessionEnded)
	}
	return ks
}

// item reads the request's key and counts that. It answers NOT_FOUND itself.
func (s *session) item() (it cache.Item, ok bool) {
	ks := s.keyspace()
	if ks == nil {
		return it, false
	}
	if it, ok = ks.Get(s.req.Key, s.clock()); !ok {
		s.counts.misses++
		s.reply("NOT_FOUND")
		return it, false
	}
	s.counts.hits++
	return it, true
}

func (s *session) get() {
	s.lookAhead()
	if it, ok := s.item(); ok {
		s.replyItem(it.Value)
	}
}

// replyItem prints a value of the cache. A large one is kept in memory until the client has taken it.
func (s *session) replyItem(v []byte) {
	if len(v) > outPiece {
		if ks := s.reader.Keyspace(); ks != nil {
			s.pinned = pin(ks, len(v))
			defer func() { s.pinned = pinned{} }()
		}
	}
	s.replyValue(v)
}

// lookAhead has the cache look at the keys of the GETs that are waiting behind this one, some at a time (see
// cache.Keyspace.Warm): most of a pipelined GET is waiting for memory.
func (s *session) lookAhead() {
	switch {
	case s.ahead > 0:
		s.ahead--
	case s.in.Buffered() > 0:
		s.warm()
	}
}

// warm is apart for its stack, which a session that asks one thing at a time does without.
//
//go:noinline
func (s *session) warm() {
	var waiting [cache.WarmAtOnce][]byte
	keys := s.in.GetsAhead(waiting[:0])
	if ks := s.reader.Keyspace(); ks != nil && len(keys) > 1 {
		ks.Warm(keys)
		s.ahead = len(keys)
	}
}

func (s *session) getV() {
	it, ok := s.item()
	if !ok {
		return
	}
	s.add("VALUE ")
	s.addUint(it.Version)
	s.add(" ")
	if it.Deadline == 0 {
		s.add("- ")
	} else {
		s.addUint(secondsLeft(it.Deadline, s.now))
		s.add(" ")
	}
	s.replyItem(it.Value)
}

func (s *session) has() {
	ks := s.keyspace()
	if ks == nil {
		return
	}
	if _, ok := ks.Get(s.req.Key, s.clock()); !ok {
		s.counts.misses++
		s.reply("false")
		return
	}
	s.counts.hits++
	s.reply("true")
}

func (s *session) ttl() {
	switch it, ok := s.item(); {
	case !ok:
	case it.Deadline == 0:
		s.reply("NONE")
	default:
		s.replyUint(secondsLeft(it.Deadline, s.now))
	}
}

// secondsLeft is rounded up: an item that can be read has at least one.
func secondsLeft(deadline, now int64) uint64 {
	left := uint64(max(deadline-now, 1))
	return (left-1)/1000 + 1
}

func (s *session) mget() {
	ks := s.keyspace()
	if ks == nil {
		return
	}
	s.pinned = pin(ks, 0)
	defer func() { s.pinned = pinned{} }()
	begin := func(bytes int) { s.pinned.bytes = int64(bytes) }
	ks.MGet(s.req.Words, s.clock(), begin, func(_ int, it cache.Item, ok bool) {
		if s.broken != nil {
			return
		}
		if !ok {
			s.counts.misses++
			s.reply("NOT_FOUND")
			return
		}
		s.counts.hits++
		s.replyValue(it.Value)
		s.pinned.sent(len(it.Value))
	})
	s.reply("END")
}

func (s *session) count() {
	if ks := s.keyspace(); ks != nil {
		s.replyInt(int64(ks.Count(s.clock())))
	}
}
