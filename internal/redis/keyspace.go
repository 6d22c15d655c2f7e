package redis

import (
	"errors"
	"math/rand/v2"
	"strconv"

	"ciderd/internal/cache"
	"ciderd/internal/fsm"
	"ciderd/internal/protocol"
	"ciderd/internal/protocol/resp"
	"ciderd/internal/session"
)

func keyspaceHandlers() map[string]handler {
	return map[string]handler{
		"keys":      {whole: listKeys},
		"dbsize":    {whole: countKeys},
		"randomkey": {whole: randomKey},
		"scan":      {whole: scan},
		"flushdb":   {write: flush},
		"flushall":  {write: flush},
	}
}

// keyspace is all items of a user as of a time: as they are now, or in a transaction as they were in it.
type keyspace struct {
	now  int64
	live *cache.Keyspace // nil: view
	view *cache.View
}

func listKeys(s *Session, args [][]byte, all keyspace) {
	pattern := resp.CompilePattern(args[1])
	var match session.Matcher = &pattern
	if string(args[1]) == "*" {
		match = nil
	}
	err := s.direct.Keys(match, all.view, all.now, s.w.Array, s.w.Bulk)
	if errors.Is(err, session.ErrManyKeys) {
		s.w.Error(string(errManyKeys))
	}
}

func countKeys(s *Session, _ [][]byte, all keyspace) {
	n := 0
	if all.live != nil {
		n = all.live.Count(all.now)
	} else {
		all.each(func([]byte) { n++ })
	}
	s.w.Int(int64(n))
}

func randomKey(s *Session, _ [][]byte, all keyspace) {
	var key []byte
	found := false
	if all.live != nil {
		key, found = cache.GlanceAt(all.live).Random(all.now)
	} else {
		n := 0
		all.each(func(k []byte) {
			if n++; rand.IntN(n) == 0 {
				key, found = k, true
			}
		})
	}
	if !found {
		s.w.Null()
		return
	}
	s.w.Bulk(key)
}

// scan answers a page of an iteration. Its cursor is a position in an order of the keys that is the same on every node;
// see session.ScanRequest.
func scan(s *Session, args [][]byte, all keyspace) {
	r, err := resp.ParseScan(args)
	if err != nil {
		s.w.Error(err.Error())
		return
	}
	req := session.ScanRequest{Cursor: r.Cursor, Count: int(min(r.Count, protocol.MaxLimit)), View: all.view, Now: all.now}
	switch {
	case r.Type != nil && !is(r.Type, "string"):
		req.Match = nothing{}
	case r.Match != nil && string(r.Match) != "*":
		pattern := resp.CompilePattern(r.Match)
		req.Match = &pattern
	}
	s.direct.Scan(&req, func(page session.Scanned) {
		s.w.Array(2)
		s.w.BulkString(strconv.FormatUint(page.Next, 10))
		s.w.Array(page.Len())
		for key := range page.Keys() {
			s.w.Bulk(key)
		}
	})
}

// nothing matches no key: what has another type than strings.
type nothing struct{}

func (nothing) Steps([]byte) (ok bool, steps int) { return false, 1 }

// each calls fn with each key of the view that is visible.
func (all *keyspace) each(fn func(key []byte)) {
	all.view.Range(func(key, _ []byte, _ uint64, deadline int64) bool {
		if deadline == 0 || deadline > all.now {
			fn(key)
		}
		return true
	})
}

// flush empties the user's own cache, at once whatever the option says.
func flush(_ *Session, _ *resp.Command, args [][]byte, w *fsm.Command) (session.Answer, error) {
	if len(args) > 2 || len(args) == 2 && !is(args[1], "async") && !is(args[1], "sync") {
		return nil, resp.ErrSyntax
	}
	w.Op = fsm.OpFlush
	return nil, nil
}
