package server

import (
	"bytes"
	"context"
	"runtime"

	"ciderd/internal/cache"
	"ciderd/internal/protocol"
)

// scanChunk is how many keys of one KEYS are collected at a time: what a session may hold while its
// client takes its time to read them.
const scanChunk = 50_000

// scan is one KEYS.
type scan struct {
	view  *cache.View
	now   int64
	match func(key []byte) bool // nil: all
	after []byte
	left  int
}

// keys looks at every key that the user has. It does that on a frozen view, so writes go on; a chunk
// at a time; and only in a place of its own among all scans, so that they cannot take the machine.
func (s *session) keys() {
	ks := s.keyspace()
	if ks == nil {
		return
	}
	c := scan{view: ks.Freeze(), now: s.clock(), left: s.req.Limit, after: bytes.Clone(s.req.After)}
	if s.req.Glob != nil {
		glob := protocol.CompileGlob(s.req.Glob)
		c.match = glob.Match
	}
	for {
		keys, more, ok := s.scan(&c)
		if !ok {
			s.fail(protocol.Busy, "too many KEYS are running on this node; nothing was done")
			return
		}
		for _, key := range keys {
			s.replyKey(key)
		}
		if s.broken != nil {
			return
		}
		switch {
		case !more:
			s.reply("END")
			return
		case c.left == 0:
			s.add("MORE ")
			s.replyKey(c.after)
			return
		}
	}
}

// scan finds the next chunk of c. Without a place in time, before the first, it is not ok.
func (s *session) scan(c *scan) (keys [][]byte, more, ok bool) {
	ctx, cancel := context.WithTimeout(s.srv.ctx, s.srv.config.Load().WriteTimeout)
	defer cancel()
	// The user's place comes first: who waits for it takes nobody else's.
	for _, place := range []chan struct{}{s.login.account.scan, s.srv.scans} {
		select {
		case place <- struct{}{}:
			defer func() { <-place }()
		case <-ctx.Done():
			return nil, false, false
		}
	}
	keys, more = c.view.Keys(c.now, c.match, c.after, min(c.left, s.srv.scanChunk), runtime.Gosched)
	c.left -= len(keys)
	if len(keys) > 0 {
		c.after = keys[len(keys)-1]
	}
	return keys, more, true
}
