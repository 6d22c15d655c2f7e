package server

import (
	"time"

	"ciderd/internal/fsm"
	"ciderd/internal/protocol"
)

// command is how a verb is served: run answers it, or encode fills in the write that it is.
type command struct {
	run    func(*session)
	encode func(*session)
	op     fsm.Op

	anonymous bool // served before login
	always    bool // served while this node is loading: it touches no state, or asks first
	acts      bool // does more than answer, so it is run also when the client is gone
}

// commands is every verb that a line can parse to. SIGNUP, LOGIN and PASSWD look at the node's readiness themselves, after
// they have asked their questions: a script's answers must not be taken for commands.
var commands [protocol.VerbUnregister + 1]command

func init() {
	set := func(v protocol.Verb, c command) {
		c.anonymous = v.BeforeLogin()
		commands[v] = c
	}
	set(protocol.VerbSignup, command{run: (*session).signup, always: true, acts: true})
	set(protocol.VerbLogin, command{run: (*session).logIn, always: true, acts: true})
	set(protocol.VerbPing, command{run: (*session).ping, always: true})
	set(protocol.VerbHelp, command{run: (*session).help, always: true})
	set(protocol.VerbQuit, command{run: (*session).quit, always: true, acts: true})
	set(protocol.VerbVersion, command{run: (*session).version, always: true})
	set(protocol.VerbLogout, command{run: (*session).logOut, always: true, acts: true})
	set(protocol.VerbWhoami, command{run: (*session).whoami, always: true})
	set(protocol.VerbStatus, command{run: (*session).status, always: true})
	set(protocol.VerbPasswd, command{run: (*session).passwd, always: true, acts: true})
	set(protocol.VerbUnregister, command{run: (*session).unregister, acts: true})
	set(protocol.VerbStats, command{run: (*session).stats})
	set(protocol.VerbGet, command{run: (*session).get})
	set(protocol.VerbGetV, command{run: (*session).getV})
	set(protocol.VerbHas, command{run: (*session).has})
	set(protocol.VerbMGet, command{run: (*session).mget})
	set(protocol.VerbKeys, command{run: (*session).keys})
	set(protocol.VerbCount, command{run: (*session).count})
	set(protocol.VerbTTL, command{run: (*session).ttl})
	set(protocol.VerbSync, command{run: (*session).sync})
	set(protocol.VerbSet, command{op: fsm.OpSet, encode: encodeSet})
	set(protocol.VerbCAS, command{op: fsm.OpCAS, encode: encodeCAS})
	set(protocol.VerbDelete, command{op: fsm.OpDelete, encode: encodeWords})
	set(protocol.VerbIncr, command{op: fsm.OpIncr, encode: encodeIncr})
	set(protocol.VerbAppend, command{op: fsm.OpAppend, encode: encodeAppend})
	set(protocol.VerbExpire, command{op: fsm.OpExpire, encode: encodeExpire})
	set(protocol.VerbPersist, command{op: fsm.OpPersist, encode: encodeKey})
	set(protocol.VerbMSet, command{op: fsm.OpMSet, encode: encodeWords})
	set(protocol.VerbFlush, command{op: fsm.OpFlush, encode: encodeNothing})
}

func encodeNothing(*session) {}

func encodeKey(s *session) { s.cmd.Key = s.req.Key }

func encodeWords(s *session) { s.cmd.Words = s.req.Words }

func encodeValue(s *session) { s.cmd.Key, s.cmd.Value = s.req.Key, s.req.Value }

func encodeSet(s *session) {
	encodeValue(s)
	encodeExpire(s)
	if s.req.NX {
		s.cmd.Flags |= fsm.FlagNX
	}
	if s.req.XX {
		s.cmd.Flags |= fsm.FlagXX
	}
}

func encodeCAS(s *session) {
	encodeValue(s)
	s.cmd.Version = s.req.Version
}

func encodeAppend(s *session) {
	encodeValue(s)
	s.cmd.Limit = int64(s.srv.config.Load().MaxValue)
}

func encodeIncr(s *session) {
	encodeKey(s)
	s.cmd.N = s.req.N
}

func encodeExpire(s *session) {
	encodeKey(s)
	s.cmd.TTL = int64(s.req.TTL / time.Millisecond)
}
