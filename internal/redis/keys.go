package redis

import (
	"ciderd/internal/cache"
	"ciderd/internal/fsm"
	"ciderd/internal/protocol/resp"
	"ciderd/internal/session"
)

func keyHandlers() map[string]handler {
	return map[string]handler{
		"del":             {write: del},
		"unlink":          {write: del},
		"exists":          {many: countThere},
		"touch":           {many: countThere},
		"type":            {one: typeOf},
		"rename":          {write: rename},
		"renamenx":        {write: rename},
		"copy":            {write: copyKey},
		"object|encoding": {one: encoding},
		"object|refcount": {one: refcount},
		"object|idletime": {one: idleTime},
		"object|freq":     {one: frequency},
	}
}

func del(_ *Session, _ *resp.Command, args [][]byte, w *fsm.Command) (session.Answer, error) {
	w.Op, w.Words = fsm.OpDelete, append(w.Words[:0], args[1:]...)
	return number, entrySize(w.Words)
}

func countThere(s *Session, _ int, each func(func(cache.Item, bool))) {
	n := int64(0)
	each(func(_ cache.Item, there bool) {
		if there {
			n++
		}
	})
	s.w.Int(n)
}

func typeOf(s *Session, _ *resp.Command, _ [][]byte, _ cache.Item, there bool) {
	if !there {
		s.w.Simple("none")
		return
	}
	s.w.Simple("string")
}

func rename(_ *Session, c *resp.Command, args [][]byte, w *fsm.Command) (session.Answer, error) {
	w.Op, w.Key, w.Arg = fsm.OpMove, args[1], args[2]
	if c.Name == "renamenx" {
		w.Flags = fsm.FlagNX
	}
	return moved, nil
}

func copyKey(_ *Session, _ *resp.Command, args [][]byte, w *fsm.Command) (session.Answer, error) {
	r, err := resp.ParseCopy(args)
	if err != nil {
		return nil, err
	}
	w.Op, w.Key, w.Arg, w.Flags = fsm.OpMove, r.From, r.To, fsm.FlagCopy
	if !r.Replace {
		w.Flags |= fsm.FlagNX
	}
	return number, nil
}

// embedded is up to which size, in bytes, Redis keeps a value together with what it knows of it.
const embedded = 44

// encoding answers how Redis keeps a value that was set. It keeps one that was appended to as raw always, which is not
// known here.
func encoding(s *Session, _ *resp.Command, _ [][]byte, it cache.Item, there bool) {
	if !there {
		s.w.Null()
		return
	}
	_, integer := resp.ParseInt(it.Value)
	switch {
	case integer:
		s.w.BulkString("int")
	case len(it.Value) <= embedded:
		s.w.BulkString("embstr")
	default:
		s.w.BulkString("raw")
	}
}

func refcount(s *Session, _ *resp.Command, _ [][]byte, _ cache.Item, there bool) {
	if !there {
		s.w.Null()
		return
	}
	s.w.Int(1)
}

// idleTime and frequency follow from what stands for maxmemory-policy: allkeys-lfu, or noeviction.

func idleTime(s *Session, _ *resp.Command, _ [][]byte, _ cache.Item, there bool) {
	switch {
	case !there:
		s.w.Null()
	case s.all.sessions.Rejects():
		s.w.Int(0)
	default:
		s.w.Error(string(errLFU))
	}
}

func frequency(s *Session, _ *resp.Command, _ [][]byte, _ cache.Item, there bool) {
	switch {
	case !there:
		s.w.Null()
	case s.all.sessions.Rejects():
		s.w.Error(string(errNoLFU))
	default:
		s.w.Int(0)
	}
}
