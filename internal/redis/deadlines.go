package redis

import (
	"ciderd/internal/cache"
	"ciderd/internal/fsm"
	"ciderd/internal/protocol/resp"
	"ciderd/internal/session"
)

func deadlineHandlers() map[string]handler {
	return map[string]handler{
		"expire":      {write: expire},
		"pexpire":     {write: expire},
		"expireat":    {write: expire},
		"pexpireat":   {write: expire},
		"persist":     {write: persist},
		"ttl":         {one: timeLeft},
		"pttl":        {one: timeLeft},
		"expiretime":  {one: timeLeft},
		"pexpiretime": {one: timeLeft},
	}
}

// expire is an EXPIRE of version 1 where that means the same.
func expire(s *Session, c *resp.Command, args [][]byte, w *fsm.Command) (session.Answer, error) {
	r, err := resp.ParseExpire(c, args, s.direct.Now())
	if err != nil {
		return nil, err
	}
	w.Op, w.Key = fsm.OpDeadline, r.Key
	for _, f := range []struct {
		set  bool
		flag uint8
	}{{r.NX, fsm.FlagNX}, {r.XX, fsm.FlagXX}, {r.GT, fsm.FlagGT}, {r.LT, fsm.FlagLT}} {
		if f.set {
			w.Flags |= f.flag
		}
	}
	if r.At {
		w.At = r.Millis // 0 is none; as TTL is 0 too, the item goes at once
	} else {
		w.TTL = r.Millis
	}
	if w.Flags == 0 && w.TTL > 0 {
		w.Op = fsm.OpExpire
	}
	return number, nil
}

func persist(_ *Session, _ *resp.Command, args [][]byte, w *fsm.Command) (session.Answer, error) {
	w.Op, w.Key, w.Flags = fsm.OpDeadline, args[1], fsm.FlagPersist
	return number, nil
}

// timeLeft answers when an item ends, from now on or of Unix; -2: there is none, -1: it does not end.
func timeLeft(s *Session, c *resp.Command, _ [][]byte, it cache.Item, there bool) {
	switch {
	case !there:
		s.w.Int(-2)
		return
	case it.Deadline == 0:
		s.w.Int(-1)
		return
	}
	ms := it.Deadline
	if c.Name == "ttl" || c.Name == "pttl" {
		ms = max(ms-s.direct.Now(), 0)
	}
	if c.Name == "ttl" || c.Name == "expiretime" {
		ms = (ms + 500) / 1000
	}
	s.w.Int(ms)
}
