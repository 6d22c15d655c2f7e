package server

import (
	"strconv"

	"ciderd/internal/protocol"
)

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
	s.emit(append(protocol.AppendKey(s.buffer(), key), s.newline...))
}

func (s *session) replyValue(v []byte) {
	if len(v) > outPiece {
		s.largeValue(v)
		return
	}
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
