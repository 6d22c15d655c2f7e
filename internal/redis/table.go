package redis

import (
	"ciderd/internal/cache"
	"ciderd/internal/fsm"
	"ciderd/internal/protocol/resp"
	"ciderd/internal/session"
)

// handler is how a command is done: one of its functions, but for before.
type handler struct {
	// run does and answers what needs no item.
	run func(s *Session, c *resp.Command, args [][]byte)
	// flows: run sees to it itself that it is answered after the writes before it.
	flows bool
	// one answers with the item of the command's only key.
	one func(s *Session, c *resp.Command, args [][]byte, it cache.Item, there bool)
	// many answers with the items of n keys; each calls back with them in order.
	many func(s *Session, n int, each func(func(it cache.Item, there bool)))
	// whole answers with the whole keyspace.
	whole func(s *Session, args [][]byte, all keyspace)
	// write fills in a write, and returns what answers it; nil: its result says it all. It looks at nothing but args.
	write func(s *Session, c *resp.Command, args [][]byte, w *fsm.Command) (session.Answer, error)
	// before reports whether it has answered a write that is none, outside of a transaction; nil: it always is one.
	before func(s *Session, c *resp.Command, args [][]byte) bool
}

func (h *handler) there() bool {
	return h.run != nil || h.one != nil || h.many != nil || h.whole != nil || h.write != nil
}

// handlers is how each command is done, by its number. One that has none here seems not to be.
var handlers = make([]handler, resp.Commands())

func init() {
	byName := map[string]*handler{}
	for _, c := range resp.AllCommands() {
		byName[c.Name] = &handlers[c.Number]
	}
	for _, group := range []map[string]handler{
		connectionHandlers(), clientHandlers(), stringHandlers(), numberHandlers(), keyHandlers(), deadlineHandlers(),
		keyspaceHandlers(), transactionHandlers(), ownHandlers(), serverHandlers(), sentinelHandlers(), channelHandlers(), scriptHandlers(),
	} {
		for name, h := range group {
			*byName[name] = h // a name that is not in the table is a bug, and panics when the program starts
		}
	}
}

// read does a command that reads, of this node's copy.
func (s *Session) read(h *handler, c *resp.Command, args [][]byte) {
	switch {
	case h.whole != nil:
		if ks := s.direct.Keyspace(); ks != nil {
			h.whole(s, args, keyspace{now: s.direct.Now(), live: ks})
		}
	case h.many != nil:
		keys := s.keys
		if s.direct.Keyspace() == nil {
			return
		}
		h.many(s, len(keys), func(fn func(cache.Item, bool)) { s.direct.MGet(keys, fn) })
	default:
		it, there, alive := s.direct.Get(s.keys[0])
		if !alive {
			return
		}
		s.direct.Pin(len(it.Value), false)
		h.one(s, c, args, it, there)
		s.direct.Pin(0, false)
	}
}
