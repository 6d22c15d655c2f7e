//go:build e2e

package e2e

import (
	"crypto/sha1"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// scripted is a command about scripts: most run one that is made up of what scripts do. An EVALSHA comes right behind the
// SCRIPT LOAD, as the node forgets scripts when there are many.
func (g *generator) scripted() []string {
	source := g.source()
	keys := []string{g.key(), g.key()}
	args := []string{g.value(), g.integer()}
	numkeys := "2"
	if g.IntN(12) == 0 {
		numkeys = g.one("0", "1", "3", "4", "5", "-1", "x", "")
		args = []string{"arg", g.one("x", "7")} // as keys they must not be empty
	}
	command := g.one("EVAL", "EVAL", "EVAL", "EVAL_RO")
	switch g.IntN(8) {
	case 0:
		sha := fmt.Sprintf("%x", sha1.Sum([]byte(source)))
		if g.IntN(4) == 0 {
			sha = strings.ToUpper(sha)
		}
		g.next = join(g.one("EVALSHA", "EVALSHA", "EVALSHA_RO"), sha, numkeys, keys, args)
		return join("SCRIPT", "LOAD", source)
	case 1:
		return join("EVALSHA", g.one("x", "", strings.Repeat("0", 40), strings.Repeat("z", 41)), numkeys, keys)
	}
	return join(command, source, numkeys, keys, args)
}

// source is a script over two keys and two arguments.
func (g *generator) source() string {
	var b strings.Builder
	b.WriteString(g.one("", "", "", "", "", "", "#!lua\n", "#!lua flags=no-writes\n", "#!lua flags=x\n"))
	for range 1 + g.IntN(4) {
		b.WriteString(g.statement(2))
		b.WriteString(g.one(" ", "\n"))
	}
	if g.IntN(8) > 0 {
		b.WriteString("return " + g.expression(2))
	}
	return b.String()
}

func (g *generator) statement(depth int) string {
	if depth == 0 {
		return g.called()
	}
	switch g.IntN(8) {
	case 0:
		return "if " + g.expression(1) + " == " + g.expression(1) + " then " + g.statement(depth-1) + " else " + g.statement(depth-1) + " end"
	case 1:
		return "for i = 1, " + g.one("2", "3") + " do " + g.statement(depth-1) + " end"
	case 2:
		return "local v = " + g.expression(1) + " if v then " + g.statement(depth-1) + " end"
	case 3:
		return "pcall(function() " + g.statement(depth-1) + " end)"
	}
	return g.called()
}

// called is a call of a command, which has an error now and then.
func (g *generator) called() string {
	key, other := g.one("KEYS[1]", "KEYS[2]", "'a'"), g.one("KEYS[1]", "KEYS[2]")
	value, number := g.one("ARGV[1]", "ARGV[2]", "'text'", "12", "1.5", "-0", "1e20"), g.one("ARGV[2]", "3", "'x'", "-1")
	command := g.one(
		"'GET', "+key, "'get', "+key, "'SET', "+key+", "+value, "'SET', "+key+", "+value+", 'NX'", "'SET', "+key+", "+value+", 'GET'",
		"'INCR', "+key, "'INCRBY', "+key+", "+number, "'DEL', "+key+", "+other, "'APPEND', "+key+", "+value, "'EXISTS', "+key+", "+other,
		"'MGET', "+key+", "+other, "'STRLEN', "+key, "'GETRANGE', "+key+", 0, "+number, "'SETRANGE', "+key+", 2, "+value,
		"'GETDEL', "+key, "'RENAME', "+key+", "+other, "'COPY', "+key+", "+other, "'MSET', "+key+", 1, "+other+", 2", "'TYPE', "+key,
		"'SETNX', "+key+", "+value, "'INCRBYFLOAT', "+key+", "+number, "'DBSIZE'", "'PERSIST', "+key, "'PING'", "'EXPIRE', "+key+", 5000",
		"'GETEX', "+key, "'GETEX', "+key+", 'EX', "+number, "'GETEX', "+key+", 'PXAT', 4000000000123", "'GETEX', "+key+", 'PERSIST'",
		"'GETSET', "+key+", "+value, "'SETEX', "+key+", 5000, "+value, "'MSETNX', "+key+", 1, "+other+", 2", "'EXPIRETIME', "+key,
		"'EXPIREAT', "+key+", 4000000000, 'GT'", "'RENAMENX', "+key+", "+other, "'COPY', "+key+", "+other+", 'REPLACE'", "'ECHO', "+value,
		"'SUBSTR', "+key+", 0, 1", "'UNLINK', "+key, "'FLUSHALL'", "'TOUCH', "+key, "'SET', "+key+", "+value+", 'KEEPTTL'", "'TIME', 1",
		"'DECR', "+key, "'PSETEX', "+key+", 5000000, "+value, "'RANDOMKEY', 1", "'NOSUCH', "+key, "'GET'", "'MULTI'", "'SET', "+key+", {}", "'GET', nil")
	return g.one("redis.call(", "redis.call(", "redis.pcall(") + command + ")"
}

func (g *generator) expression(depth int) string {
	if depth == 0 {
		return g.one("KEYS[1]", "ARGV[1]", "ARGV[2]", "1", "3.7", "'x'", "true", "false", "nil", "#ARGV", "KEYS[9]")
	}
	switch g.IntN(12) {
	case 0:
		return "{" + g.expression(depth-1) + ", " + g.expression(depth-1) + ", " + g.expression(depth-1) + "}"
	case 1:
		return "tostring(" + g.expression(0) + ")"
	case 2:
		return "tonumber(" + g.expression(0) + " or 0)"
	case 3:
		return g.one("redis.error_reply('MY error')", "redis.status_reply('fine')", "{err = 'E x'}", "{ok = 'y'}", "redis.sha1hex(ARGV[1])")
	case 4:
		return "(" + g.expression(depth-1) + g.one(" and ", " or ") + g.expression(depth-1) + ")"
	case 5:
		return "cjson.encode({ARGV[1] == 'x', 1, 'a\"b'})"
	case 6:
		return g.expression(0)
	}
	return g.called()
}

// scanned compares all that a whole iteration answers.
func (g *generator) scanned(w *twins) {
	w.t.Helper()
	options := join("COUNT", g.one("1", "2", "3", "100"))
	if g.IntN(2) == 0 {
		options = join(options, "MATCH", g.one("*", "a", "[ab]", "?", "*x*", "k\\[1]", ""))
	}
	if g.IntN(4) == 0 {
		options = join(options, "TYPE", g.one("string", "STRING", "list"))
	}
	theirs, ours := w.theirs.iterate(options), w.ours.iterate(options)
	if !slices.Equal(theirs, ours) {
		w.t.Fatalf("SCAN %q: Redis answers %q, we %q", options, theirs, ours)
	}
}

// iterate returns the keys of a whole SCAN in order, each once.
func (c *respConn) iterate(options []string) []string {
	c.t.Helper()
	all := map[string]bool{}
	for cursor := "0"; ; {
		parts := elements(c.do(join("SCAN", cursor, options)...))
		if len(parts) != 2 {
			c.t.Fatalf("SCAN %s %q: %q", cursor, options, parts)
		}
		for _, key := range elements(parts[1]) {
			all[key] = true
		}
		if cursor = strings.Split(parts[0], "\r\n")[1]; cursor == "0" {
			return slices.Sorted(maps.Keys(all))
		}
	}
}
