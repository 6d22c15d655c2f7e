package redis

import (
	"ciderd/internal/fsm"
	"ciderd/internal/protocol"
	"ciderd/internal/protocol/resp"
)

// GET and SET are most of what caches are asked, and cost less than finding out which command they are and what holds for
// it. So those without options, in a session that nothing special is true of, take a way of their own, which does the same.

var (
	getCommand, _ = resp.Lookup([][]byte{[]byte("get"), nil})
	getNumber     = uint16(getCommand.Number)
	setCommand, _ = resp.Lookup([][]byte{[]byte("set"), nil, nil})
	setNumber     = uint16(setCommand.Number)
)

// quick does a request if it is a GET or SET to which nothing applies but what is done here, and reports whether it was.
func quick(s *Session, args [][]byte) bool {
	if len(args) < 2 || len(args[1]) == 0 || len(args[1]) > protocol.MaxKey || !plain(s) {
		return false
	}
	switch {
	case len(args) == 2 && IsGet(args[0]):
		s.Commands.Serve(getNumber, func() { quickGet(s, args[1]) })
	case len(args) == 3 && isSet(args[0]) && len(args[2]) <= s.all.sessions.MaxValue():
		s.Commands.Serve(setNumber, func() { quickSet(s, args[1], args[2]) })
	default:
		return false
	}
	return true
}

// plain reports whether a user is logged in, and commands are neither queued nor unanswered nor forbidden.
func plain(s *Session) bool {
	return s.User() != 0 && s.queue == nil && s.replies == (replies{}) && s.subscriptions.forbids(getCommand, s.w.Protocol()) == nil
}

// IsGet reports whether a command's name is GET, in any letter case.
func IsGet(name []byte) bool { return isEt(name, 'g') }

func isSet(name []byte) bool { return isEt(name, 's') }

func isEt(name []byte, first byte) bool {
	return len(name) == 3 && name[0]|0x20 == first && name[1]|0x20 == 'e' && name[2]|0x20 == 't'
}

// quickGet is get for a session that is ready for it.
func quickGet(s *Session, key []byte) {
	if !s.direct.Ready() || !s.direct.Settle(false) {
		return
	}
	it, there, alive := s.direct.Get(key)
	if !alive {
		return
	}
	s.direct.Pin(len(it.Value), false)
	get(s, getCommand, nil, it, there)
	s.direct.Pin(0, false)
}

// quickSet is set for a SET without options.
func quickSet(s *Session, key, value []byte) {
	if s.direct.Ready() {
		s.direct.Write(&fsm.Command{Op: fsm.OpSet, Key: key, Value: value}, done)
	}
}
