package redis

import (
	"bytes"
	"strconv"

	"ciderd/internal/protocol"
	"ciderd/internal/protocol/resp"
)

func connectionHandlers() map[string]handler {
	all := map[string]handler{
		"hello":      {run: hello},
		"auth":       {run: authenticate},
		"signup":     {run: signUp},
		"ping":       {run: ping},
		"echo":       {run: echo},
		"quit":       {run: quit},
		"reset":      {run: reset},
		"select":     {run: selectDB},
		"readonly":   {run: agree},
		"readwrite":  {run: agree},
		"acl|whoami": {run: whoAmI},
		"time":       {run: tellTime},
	}
	for _, name := range []string{"command", "command|count", "command|docs", "command|info", "command|getkeys", "command|list"} {
		all[name] = handler{run: tellCommands}
	}
	return all
}

func agree(s *Session, _ *resp.Command, _ [][]byte) { s.w.OK() }

func ping(s *Session, c *resp.Command, args [][]byte) {
	if s.subscriptions.count() > 0 && s.w.Protocol() == 2 && len(args) <= 2 {
		s.w.Array(2)
		s.w.BulkString("pong")
		s.w.Bulk(bytes.Join(args[1:], nil))
		return
	}
	switch len(args) {
	case 1:
		s.w.Simple("PONG")
	case 2:
		s.w.Bulk(args[1])
	default:
		s.w.Error(errArity(c).Error())
	}
}

func echo(s *Session, _ *resp.Command, args [][]byte) { s.w.Bulk(args[1]) }

func quit(s *Session, _ *resp.Command, _ [][]byte) {
	s.Session.Do(&protocol.Request{Verb: protocol.VerbQuit})
}

// reset makes the connection as it was when it began: nobody is logged in.
func reset(s *Session, _ *resp.Command, _ [][]byte) {
	s.discard()
	s.unwatch()
	s.subscriptions = subscriptions{}
	s.replies = replies{}
	s.w.Drop(false)
	s.w.SetProtocol(2)
	s.card.rename("")
	s.card.protocol.Store(2)
	s.card.user.Store(0)
	if s.User() == 0 {
		s.reply.Word(protocol.LoggedOut)
		return
	}
	s.Session.Do(&protocol.Request{Verb: protocol.VerbLogout})
}

func selectDB(s *Session, _ *resp.Command, args [][]byte) {
	if err := resp.ParseDB(args[1]); err != nil {
		s.w.Error(err.Error())
		return
	}
	s.w.OK()
}

func tellCommands(s *Session, c *resp.Command, args [][]byte) { resp.AnswerCommand(&s.w, c, args) }

func whoAmI(s *Session, _ *resp.Command, _ [][]byte) { s.w.BulkString(s.direct.Who()) }

// tellTime answers the cluster's time, by which deadlines go.
func tellTime(s *Session, _ *resp.Command, _ [][]byte) {
	ms := s.direct.Now()
	s.w.Array(2)
	s.w.BulkString(strconv.FormatInt(ms/1000, 10))
	s.w.BulkString(strconv.FormatInt(ms%1000*1000, 10))
}
