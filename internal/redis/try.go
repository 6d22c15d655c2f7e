package redis

import (
	"ciderd/internal/cache"
	"ciderd/internal/fsm"
	"ciderd/internal/optimistic"
	"ciderd/internal/protocol/resp"
	"ciderd/internal/script"
)

// try is one try of a script, or of a transaction that has one in it: commands are done on what it reads and writes, and
// answered into a buffer.
type try struct {
	*optimistic.Attempt
	sub      *Session // answers into out
	out      capture
	draft    *fsm.Draft
	loaded   map[string]uint64 // keys that the draft has, and the versions that it has them in; 0: there is none
	readOnly bool

	allowance *script.Allowance // of all that the try does
}

func newTry(s *Session, a *optimistic.Attempt) *try {
	t := &try{Attempt: a, draft: fsm.NewDraft(a.Now()), loaded: map[string]uint64{}, allowance: script.NewAllowance(script.Limits{})}
	t.sub = &Session{Session: s.Session, all: s.all, client: s.client, direct: s.direct, card: s.card, placed: true}
	t.sub.reply.s = t.sub
	t.sub.w = resp.NewWriter(&t.out)
	return t
}

// call does a command of a script.
func (t *try) call(args [][]byte) (script.Reply, error) {
	c, err := resp.Lookup(args)
	if err := t.refuses(c, err); err != "" {
		return script.Reply{Kind: script.Error, Text: string(err)}, nil
	}
	t.out.reset()
	if err := t.do(c, args); err != nil {
		return script.Reply{}, err
	}
	return t.out.reply()
}

// refuses returns why a script may not call a command; empty: it may.
func (t *try) refuses(c *resp.Command, err error) resp.Error {
	switch {
	case c == nil || c.Has(resp.Refused) || !handlers[c.Number].there():
		return errScriptUnknown
	case err != nil:
		return errScriptArity
	case c.Has(resp.NoScript):
		return errScriptForbidden
	case c.Has(resp.Write) && t.readOnly:
		return errScriptReadOnly
	}
	return ""
}

// do does a command and has its reply in out. Its error ends the try.
func (t *try) do(c *resp.Command, args [][]byte) error {
	s := t.sub
	s.keys = nil
	if err := s.check(c, args); err != nil {
		s.w.Error(err.Error())
		return nil
	}
	switch h := &handlers[c.Number]; {
	case h.write != nil:
		return t.write(h, c, args)
	case h.whole != nil:
		return t.whole(h, args)
	case h.many != nil:
		return t.many(h)
	case h.one != nil:
		it, there, err := t.item(s.keys[0])
		if err == nil {
			h.one(s, c, args, it, there)
		}
		return err
	default:
		h.run(s, c, args)
	}
	return nil
}

// item returns what a key has in this try.
func (t *try) item(key []byte) (it cache.Item, there bool, err error) {
	if err := t.load(key); err != nil {
		return it, false, err
	}
	it, there = t.draft.Get(key)
	return it, there, nil
}

// load puts what a key has into the draft, once.
func (t *try) load(key []byte) error {
	if _, again := t.loaded[string(key)]; again {
		return nil
	}
	it, there, err := t.Get(key)
	if err != nil {
		return err
	}
	if there {
		t.draft.Load(key, cache.Item{Value: it.Value, Version: it.Version, Deadline: it.Deadline})
	}
	t.loaded[string(key)] = it.Version
	return nil
}

func (t *try) many(h *handler) error {
	keys := t.sub.keys
	for _, key := range keys {
		if err := t.load(key); err != nil {
			return err
		}
	}
	h.many(t.sub, len(keys), func(fn func(cache.Item, bool)) {
		for _, key := range keys {
			fn(t.draft.Get(key))
		}
	})
	return nil
}

func (t *try) write(h *handler, c *resp.Command, args [][]byte) error {
	s := t.sub
	var w fsm.Command
	answer, err := h.write(s, c, args, &w)
	if err != nil {
		s.w.Error(err.Error())
		return nil
	}
	keys := s.keys
	if w.Op == fsm.OpFlush {
		if keys, err = t.all(); err != nil {
			return err
		}
	}
	for _, key := range keys {
		if err := t.load(key); err != nil {
			return err
		}
	}
	result := t.draft.Do(&w)
	for _, key := range keys {
		if err := t.keep(key); err != nil {
			return err
		}
	}
	s.direct.ResultTo(&s.reply, result, answer)
	return nil
}

// keep notes what a command has made of a key.
func (t *try) keep(key []byte) error {
	it, there := t.draft.Get(key)
	if it.Version == t.loaded[string(key)] {
		return nil
	}
	t.loaded[string(key)] = it.Version
	if !there {
		return t.Delete(key)
	}
	return t.Set(key, optimistic.Item{Value: it.Value, Deadline: it.Deadline})
}

// all returns all keys that there are in this try.
func (t *try) all() (keys [][]byte, err error) {
	v, err := t.view()
	if err != nil {
		return nil, err
	}
	v.Range(func(key, _ []byte, _ uint64, deadline int64) bool {
		if deadline == 0 || deadline > t.Now() {
			keys = append(keys, key)
		}
		return len(keys) <= fsm.MaxInExec
	})
	if len(keys) > fsm.MaxInExec {
		return nil, optimistic.ErrTooLarge
	}
	return keys, nil
}

// view returns all that there is in this try. If it has written something that is a copy, with that in it.
func (t *try) view() (*cache.View, error) {
	v, err := t.Whole()
	if err != nil {
		return nil, err
	}
	written := map[string]*optimistic.Item{}
	t.Written(func(key string, it *optimistic.Item) { written[key] = it })
	if len(written) == 0 {
		return v, nil
	}
	if v.Len() > viewMost {
		return nil, optimistic.ErrTooLarge
	}
	mixed := cache.New().Create(1)
	v.Range(func(key, value []byte, version uint64, deadline int64) bool {
		if _, other := written[string(key)]; !other {
			mixed.Load(key, value, version, deadline)
		}
		return true
	})
	for key, it := range written {
		if it != nil {
			mixed.Set([]byte(key), it.Value, it.Deadline)
		}
	}
	return mixed.Freeze(), nil
}

// viewMost is how many keys a user may have whose script looks at all of them after it has written.
const viewMost = 100_000

func (t *try) whole(h *handler, args [][]byte) error {
	v, err := t.view()
	if err == nil {
		h.whole(t.sub, args, keyspace{now: t.Now(), view: v})
	}
	return err
}
