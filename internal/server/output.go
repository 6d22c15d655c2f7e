package server

import (
	"errors"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"ciderd/internal/protocol"
)

// The output buffer of a session.
const (
	outFlush = 64 << 10  // sent from here on, even if more lines are waiting
	outKeep  = 128 << 10 // larger ones are not kept in the pool
	// outPiece is from where on a value is not copied into the buffer, or is quoted in pieces: what a client
	// that does not read holds is then not many times its values.
	outPiece = 16 << 10
)

// output is a pooled buffer, of replies or of encoded commands; idle sessions have none.
type output struct{ b []byte }

var outputs = sync.Pool{New: func() any { return &output{b: make([]byte, 0, 2048)} }}

func (o *output) release() {
	if cap(o.b) <= outKeep {
		o.b = o.b[:0]
		outputs.Put(o)
	}
}

// buffer is where the next reply is appended; it must be stored again with emit.
func (s *session) buffer() []byte {
	if s.out == nil {
		s.out = outputs.Get().(*output)
	}
	return s.out.b
}

// emit takes the buffer with one more reply in it, and sends it if enough has gathered.
func (s *session) emit(b []byte) {
	s.out.b = b
	if len(b) >= outFlush {
		s.flush()
	}
}

// largeValue prints a value in pieces: as it is stored, if it is printed raw.
func (s *session) largeValue(v []byte) {
	p := protocol.NewPrinter(v)
	if raw := p.Raw(); raw != nil {
		s.flush()
		s.transmit(raw)
	} else {
		for more := true; more && s.broken == nil; {
			var b []byte
			b, more = p.Append(s.buffer(), outPiece)
			s.out.b = b
			if more {
				s.flush()
			}
		}
	}
	s.emit(append(s.buffer(), s.newline...))
}

// flush sends what has been answered. After it has failed, answers go nowhere: what the client had
// sent by then is still done, as after an EOF.
func (s *session) flush() {
	if s.out == nil || len(s.out.b) == 0 {
		return
	}
	s.transmit(s.out.b)
	s.out.b = s.out.b[:0]
}

// release gives the output buffer back; it must have been flushed.
func (s *session) release() {
	if s.out != nil {
		s.out.release()
		s.out = nil
	}
}

// transmit sends bytes to the client.
func (s *session) transmit(rest []byte) {
	s.now = 0 // it may take a while
	// For how long the client has taken nothing. Of a step that took longer than it may, only what it may counts: then
	// it was this process that stood still.
	var idle time.Duration
	for len(rest) > 0 && s.broken == nil {
		step := s.armWrite()
		begun := time.Now()
		n, err := s.send(rest)
		rest = rest[n:]
		late := errors.Is(err, os.ErrDeadlineExceeded)
		if idle += min(time.Since(begun), step); n > 0 {
			idle = 0
		}
		switch {
		case err == nil:
		case s.cut.Load():
			s.broken, s.over = err, true
		case late && !s.lastWrites && idle <= s.srv.config.Load().StallTimeout:
		default:
			s.broken = err
			s.over = s.over || late || errors.Is(err, net.ErrClosed)
		}
	}
	if s.waiting {
		s.waiting = false
		s.srv.backlog.goesOn(s)
	}
}

// stallSteps is in how many steps StallTimeout passes at least, and stallStep the longest. After each the
// session looks whether the client has taken anything, and how much it holds.
const (
	stallSteps = 4
	stallStep  = time.Second
)

// armWrite gives the next send between a half and the whole of a step, which spares setting the timer
// each time. To a session whose user it must not serve any more it gives one last moment. It returns the longest
// that the send may take.
func (s *session) armWrite() (step time.Duration) {
	step = min(s.srv.config.Load().StallTimeout/stallSteps, stallStep)
	now := time.Now()
	ended := s.ending.Load() == endUser
	switch {
	case ended && !s.lastWrites:
		s.lastWrites = true
		s.conn.SetWriteDeadline(now.Add(lingerTime))
	case ended || s.writeUntil.Sub(now) >= step/2:
	default:
		s.wake.Lock()
		defer s.wake.Unlock()
		if s.ending.Load() != endUser && !s.cut.Load() {
			s.writeUntil = now.Add(step)
			s.conn.SetWriteDeadline(s.writeUntil)
		}
	}
	return step
}

// send is a Write that notes when it has to wait for the client.
func (s *session) send(p []byte) (int, error) {
	if s.raw == nil {
		s.waits()
		return s.conn.Write(p)
	}
	w := &s.sending
	if w.try == nil {
		w.try = w.write
		w.blocked = s.waits
	}
	w.rest, w.err = p, nil
	err := s.raw.Write(w.try)
	n := len(p) - len(w.rest)
	w.rest = nil
	if w.err != nil {
		err = w.err
	}
	return n, err
}

// waits notes what the session holds while its client takes nothing.
func (s *session) waits() {
	s.waiting = true
	held := s.pinned.held()
	if s.out != nil {
		held += int64(cap(s.out.b))
	}
	s.srv.backlog.waits(s, max(1, held))
}

// cutOff ends the session of a client that does not read, from any goroutine: also from within its own send, for
// which a Close would wait.
func (s *session) cutOff() {
	s.srv.log.Debug("cutting off a client that does not read its replies", "client", s.origin)
	s.wake.Lock()
	defer s.wake.Unlock()
	s.cut.Store(true)
	s.conn.SetWriteDeadline(time.Unix(1, 0))
}

// sending is a Write, with what it has yet to send; try is made once, as a closure costs memory.
type sending struct {
	rest    []byte
	err     error
	blocked func()
	try     func(fd uintptr) bool
}

func (w *sending) write(fd uintptr) bool {
	for len(w.rest) > 0 {
		n, err := syscall.Write(int(fd), w.rest)
		switch {
		case n > 0:
			w.rest = w.rest[n:]
		case errors.Is(err, syscall.EINTR):
		case errors.Is(err, syscall.EAGAIN):
			w.blocked()
			return false
		default:
			w.err = &net.OpError{Op: "write", Err: err}
			return true
		}
	}
	return true
}
