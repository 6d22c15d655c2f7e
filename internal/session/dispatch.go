package session

import (
	"time"

	"ciderd/internal/fsm"
	"ciderd/internal/protocol"
)

// command is how a verb is served: run answers it, or encode fills in the write that it is.
type command struct {
	run    func(*Session, *protocol.Request)
	encode func(*fsm.Command, *protocol.Request)
	op     fsm.Op

	anonymous bool // served before login
	always    bool // served while this node is loading: it touches no state, or asks first
	acts      bool // does more than answer, so it is run also when nobody will see that
}

// commands is every verb that a request can have, but HELP: that is about a syntax.
var commands [256]command

func init() {
	set := func(v protocol.Verb, c command) {
		c.anonymous = v.Command().BeforeLogin
		commands[v] = c
	}
	set(protocol.VerbSignup, command{run: signUp, always: true, acts: true})
	set(protocol.VerbLogin, command{run: logIn, always: true, acts: true})
	set(protocol.VerbPasswd, command{run: changePassword, always: true, acts: true})
	set(protocol.VerbUnregister, command{run: unregister, acts: true})
	set(protocol.VerbLogout, command{run: logOut, always: true, acts: true})
	set(protocol.VerbQuit, command{run: quit, always: true, acts: true})
	set(protocol.VerbPing, command{run: ping, always: true})
	set(protocol.VerbVersion, command{run: version, always: true})
	set(protocol.VerbWhoami, command{run: whoami, always: true})
	set(protocol.VerbStatus, command{run: status, always: true})
	set(protocol.VerbStats, command{run: stats})
	set(protocol.VerbSync, command{run: syncNow})
	set(protocol.VerbGet, command{run: get})
	set(protocol.VerbGetV, command{run: getV})
	set(protocol.VerbHas, command{run: has})
	set(protocol.VerbTTL, command{run: ttl})
	set(protocol.VerbMGet, command{run: mget})
	set(protocol.VerbCount, command{run: countKeys})
	set(protocol.VerbKeys, command{run: keys})
	set(protocol.VerbSet, command{op: fsm.OpSet, encode: encodeSet})
	set(protocol.VerbCAS, command{op: fsm.OpCAS, encode: encodeCAS})
	set(protocol.VerbDelete, command{op: fsm.OpDelete, encode: encodeWords})
	set(protocol.VerbIncr, command{op: fsm.OpIncr, encode: encodeIncr})
	set(protocol.VerbAppend, command{op: fsm.OpAppend, encode: encodeValue})
	set(protocol.VerbExpire, command{op: fsm.OpExpire, encode: encodeExpire})
	set(protocol.VerbPersist, command{op: fsm.OpPersist, encode: encodeKey})
	set(protocol.VerbMSet, command{op: fsm.OpMSet, encode: encodeWords})
	set(protocol.VerbFlush, command{op: fsm.OpFlush, encode: encodeNothing})
}

func get(s *Session, req *protocol.Request)       { s.reads.get(req.Key) }
func getV(s *Session, req *protocol.Request)      { s.reads.getV(req.Key) }
func has(s *Session, req *protocol.Request)       { s.reads.has(req.Key) }
func ttl(s *Session, req *protocol.Request)       { s.reads.ttl(req.Key) }
func mget(s *Session, req *protocol.Request)      { s.reads.mget(req.Words) }
func countKeys(s *Session, req *protocol.Request) { s.reads.countKeys() }

func encodeNothing(*fsm.Command, *protocol.Request) {}

func encodeKey(c *fsm.Command, req *protocol.Request) { c.Key = req.Key }

func encodeWords(c *fsm.Command, req *protocol.Request) { c.Words = req.Words }

func encodeValue(c *fsm.Command, req *protocol.Request) { c.Key, c.Value = req.Key, req.Value }

func encodeSet(c *fsm.Command, req *protocol.Request) {
	encodeValue(c, req)
	encodeExpire(c, req)
	if req.NX {
		c.Flags |= fsm.FlagNX
	}
	if req.XX {
		c.Flags |= fsm.FlagXX
	}
}

func encodeCAS(c *fsm.Command, req *protocol.Request) {
	encodeValue(c, req)
	c.Version = req.Version
}

func encodeIncr(c *fsm.Command, req *protocol.Request) {
	encodeKey(c, req)
	c.N = req.N
}

func encodeExpire(c *fsm.Command, req *protocol.Request) {
	encodeKey(c, req)
	c.TTL = int64(req.TTL / time.Millisecond)
}
