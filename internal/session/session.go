package session

import (
	"time"

	"ciderd/internal/cache"
	"ciderd/internal/protocol"
)

// Session is one client. All of it belongs to the goroutine of its connection, except login, which is
// the registry's.
type Session struct {
	all     *Sessions
	client  Client
	answers answers
	reads   reads
	writes  writes
	login   login

	// Work is what it does between waits.
	Work Work
	// Commands counts them. Do and Reject do that.
	Commands Commands

	loginBy  time.Time // when a session that nobody is logged in to ends
	failures int32     // of LOGIN and SIGNUP
	stripe   uint8     // of registry.totals
	closed   bool
}

// answers is a session's way to its client.
type answers struct {
	protocol.Reply
	all  *Sessions
	over bool // nothing more is to be done but to close
	gone bool // nobody will see what is answered
}

// finish answers with an error, the last thing that is said.
func (a *answers) finish(code protocol.Code, message string) {
	a.Error(code, message)
	a.over = true
}

// Over reports whether the session has ended: what is answered is to be sent, and nothing more to be done.
func (s *Session) Over() bool { return s.answers.over }

// User returns the id of the user who is logged in; 0: nobody is.
func (s *Session) User() uint64 { return s.writes.user }

// LoginBy returns when a session that nobody is logged in to is to be ended.
func (s *Session) LoginBy() time.Time { return s.loginBy }

// Do serves a request. A write may be answered later, see Pending; all else is when Do returns.
func (s *Session) Do(req *protocol.Request) {
	s.Commands.Serve(uint16(req.Verb), func() { s.do(req) })
}

func (s *Session) do(req *protocol.Request) {
	c := &commands[req.Verb]
	switch {
	case s.User() == 0 && !c.anonymous:
		s.answers.Error(protocol.AuthRequired, authRequired)
	case !c.always && !s.all.node.Ready():
		s.Refuse(protocol.Loading, loading)
	case c.encode != nil:
		s.writes.add(c, req)
	case s.answers.gone && !c.acts:
		// Nobody will see the answer, and a few requests can ask for gigabytes.
	default:
		// Whatever is not a write comes after the writes before it.
		s.flush()
		switch {
		case s.Over():
		case c.run == nil: // HELP is its protocol's
			s.answers.Error(protocol.UnknownCommand, "this command is not for a session")
		default:
			c.run(s, req)
		}
	}
}

// Reject answers a request that could not be read, of which only the verb is known; VerbNone: not even that.
func (s *Session) Reject(verb protocol.Verb, err *protocol.Error) {
	s.Commands.Serve(uint16(verb), func() { reject(s, verb, err) })
}

func reject(s *Session, verb protocol.Verb, err *protocol.Error) {
	if s.User() == 0 && !verb.Command().BeforeLogin {
		s.answers.Error(protocol.AuthRequired, authRequired)
		return
	}
	login := verb == protocol.VerbLogin || verb == protocol.VerbSignup
	if login && s.User() != 0 { // which arguments would be right is not what is wrong
		s.Refuse(protocol.AlreadyLoggedIn, alreadyLoggedIn)
		return
	}
	s.Refuse(err.Code, err.Message)
	if login {
		s.countFailure()
	}
}

// Refuse answers with an error, after the answers to what came before.
func (s *Session) Refuse(code protocol.Code, message string) {
	s.flush()
	if !s.Over() {
		s.answers.Error(code, message)
	}
}

// Pending reports whether there are writes that have not been answered.
func (s *Session) Pending() bool { return !s.writes.empty() }

// Wait returns when everything is answered. What was answered before is sent meanwhile.
func (s *Session) Wait() {
	if s.Pending() {
		s.writes.propose()
		s.answers.Flush()
		s.flush()
	}
}

// flush returns when every write so far is answered.
func (s *Session) flush() {
	if s.Pending() {
		s.writes.flush()
		s.reads.timePasses()
	}
}

// Warm prepares for reads of keys that are about to come, the first WarmAtOnce of them, and reports whether it did.
func (s *Session) Warm(keys [][]byte) bool { return s.reads.warm(keys) }

// WarmAtOnce is how many keys Warm takes.
const WarmAtOnce = cache.WarmAtOnce

// Held returns how many bytes the reply that is being sent keeps in memory, beside the connection's buffers.
func (s *Session) Held() int64 { return s.reads.pinned.held() + s.writes.details }

// Sent notes that the connection has sent something, which may have taken a while; gone, that the client will not see
// what is answered; and cut, that it was disconnected for not reading, so nothing more is done for it.
func (s *Session) Sent(gone, cut bool) {
	s.reads.timePasses()
	s.answers.gone = gone
	s.answers.over = s.answers.over || cut
}

// Rest lets go of all that an idle session does not need. Nothing may be Pending.
func (s *Session) Rest() {
	s.writes.release()
	s.reads.timePasses()
	s.publish()
	s.Commands.meter.Wake()
}

// publish adds what the session has counted to its user's counts, and to those of the node.
func (s *Session) publish() {
	s.Commands.meter.Publish()
	if u := s.login.user; u != nil {
		total := &s.all.users.totals[s.stripe]
		u.counts.hits.publish(&s.reads.hits, &total.hits)
		u.counts.misses.publish(&s.reads.misses, &total.misses)
		u.counts.writes.publish(&s.writes.added, &total.writes)
	}
}

// leave ends what the session is to its user.
func (s *Session) leave() {
	s.publish()
	s.all.users.leave(s)
	s.reads.reader, s.writes.reader, s.writes.user = nil, nil, 0
}

// Close ends the session; it may be called again. Nothing else may be called after it.
func (s *Session) Close() {
	if s.closed {
		return
	}
	s.closed = true
	s.Work.Pause()
	s.leave()
	s.all.open.Add(-1)
}
