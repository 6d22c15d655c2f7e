package redis

import (
	"context"
	"errors"
	"strings"

	"ciderd/internal/protocol/resp"
	"ciderd/internal/script"
)

// A transaction with a script in it is done as a script is: each of its commands on the same try, with what is watched as
// more conditions.

func (q *queue) hasScript() bool {
	for _, c := range q.commands {
		if isScript(c.c) {
			return true
		}
	}
	return false
}

func isScript(c *resp.Command) bool { return strings.HasPrefix(c.Name, "eval") }

// errWatched: what is watched has changed.
var errWatched = errors.New("a watched key has changed")

// executeScripts answers an EXEC.
func executeScripts(s *Session, q *queue) {
	defer s.letGo(q.held())
	watched := s.watched
	s.queue = nil // what it holds is charged until the end
	s.unwatch()
	if !s.direct.Ready() {
		return
	}
	var replies []*script.Reply
	err := optimistically(s, func(t *try) error {
		if err := t.watches(watched); err != nil {
			return err
		}
		replies = replies[:0]
		for _, c := range q.commands {
			reply, err := t.queued(c)
			if err != nil {
				return err
			}
			if err := t.allowance.Take(reply.Size()); err != nil {
				return err
			}
			replies = append(replies, reply)
		}
		return nil
	})
	switch {
	case errors.Is(err, errWatched):
		s.w.NullArray()
	case err != nil:
		failScript(s, err)
	default:
		answerScripts(s, q, replies)
	}
}

func answerScripts(s *Session, q *queue, replies []*script.Reply) {
	size := 0
	for _, reply := range replies {
		size += reply.Size()
	}
	s.direct.Pin(size, true)
	defer s.direct.Pin(0, true)
	s.w.Array(len(replies))
	for i, reply := range replies {
		if reply == nil {
			handlers[q.commands[i].c.Number].run(s, q.commands[i].c, q.commands[i].args)
			continue
		}
		writeReply(&s.w, reply)
	}
}

// watches makes the versions that watched keys had conditions of the try.
func (t *try) watches(watched map[string]uint64) error {
	for key, version := range watched {
		it, _, err := t.Get([]byte(key))
		if err != nil {
			return err
		}
		if it.Version != version {
			return errWatched
		}
	}
	return nil
}

// queued does a command of the transaction. nil: it is about the connection, and is done when EXEC is answered.
func (t *try) queued(c queued) (*script.Reply, error) {
	var reply script.Reply
	var err error
	switch {
	case isScript(c.c):
		reply, err = t.eval(c.c, c.args)
	case handlers[c.c.Number].run != nil && !strings.HasPrefix(c.c.Name, "script|"):
		return nil, nil
	default: // what is about scripts too: those behind it need them
		t.readOnly = false
		t.out.reset()
		if err = t.do(c.c, c.args); err == nil {
			reply, err = t.out.reply()
		}
	}
	return &reply, err
}

// eval runs a script. What is wrong with the command is its reply.
func (t *try) eval(c *resp.Command, args [][]byte) (script.Reply, error) {
	keys, rest, err := scriptArgs(c, args)
	if err != nil {
		return script.Reply{Kind: script.Error, Text: err.Error()}, nil
	}
	compiled, err := scriptOf(t.sub, c, args[1])
	if err != nil {
		return script.Reply{Kind: script.Error, Text: err.Error()}, nil
	}
	t.readOnly = c.Has(resp.ReadOnly) || compiled.Flags.NoWrites
	if c.Has(resp.ReadOnly) && compiled.Flags.Declared && !compiled.Flags.NoWrites {
		return script.Reply{Kind: script.Error, Text: string(errScriptWrites)}, nil
	}
	return compiled.Run(context.Background(), script.Input{Keys: keys, Args: rest, Call: t.call, Allowance: t.allowance})
}
