package redis

import (
	"context"
	"errors"
	"strings"

	"ciderd/internal/fsm"
	"ciderd/internal/optimistic"
	"ciderd/internal/pipeline"
	"ciderd/internal/protocol/resp"
	"ciderd/internal/script"
	"ciderd/internal/session"
)

// A script runs on this node, on a try of package optimistic: what it reads is noted, and what it writes is kept aside until
// its end. Then all of it becomes one entry, whose conditions are the versions of what it has read.

func scriptHandlers() map[string]handler {
	return map[string]handler{
		"eval":          {run: eval},
		"evalsha":       {run: eval},
		"eval_ro":       {run: eval},
		"evalsha_ro":    {run: eval},
		"script|load":   {run: scriptLoad},
		"script|exists": {run: scriptExists},
		"script|flush":  {run: scriptFlush},
	}
}

func eval(s *Session, c *resp.Command, args [][]byte) {
	var reply script.Reply
	err := optimistically(s, func(t *try) (err error) {
		reply, err = t.eval(c, args)
		return err
	})
	if err != nil {
		failScript(s, err)
		return
	}
	s.direct.Pin(reply.Size(), true)
	defer s.direct.Pin(0, true)
	writeReply(&s.w, &reply)
}

// shaDigits is how long the name of a script is.
const shaDigits = 40

func bySHA(c *resp.Command) bool { return strings.HasPrefix(c.Name, "evalsha") }

// scriptOf returns the script of an EVAL, or of an EVALSHA.
func scriptOf(s *Session, c *resp.Command, arg []byte) (*script.Script, error) {
	if bySHA(c) {
		if found := s.all.scripts.Get(s.User(), string(lower(arg))); found != nil {
			return found, nil
		}
		return nil, resp.ErrNoScript
	}
	return s.all.scripts.Load(s.User(), arg)
}

// scriptArgs returns the keys and the other arguments of an EVAL.
func scriptArgs(c *resp.Command, args [][]byte) (keys, rest [][]byte, err error) {
	n, ok := resp.ParseInt(args[2])
	switch {
	case bySHA(c) && len(args[1]) != shaDigits:
		return nil, nil, resp.ErrNoScript
	case !ok:
		return nil, nil, resp.ErrNotInteger
	case n > int64(len(args)-3):
		return nil, nil, errTooManyKeys
	case n < 0:
		return nil, nil, errNegativeKeys
	}
	return args[3 : 3+n], args[3+n:], nil
}

// optimistically runs do until all that it has done is done in the cluster. Its errors are for failScript.
func optimistically(s *Session, do func(t *try) error) error {
	r := optimistic.Runner{
		User: s.User(), Keyspace: s.direct.Keyspace, Now: s.direct.Now, Propose: s.direct.Propose,
	}
	return r.Run(func(a *optimistic.Attempt) error {
		return s.direct.Turn(func() error { return do(newTry(s, a)) })
	})
}

// failScript answers why a script, or a transaction with one, was not done.
func failScript(s *Session, err error) {
	var refused *optimistic.Refused
	switch {
	case errors.Is(err, optimistic.ErrGone): // nothing is to be answered
	case errors.Is(err, optimistic.ErrConflict):
		s.w.Error(string(errConflicts))
	case errors.Is(err, optimistic.ErrTooLarge):
		s.w.Error(string(resp.ErrTooLarge))
	case errors.Is(err, script.ErrSteps), errors.Is(err, script.ErrMemory), errors.Is(err, script.ErrTime):
		s.w.Error("ERR " + err.Error() + "; nothing was done")
	case errors.Is(err, session.ErrScriptsWait):
		s.w.Error("TRYAGAIN " + err.Error() + "; nothing was done")
	case errors.Is(err, context.Canceled):
		s.direct.Unwritten(pipeline.ErrShutdown)
	case errors.As(err, &refused):
		s.direct.Result(fsm.Result{Kind: refused.Kind}, nil)
	default:
		s.direct.Unwritten(err)
	}
}

func scriptLoad(s *Session, _ *resp.Command, args [][]byte) {
	var compiled *script.Script
	var wrong error
	err := turn(s, func() error { // compiling takes as long as running does
		compiled, wrong = s.all.scripts.Load(s.User(), args[2])
		return nil
	})
	switch {
	case err != nil:
		failScript(s, err)
	case wrong != nil:
		s.w.Error(wrong.Error())
	default:
		s.w.BulkString(compiled.SHA)
	}
}

// turn calls run once there is a place for it, if the session has not one already.
func turn(s *Session, run func() error) error {
	if s.placed {
		return run()
	}
	return s.direct.Turn(run)
}

func scriptExists(s *Session, _ *resp.Command, args [][]byte) {
	s.w.Array(len(args) - 2)
	for _, sha := range args[2:] {
		there := int64(0)
		if s.all.scripts.Has(s.User(), string(lower(sha))) {
			there = 1
		}
		s.w.Int(there)
	}
}

func scriptFlush(s *Session, _ *resp.Command, args [][]byte) {
	if len(args) > 3 || len(args) == 3 && !is(args[2], "async") && !is(args[2], "sync") {
		s.w.Error(string(errScriptFlush))
		return
	}
	s.all.scripts.Flush(s.User())
	s.w.OK()
}
