package redis

import (
	"ciderd/internal/protocol"
	"ciderd/internal/protocol/resp"
)

// defaultUser is the one whom AUTH with a password alone means.
var defaultUser = []byte("default")

// What HELLO says that this is: clients decide by the version what they may send.
const (
	emulated        = "redis"
	emulatedVersion = "7.2.0"
)

func authenticate(s *Session, _ *resp.Command, args [][]byte) {
	switch len(args) {
	case 2:
		s.logIn(defaultUser, args[1])
	case 3:
		s.logIn(args[1], args[2])
	default:
		s.w.Error(string(resp.ErrSyntax))
		return
	}
}

// logIn answers whether that was right.
func (s *Session) logIn(name, password []byte) {
	if s.becomes(name, password) {
		s.w.OK()
	}
}

// becomes makes the session another user's, or answers why it is not.
func (s *Session) becomes(name, password []byte) bool {
	charged := s.uncharge() // it is charged to the user
	ok := s.direct.LogIn(name, password)
	if charged > 0 {
		s.charged = charged
		s.client.Take(charged) // what it has it may keep
	}
	s.card.user.Store(s.User())
	if ok {
		s.unwatch() // those were another's keys
	}
	return ok
}

func signUp(s *Session, _ *resp.Command, args [][]byte) {
	s.reply.codes = true
	s.Session.Do(&protocol.Request{Verb: protocol.VerbSignup, User: args[1], Password: args[2]})
	s.reply.codes = false
	s.card.user.Store(s.User())
}

// greeting is a request of HELLO.
type greeting struct {
	version        int // 0: as it is
	user, password []byte
	name           []byte // nil: as it is
}

func parseHello(args [][]byte) (g greeting, err error) {
	if len(args) > 1 {
		n, ok := resp.ParseInt(args[1])
		switch {
		case !ok:
			return g, resp.ErrProto
		case n != 2 && n != 3:
			return g, resp.ErrNoProto
		}
		g.version = int(n)
	}
	for i := 2; i < len(args); i++ {
		switch left := len(args) - 1 - i; {
		case is(args[i], "auth") && left >= 2:
			g.user, g.password = args[i+1], args[i+2]
			i += 2
		case is(args[i], "setname") && left >= 1:
			if g.name = args[i+1]; !isName(g.name) {
				return g, errClientName
			}
			i++
		default:
			return g, resp.Error("ERR Syntax error in HELLO option '" + cText(args[i]) + "'")
		}
	}
	return g, nil
}

func hello(s *Session, _ *resp.Command, args [][]byte) {
	g, err := parseHello(args)
	switch {
	case err != nil:
		s.w.Error(err.Error())
		return
	case g.user != nil && !s.becomes(g.user, g.password):
		return
	case s.User() == 0:
		s.w.Error(string(resp.ErrHelloNoAuth))
		return
	}
	if g.name != nil {
		s.card.rename(string(g.name))
	}
	if g.version != 0 {
		s.w.SetProtocol(g.version)
		s.card.protocol.Store(int32(g.version))
	}
	s.w.Map(7)
	s.w.BulkString("server")
	s.w.BulkString(emulated)
	s.w.BulkString("version")
	s.w.BulkString(emulatedVersion)
	s.w.BulkString("proto")
	s.w.Int(int64(s.w.Protocol()))
	s.w.BulkString("id")
	s.w.Int(int64(s.card.id))
	s.w.BulkString("mode")
	s.w.BulkString("standalone")
	s.w.BulkString("role")
	s.w.BulkString("master")
	s.w.BulkString("modules")
	s.w.Array(0)
}
