package server

import (
	"errors"
	"net"
	"os"
	"strconv"
	"sync"
	"time"

	"ciderd/internal/protocol"
)

// The output buffer of a session.
const (
	outFlush = 64 << 10  // sent from here on, even if more lines are waiting
	outKeep  = 128 << 10 // larger ones are not kept in the pool
)

// output is a pooled buffer, of replies or of encoded commands; idle sessions have none.
type output struct{ b []byte }

var outputs = sync.Pool{New: func() any { return &output{b: make([]byte, 0, 2048)} }}

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

// add appends to a reply that goes on.
func (s *session) add(text string) {
	b := s.buffer()
	s.out.b = append(b, text...)
}

func (s *session) reply(text string) {
	s.emit(append(append(s.buffer(), text...), s.newline...))
}

func (s *session) replyInt(n int64) {
	s.emit(append(strconv.AppendInt(s.buffer(), n, 10), s.newline...))
}

func (s *session) replyUint(n uint64) {
	s.emit(append(strconv.AppendUint(s.buffer(), n, 10), s.newline...))
}

func (s *session) addUint(n uint64) {
	b := s.buffer()
	s.out.b = strconv.AppendUint(b, n, 10)
}

func (s *session) replyKey(key []byte) {
	s.emit(append(protocol.AppendValue(s.buffer(), key), s.newline...))
}

func (s *session) replyValue(v []byte) {
	s.emit(append(protocol.AppendValue(s.buffer(), v), s.newline...))
}

// fact is a line of STATS or STATUS.
func (s *session) fact(name, value string) {
	b := append(append(s.buffer(), name...), ' ')
	s.emit(append(append(b, value...), s.newline...))
}

func (s *session) factUint(name string, n uint64) { s.fact(name, strconv.FormatUint(n, 10)) }

// fail answers with an error.
func (s *session) fail(code protocol.Code, message string) {
	b := protocol.AppendError(s.buffer(), &protocol.Error{Code: code, Message: message})
	s.emit(append(b, s.newline...))
}

// flush sends what has been answered. After it has failed, answers go nowhere: what the client had
// sent by then is still done, as after an EOF.
func (s *session) flush() {
	if s.out == nil || len(s.out.b) == 0 {
		return
	}
	s.now = 0 // it may take a while
	rest, idle := s.out.b, 0
	for len(rest) > 0 && s.broken == nil {
		s.armWrite()
		n, err := s.conn.Write(rest)
		rest = rest[n:]
		late := errors.Is(err, os.ErrDeadlineExceeded)
		switch {
		case err == nil || late && n > 0:
			idle = 0
		case late && idle < stallSteps:
			idle++
		default:
			s.broken = err
			s.over = s.over || late || errors.Is(err, net.ErrClosed)
		}
	}
	s.out.b = s.out.b[:0]
}

// stallSteps is in how many steps StallTimeout passes. A Write that is late in a step may still have
// sent something, and only steps without anything count.
const stallSteps = 4

// armWrite gives the next Write between a half and the whole of a step, which spares setting the timer
// each time. To a session whose user it must not serve any more it gives one last moment.
func (s *session) armWrite() {
	step := s.srv.config.Load().StallTimeout / stallSteps
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
		if s.ending.Load() != endUser {
			s.writeUntil = now.Add(step)
			s.conn.SetWriteDeadline(s.writeUntil)
		}
	}
}

// release gives the output buffer back; it must have been flushed.
func (s *session) release() {
	if s.out != nil {
		s.out.release()
		s.out = nil
	}
}

func (o *output) release() {
	if cap(o.b) <= outKeep {
		o.b = o.b[:0]
		outputs.Put(o)
	}
}
