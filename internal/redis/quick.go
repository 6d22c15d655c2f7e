package redis

import (
	"ciderd/internal/protocol"
	"ciderd/internal/protocol/resp"
)

// A GET is most of what caches are asked, and costs less than finding out which command it is and what holds for it. So
// one in a session that nothing special is true of takes a way of its own, which does the same.

var (
	getCommand, _ = resp.Lookup([][]byte{[]byte("get"), nil})
	getNumber     = uint16(getCommand.Number)
)

// quick reports whether a request is a GET to which nothing applies but what quickGet does.
func quick(s *Session, args [][]byte) bool {
	return len(args) == 2 && IsGet(args[0]) && len(args[1]) > 0 && len(args[1]) <= protocol.MaxKey &&
		s.User() != 0 && s.queue == nil && s.replies == (replies{}) && s.subscriptions.forbids(getCommand, s.w.Protocol()) == nil
}

// IsGet reports whether a command's name is GET, in any letter case.
func IsGet(name []byte) bool {
	return len(name) == 3 && name[0]|0x20 == 'g' && name[1]|0x20 == 'e' && name[2]|0x20 == 't'
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
