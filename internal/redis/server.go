package redis

import (
	"slices"
	"strconv"

	"ciderd/internal/cache"
	"ciderd/internal/protocol/resp"
)

func serverHandlers() map[string]handler {
	return map[string]handler{
		"info":         {run: info},
		"config|get":   {run: configGet},
		"memory|usage": {one: memoryUsage},
		"wait":         {run: wait},
		"role":         {run: role},
	}
}

// configGet answers with those of a fixed list of settings that a pattern matches, by Redis' names.
func configGet(s *Session, _ *resp.Command, args [][]byte) {
	var found []setting
	for _, arg := range args[2:] {
		pattern := resp.CompilePattern(lower(arg))
		for _, it := range settings(s) {
			if pattern.Match([]byte(it.name)) && !slices.Contains(found, it) {
				found = append(found, it)
			}
		}
	}
	s.w.Map(len(found))
	for _, it := range found {
		s.w.BulkString(it.name)
		s.w.BulkString(it.value)
	}
}

type setting struct{ name, value string }

func settings(s *Session) []setting {
	f := s.direct.Figures()
	return []setting{
		{"save", ""},
		{"appendonly", "yes"},
		{"maxmemory", strconv.FormatInt(f.MostMemory(), 10)},
		{"maxmemory-policy", policy(s)},
		{"timeout", strconv.FormatInt(int64(s.all.sessions.IdleTimeout().Seconds()), 10)},
		{"databases", "1"},
		{"proto-max-bulk-len", strconv.Itoa(s.all.sessions.MaxValue())},
	}
}

func policy(s *Session) string {
	if s.all.sessions.Rejects() {
		return "noeviction"
	}
	return "allkeys-lfu"
}

func lower(b []byte) []byte {
	b = slices.Clone(b)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c | 0x20
		}
	}
	return b
}

// memoryUsage answers what a key counts for. SAMPLES is about what is in a key, and here that is one string.
func memoryUsage(s *Session, _ *resp.Command, args [][]byte, it cache.Item, there bool) {
	switch {
	case len(args) != 3 && (len(args) != 5 || !is(args[3], "samples")):
		s.w.Error(string(resp.ErrSyntax))
		return
	case len(args) == 5:
		if n, ok := resp.ParseInt(args[4]); !ok {
			s.w.Error(string(resp.ErrNotInteger))
			return
		} else if n < 0 {
			s.w.Error(string(resp.ErrSyntax))
			return
		}
	}
	if !there {
		s.w.Null()
		return
	}
	s.w.Int(cache.MemoryOf(len(args[2]), len(it.Value), it.Deadline != 0))
}

// wait answers how many other nodes have all that was acknowledged: it was not acknowledged before they had.
func wait(s *Session, _ *resp.Command, args [][]byte) {
	if _, ok := resp.ParseInt(args[1]); !ok {
		s.w.Error(string(resp.ErrNotInteger))
		return
	}
	switch timeout, ok := resp.ParseInt(args[2]); {
	case !ok:
		s.w.Error(string(errWaitTime))
	case timeout < 0:
		s.w.Error(string(errWaitNegative))
	default:
		s.w.Int(s.all.config.now().certain())
	}
}

// role says that each node takes writes.
func role(s *Session, _ *resp.Command, _ [][]byte) {
	s.w.Array(3)
	s.w.BulkString("master")
	s.w.Int(int64(s.all.config.now().Applied))
	s.w.Array(0)
}
