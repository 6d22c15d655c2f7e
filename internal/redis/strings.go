package redis

import (
	"ciderd/internal/cache"
	"ciderd/internal/fsm"
	"ciderd/internal/protocol/resp"
	"ciderd/internal/session"
)

func stringHandlers() map[string]handler {
	return map[string]handler{
		"get":      {one: get},
		"mget":     {many: mget},
		"strlen":   {one: strlen},
		"getrange": {one: getRange},
		"substr":   {one: getRange},
		"set":      {write: set},
		"setex":    {write: set},
		"psetex":   {write: set},
		"setnx":    {write: setNX},
		"getset":   {write: getSet},
		"getdel":   {write: getDel},
		"getex":    {write: getEx, before: getExReads},
		"mset":     {write: mset},
		"msetnx":   {write: mset},
		"append":   {write: appendTo},
		"setrange": {write: setRange},
		"delifeq":  {write: delIfEqual},
	}
}

func get(s *Session, _ *resp.Command, _ [][]byte, it cache.Item, there bool) {
	if !there {
		s.w.Null()
		return
	}
	s.w.Bulk(it.Value)
}

func mget(s *Session, n int, each func(func(cache.Item, bool))) {
	s.w.Array(n)
	each(func(it cache.Item, there bool) { get(s, nil, nil, it, there) })
}

func strlen(s *Session, _ *resp.Command, _ [][]byte, it cache.Item, _ bool) {
	s.w.Int(int64(len(it.Value)))
}

// getRange answers a part of a value; a negative place counts from the end.
func getRange(s *Session, _ *resp.Command, args [][]byte, it cache.Item, _ bool) {
	from, err := resp.Integer(args[2])
	to, also := resp.Integer(args[3])
	if err != nil || also != nil {
		s.w.Error(string(resp.ErrNotInteger))
		return
	}
	s.w.Bulk(part(it.Value, from, to))
}

func part(v []byte, from, to int64) []byte {
	size := int64(len(v))
	if from < 0 && to < 0 && from > to {
		return nil
	}
	fromEnd := func(i int64) int64 {
		if i < 0 {
			i += size
		}
		return max(i, 0)
	}
	from, to = fromEnd(from), min(fromEnd(to), size-1)
	if from > to {
		return nil
	}
	return v[from : to+1]
}

// set is a SET of version 1 where that means the same.
func set(s *Session, c *resp.Command, args [][]byte, w *fsm.Command) (session.Answer, error) {
	r, err := resp.ParseSet(c, args)
	if err != nil {
		return nil, err
	}
	*w = fsm.Command{Op: fsm.OpSet, Key: r.Key, Value: r.Value, Words: w.Words}
	if r.NX {
		w.Flags |= fsm.FlagNX
	}
	if r.XX {
		w.Flags |= fsm.FlagXX
	}
	if err := s.expiry(c, &r.Expiry, w); err != nil {
		return nil, err
	}
	if r.Expiry.Kind == resp.KeepTTL {
		w.Op, w.Flags = fsm.OpStore, w.Flags|fsm.FlagKeepTTL
	}
	if r.IfEq != nil {
		w.Op, w.Flags, w.Arg = fsm.OpStore, w.Flags|fsm.FlagEqual, r.IfEq
	}
	if r.Get {
		w.Op, w.Flags = fsm.OpStore, w.Flags|fsm.FlagGet
		return value, nil
	}
	return done, nil
}

// expiry fills in a deadline, which needs another operation if it is a time of Unix.
func (s *Session) expiry(c *resp.Command, e *resp.Expiry, w *fsm.Command) error {
	if e.Kind != resp.After && e.Kind != resp.At {
		return nil
	}
	ms, err := e.Millis(c.Name, s.direct.Now())
	if err != nil {
		return err
	}
	if e.Kind == resp.After {
		w.TTL = ms
		return nil
	}
	w.At = ms
	if w.Op == fsm.OpSet {
		w.Op = fsm.OpStore
	}
	return nil
}

func setNX(_ *Session, _ *resp.Command, args [][]byte, w *fsm.Command) (session.Answer, error) {
	w.Op, w.Key, w.Value, w.Flags = fsm.OpSet, args[1], args[2], fsm.FlagNX
	return number, nil
}

func getSet(_ *Session, _ *resp.Command, args [][]byte, w *fsm.Command) (session.Answer, error) {
	w.Op, w.Key, w.Value, w.Flags = fsm.OpStore, args[1], args[2], fsm.FlagGet
	return value, nil
}

func getDel(_ *Session, _ *resp.Command, args [][]byte, w *fsm.Command) (session.Answer, error) {
	w.Op, w.Key = fsm.OpGetDelete, args[1]
	return value, nil
}

func mset(_ *Session, c *resp.Command, args [][]byte, w *fsm.Command) (session.Answer, error) {
	if len(args)%2 == 0 {
		return nil, errArity(c)
	}
	w.Op, w.Words = fsm.OpMSet, append(w.Words[:0], args[1:]...)
	if c.Name == "msetnx" {
		w.Op = fsm.OpMSetNX
	}
	return nil, entrySize(w.Words)
}

// entrySize refuses what would be too large for one entry.
func entrySize(words [][]byte) error {
	size := 0
	for _, word := range words {
		size += len(word) + 3 // at most three bytes tell how long it is
	}
	if size > resp.MaxTransaction {
		return resp.ErrTooLarge
	}
	return nil
}

func appendTo(s *Session, _ *resp.Command, args [][]byte, w *fsm.Command) (session.Answer, error) {
	w.Op, w.Key, w.Value, w.Limit = fsm.OpAppend, args[1], args[2], int64(s.all.sessions.MaxValue())
	return nil, nil
}

func setRange(s *Session, _ *resp.Command, args [][]byte, w *fsm.Command) (session.Answer, error) {
	from, err := resp.Integer(args[2])
	switch {
	case err != nil:
		return nil, err
	case from < 0:
		return nil, resp.ErrOffset
	}
	w.Op, w.Key, w.N, w.Value, w.Limit = fsm.OpSetRange, args[1], from, args[3], int64(s.all.sessions.MaxValue())
	return nil, nil
}

func delIfEqual(_ *Session, _ *resp.Command, args [][]byte, w *fsm.Command) (session.Answer, error) {
	w.Op, w.Key, w.Arg = fsm.OpDeleteEqual, args[1], args[2]
	return nil, nil
}
