package redis

import (
	"ciderd/internal/fsm"
	"ciderd/internal/protocol"
	"ciderd/internal/protocol/resp"
	"ciderd/internal/session"
)

// Session is one client. All of it belongs to the goroutine of its connection, but for its card.
type Session struct {
	*session.Session // its login, and what of it the connection needs

	all    *Sessions
	client session.Client
	direct session.Direct
	w      resp.Writer
	reply  reply
	card   *card

	keys    [][]byte // of the command that is done, in memory that is used again
	command fsm.Command
	replies replies

	subscriptions subscriptions

	queue   *queue // of MULTI; nil: there is none
	execs   execs
	watched map[string]uint64 // keys, and their versions; 0: not there
	held    int64             // bytes of queue and watched, and what of them is charged to the client
	charged int64

	placed bool // it is a try's, and has its turn
}

// replies is what CLIENT REPLY has said.
type replies struct {
	off  bool // until it is turned on
	skip bool // of the next command
}

// Serve does one request. What it holds is not kept.
func (s *Session) Serve(args [][]byte) {
	if quick(s, args) {
		return
	}
	c, err := resp.Lookup(args)
	skip := s.replies.skip && !s.replies.off
	s.replies.skip = false
	if skip {
		s.settle()
		s.w.Drop(true)
	}
	s.Commands.Serve(numberOf(c), func() { s.serve(c, err, args) })
	if skip {
		s.settle()
		s.w.Drop(s.replies.off)
	}
}

func (s *Session) serve(c *resp.Command, err error, args [][]byte) {
	switch {
	case s.User() == 0 && (c == nil || !c.Has(resp.NoAuth)):
		s.refuse(resp.ErrNoAuth)
	case err != nil && c != nil && c.Name == "exec":
		s.abort(err)
	case err != nil:
		s.refuse(err)
	case c.Has(resp.Refused):
		s.refuse(errRefused(c))
	case !handlers[c.Number].there():
		s.refuse(resp.UnknownCommand(args))
	default:
		if err := s.check(c, args); err != nil {
			s.refuse(err)
			return
		}
		if s.queue != nil && !c.Has(resp.AtOnce) {
			s.enqueue(c, args)
			return
		}
		s.Do(c, args)
	}
}

// check looks at what holds for all commands, and finds the keys.
func (s *Session) check(c *resp.Command, args [][]byte) error {
	if err := s.subscriptions.forbids(c, s.w.Protocol()); err != nil {
		return err
	}
	if s.queue != nil && c.Has(resp.NoMulti) && !c.Has(resp.AtOnce) || s.queue != nil && c.Name == "client|reply" {
		return errNotInMulti
	}
	s.keys = c.AppendKeys(s.keys[:0], args)
	for _, key := range s.keys {
		if len(key) == 0 || len(key) > protocol.MaxKey {
			return errKey
		}
	}
	if c.Has(resp.Write) {
		most := s.all.sessions.MaxValue()
		for _, arg := range args {
			if len(arg) > most { // of an inline request: the reader bounds all others
				return errValueTooLarge
			}
		}
	}
	return nil
}

// Do does a command that resp.Lookup has found for args, whose keys are in s.keys.
func (s *Session) Do(c *resp.Command, args [][]byte) {
	h := &handlers[c.Number]
	if !c.Has(resp.Loading) && !s.direct.Ready() {
		return
	}
	switch {
	case h.run != nil:
		if h.flows || s.direct.Settle(true) {
			h.run(s, c, args)
		}
	case h.write != nil:
		s.write(h, c, args)
	case s.direct.Settle(false):
		s.read(h, c, args)
	}
}

// write adds a write to the group.
func (s *Session) write(h *handler, c *resp.Command, args [][]byte) {
	if h.before != nil && h.before(s, c, args) {
		return
	}
	s.command = fsm.Command{Words: s.command.Words[:0]}
	answer, err := h.write(s, c, args, &s.command)
	if err != nil {
		s.fail(err)
		return
	}
	s.direct.Write(&s.command, answer)
	s.command.Words = s.command.Words[:0]
}

// settle answers all writes so far.
func (s *Session) settle() bool { return s.direct.Settle(true) }

// fail answers with an error, after what came before.
func (s *Session) fail(err error) {
	if s.settle() {
		s.w.Error(err.Error())
	}
}

// refuse answers what has not even become a command. A transaction that it should have been in is refused too.
func (s *Session) refuse(err error) {
	if s.queue != nil {
		s.queue.dirty = true
	}
	s.fail(err)
}

// TooLarge answers a request that was longer than any may be.
func (s *Session) TooLarge() {
	if s.User() == 0 {
		s.refuse(resp.ErrNoAuth)
		return
	}
	s.refuse(resp.ErrTooLarge)
}

// Busy answers a request that was dropped for lack of memory.
func (s *Session) Busy() { s.refuse(errBusy) }

// Broken answers with what is wrong with the stream.
func (s *Session) Broken(err error) { s.fail(err) }

// Idle lets go of what an idle session does not need, beside what Rest does. Nothing may be Pending.
func (s *Session) Idle() {
	clear(s.keys[:cap(s.keys)])
	if cap(s.keys) > keysKept {
		s.keys = nil
	}
	s.command = fsm.Command{}
	s.card.rest()
}

// keysKept is for how many keys memory is kept while a session is idle.
const keysKept = 16

// Close ends the session; it may be called again.
func (s *Session) Close() {
	s.discard()
	s.unwatch()
	s.uncharge()
	s.all.remove(s.card)
	s.Session.Close()
}

// hold notes that so many bytes more are held between requests, and reports whether the client may have them.
func (s *Session) hold(bytes int64) bool {
	s.held += bytes
	if more := s.held - heldFree - s.charged; more > 0 {
		more = max(more, heldFree)
		s.charged += more
		return s.client.Take(more)
	}
	return true
}

// heldFree is how many bytes a client may hold without having them charged.
const heldFree = 64 << 10

// letGo notes that so many bytes are held no longer.
func (s *Session) letGo(bytes int64) {
	if s.held -= bytes; s.held <= heldFree {
		s.uncharge()
	}
}

// uncharge gives back what is charged to the client, and returns how much that was.
func (s *Session) uncharge() (bytes int64) {
	if bytes = s.charged; bytes > 0 {
		s.client.Give(bytes)
		s.charged = 0
	}
	return bytes
}
