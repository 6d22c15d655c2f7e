package session

import (
	"context"
	"errors"

	"ciderd/internal/cache"
	"ciderd/internal/protocol"
)

// What one KEYS answers at most, whatever its LIMIT: the client sees MORE and goes on behind it. Its
// keys are copied, as the items they stand in would else be kept alive, with their values, by a
// client that does not read; and what is copied beyond scanFree is taken from the client's share of memory.
const (
	scanBytes = 16 << 20
	scanFree  = 64 << 10
)

// keys answers a page of the user's keys. It looks at every key, or, for a page that goes on behind another, at a list
// made once for the walk. It does that on a frozen view, so writes go on, and only in a place of its own among all
// scans, so that they cannot take the machine.
func keys(s *Session, req *protocol.Request) {
	s.answers.Flush() // what is answered already does not wait for the scan
	if s.answers.gone {
		return
	}
	sc := scan{all: s.all, client: s.client, user: s.login.user, reads: &s.reads}
	if req.Glob != nil {
		glob := protocol.CompileGlob(req.Glob)
		sc.match = &glob
	}
	found, err := sc.run(func(ks *cache.Keyspace) found { return sc.find(ks, req) })
	switch {
	case err != nil:
		s.failScan(err)
		return
	case s.Over():
		return
	}
	defer s.client.Give(found.charged)
	s.reads.pinned = pinned{bytes: found.size()}
	defer s.reads.unpin()
	s.answers.found(&found, &s.reads.pinned)
}

// found answers with keys.
func (a *answers) found(f *found, p *pinned) {
	a.Begin(len(f.lengths))
	last := []byte(nil)
	for at, rest := 0, f.text; at < len(f.lengths) && !a.gone; at++ {
		n := int(f.lengths[at])
		last = rest[:n]
		a.Key(last)
		p.sent(n)
		rest = rest[n:]
	}
	if f.more {
		a.More(last)
	} else {
		a.End()
	}
}

// failScan answers a KEYS or SCAN that has found nothing, for a reason that scan.find has.
func (s *Session) failScan(err error) {
	switch {
	case errors.Is(err, ErrHungUp):
		s.answers.gone = true // what else has come is done, as ever
	case errors.Is(err, errHardGlob):
		s.answers.Error(protocol.Busy, "that pattern is too expensive for so many keys; use fewer ? and [ ] after a *")
	case errors.Is(err, context.DeadlineExceeded):
		s.answers.Error(protocol.Busy, "too many KEYS or SCANs are running on this node; nothing was done")
	case s.client.Ended():
		s.answers.finish(protocol.SessionEnded, Ended)
	default:
		s.answers.finish(protocol.ShuttingDown, ShuttingDown)
	}
}

// found is the keys that a scan found, in order, and that there are more.
type found struct {
	text    []byte // the keys, joined
	lengths []uint16
	more    bool
	charged int64 // bytes of the client's share of memory
}

// last returns the last of the keys; there is one.
func (f *found) last() []byte { return f.text[len(f.text)-int(f.lengths[len(f.lengths)-1]):] }

// size returns how many bytes of memory the keys take.
func (f *found) size() int64 { return int64(len(f.text) + lengthBytes*len(f.lengths)) }

// copied copies as many of the keys as may be held, at least one.
func copied(client Client, most int, keys [][]byte, more bool) (f found) {
	size, n := 0, 0
	for n < len(keys) && (n == 0 || size+len(keys[n]) <= most) {
		size += len(keys[n])
		n++
	}
	if extra := int64(size + lengthBytes*n - scanFree); extra > 0 {
		if client.Take(extra) {
			f.charged = extra
		} else {
			client.Give(extra)
			for ; n > 1 && size > scanFree; n-- {
				size -= len(keys[n-1])
			}
		}
	}
	f.text, f.lengths, f.more = make([]byte, 0, size), make([]uint16, 0, n), more || n < len(keys)
	for _, key := range keys[:n] {
		f.text = append(f.text, key...)
		f.lengths = append(f.lengths, uint16(len(key)))
	}
	return f
}
