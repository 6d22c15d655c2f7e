package server

import (
	"context"
	"errors"

	"ciderd/internal/protocol"
)

// What one KEYS answers at most, whatever its LIMIT: the client sees MORE and goes on behind it. Its
// keys are copied, as the items they stand in would else be kept alive, with their values, by a
// client that does not read; and the copies of all sessions come out of Server.memory, beyond
// scanFree each.
const (
	scanBytes = 16 << 20
	scanFree  = 64 << 10
)

// keys looks at every key that the user has. It does that on a frozen view, so writes go on, and only
// in a place of its own among all scans, so that they cannot take the machine.
func (s *session) keys() {
	s.flush() // what is answered already does not wait for the scan
	if s.over || s.broken != nil {
		return
	}
	found, err := s.scan()
	if err != nil {
		s.failScan(err)
		return
	}
	o := s.owner()
	defer s.srv.memory.give(o, found.charged)
	s.pinned = pinned{bytes: int64(len(found.text))}
	defer func() { s.pinned = pinned{} }()
	if s.over { // the account is gone
		return
	}
	for at, rest := 0, found.text; at < len(found.ends) && s.broken == nil; at++ {
		n := found.ends[at]
		s.replyKey(rest[:n])
		s.pinned.sent(n)
		rest = rest[n:]
	}
	if !found.more {
		s.reply("END")
		return
	}
	s.add("MORE ")
	s.replyKey(found.text[len(found.text)-found.ends[len(found.ends)-1]:])
}

// failScan answers a KEYS that has found nothing, for a reason that scan has.
func (s *session) failScan(err error) {
	switch {
	case errors.Is(err, errHungUp):
		s.broken = err // nobody will see the answer; what else has come is done, as ever
	case errors.Is(err, errHardGlob):
		s.fail(protocol.Busy, "that pattern is too much work on so many keys; use fewer ? and [ ] behind a *")
	case errors.Is(err, context.DeadlineExceeded):
		s.fail(protocol.Busy, "too many KEYS are running on this node; nothing was done")
	case s.ending.Load() == endUser:
		s.ended(endUser)
	default:
		s.ended(endShutdown)
	}
}

// found is the keys that a scan found, in order, and that there are more.
type found struct {
	text    []byte // the keys, joined
	ends    []int  // the length of each
	more    bool
	charged int64 // bytes of Server.memory
}

// copied copies as many of the keys as may be held, at least one.
func (s *session) copied(keys [][]byte, more bool) (f found) {
	size, n := 0, 0
	for n < len(keys) && (n == 0 || size+len(keys[n]) <= s.srv.scanBytes) {
		size += len(keys[n])
		n++
	}
	if extra := int64(size - scanFree); extra > 0 {
		if o := s.owner(); s.srv.memory.take(o, extra) {
			f.charged = extra
		} else {
			s.srv.memory.give(o, extra)
			for ; n > 1 && size > scanFree; n-- {
				size -= len(keys[n-1])
			}
		}
	}
	f.text, f.ends, f.more = make([]byte, 0, size), make([]int, 0, n), more || n < len(keys)
	for _, key := range keys[:n] {
		f.text = append(f.text, key...)
		f.ends = append(f.ends, len(key))
	}
	return f
}
