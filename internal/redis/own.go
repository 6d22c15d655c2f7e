package redis

import (
	"strconv"

	"ciderd/internal/cache"
	"ciderd/internal/fsm"
	"ciderd/internal/protocol"
	"ciderd/internal/protocol/resp"
	"ciderd/internal/session"
)

// ownHandlers are the commands that Redis does not have.
func ownHandlers() map[string]handler {
	return map[string]handler{
		"ciderd.sync": {run: syncNow},
		"ciderd.getv": {one: getV},
		"ciderd.cas":  {write: cas},
		"ciderd.once": {write: once},
	}
}

func syncNow(s *Session, _ *resp.Command, _ [][]byte) {
	s.Session.Do(&protocol.Request{Verb: protocol.VerbSync})
}

func getV(s *Session, _ *resp.Command, _ [][]byte, it cache.Item, there bool) {
	if !there {
		s.w.Null()
		return
	}
	seconds := uint64(0)
	if it.Deadline != 0 {
		seconds = uint64(max(it.Deadline-s.direct.Now(), 1)+999) / 1000
	}
	s.reply.Versioned(it.Version, seconds, it.Value)
}

func cas(_ *Session, _ *resp.Command, args [][]byte, w *fsm.Command) (session.Answer, error) {
	version, err := strconv.ParseUint(string(args[2]), 10, 64)
	if err != nil {
		return nil, errVersion
	}
	w.Op, w.Key, w.Version, w.Value = fsm.OpCAS, args[1], version, args[3]
	return nil, nil
}

// once wraps a write. Its reply is remembered, so it must not hold a value that is stored: that would stay in memory.
func once(s *Session, _ *resp.Command, args [][]byte, w *fsm.Command) (session.Answer, error) {
	if len(args[1]) == 0 || len(args[1]) > protocol.MaxOnceID {
		return nil, errOnceID
	}
	inner, err := resp.Lookup(args[2:])
	if err != nil {
		return nil, err
	}
	h := &handlers[inner.Number]
	if h.write == nil || inner.Name == "ciderd.once" {
		return nil, errOnce
	}
	answer, err := h.write(s, inner, args[2:], w)
	switch {
	case err != nil:
		return nil, err
	case w.Op == fsm.OpGetDelete, w.Op == fsm.OpGetExpire, w.Op == fsm.OpLook, w.Op == fsm.OpIncrFloat,
		w.Op == fsm.OpStore && w.Flags&fsm.FlagGet != 0:
		return nil, errOnce
	}
	w.Once = args[1]
	return answer, nil
}
