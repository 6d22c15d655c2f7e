package redis

import (
	"runtime"
	"slices"
	"strings"
	"testing"

	"ciderd/internal/protocol/resp"
)

// A script that says that it writes nothing is kept from writing, and EVAL_RO wants to be told so where there is a first
// line that tells flags.
func TestTheFlagsOfAScript(t *testing.T) {
	p := around(t).user("alice")
	for _, s := range []struct{ command, source, want string }{
		{"EVAL", "#!lua\nreturn redis.call('set', 'k', 'v')", "+OK"},
		{"EVAL", "#!lua flags=no-writes\nreturn redis.call('get', 'k')", "$1 v"},
		{"EVAL", "#!lua flags=no-writes\nreturn redis.pcall('set', 'k', 'w')", "-" + string(errScriptReadOnly)},
		{"EVAL_RO", "#!lua flags=no-writes\nreturn redis.call('get', 'k')", "$1 v"},
		{"EVAL_RO", "#!lua\nreturn 1", "-" + string(errScriptWrites)},
	} {
		if got := shown(p.do(s.command, s.source, "0")); got != s.want {
			t.Errorf("%s %q: %q, want %q", s.command, s.source, got, s.want)
		}
	}
	p.talk("> EVALSHA x 5 k\n-" + string(resp.ErrNoScript) + "\n> EVAL #!foo 5 k\n-" + string(errTooManyKeys))
}

func TestANumberOfAnySizeHasItsType(t *testing.T) {
	p := around(t).user("alice")
	p.talk("> EVAL \"return {big_number='12345678901234567890'}\" 0\n$20 12345678901234567890\n> HELLO 3\n~ %7")
	if got := p.do("EVAL", "return {big_number='12345678901234567890'}", "0"); got != "(12345678901234567890\r\n" {
		t.Errorf("%q", got)
	}
}

// All scripts of a transaction together may take what one may, and so may the replies of its other commands: they are kept
// until the end.
func TestATransactionWithScriptsIsBounded(t *testing.T) {
	w := around(t)
	p := w.user("alice")
	p.do("SET", "k", strings.Repeat("v", 500<<10))
	for _, c := range []struct {
		command []string
		want    string
	}{
		{[]string{"EVAL", "for i = 1, 1000000 do end", "0"}, "-ERR the script takes too many steps; nothing was done\r\n"},
		{[]string{"EVAL", "return string.rep('x', 300000)", "0"}, "-ERR the script takes too much memory; nothing was done\r\n"},
		{[]string{"GET", "k"}, "-ERR the script takes too much memory; nothing was done\r\n"},
		{append([]string{"MGET"}, slices.Repeat([]string{"k"}, 100)...), "-ERR the script takes too much memory; nothing was done\r\n"},
	} {
		p.do("MULTI")
		p.do("EVAL", "redis.call('set', 'written', 1)", "0")
		for range 100 {
			p.do(c.command...)
		}
		if got := p.do("EXEC"); got != c.want && !strings.HasPrefix(got, "-ERR the script takes too long") {
			t.Errorf("%.100q: %.200q", c.command, got)
		}
		p.talk("> EXISTS written\n:0")
	}
	p.nothingTaken()
}

// A command of a script is not answered at any length before that is counted.
func TestAReplyToAScriptIsBounded(t *testing.T) {
	p := around(t).user("alice")
	p.do("SET", "k", strings.Repeat("v", 500<<10))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	got := p.do("EVAL", "local t = {'mget'} for i = 1, 5000 do t[#t+1] = 'k' end return #redis.call(unpack(t))", "0")
	runtime.ReadMemStats(&after)
	if got != "-ERR the script takes too much memory; nothing was done\r\n" {
		t.Errorf("%.100q", got)
	}
	if n := after.TotalAlloc - before.TotalAlloc; n > 512<<20 {
		t.Errorf("%d MiB were allocated", n>>20)
	}
}

// What a script has replied is held for a client that does not take it, and counts as long.
func TestAReplyOfAScriptCounts(t *testing.T) {
	p := around(t).user("alice")
	most := int64(0)
	p.sends = func() { most = max(most, p.Held()) }
	p.do("EVAL", "return string.rep('x', 3000000)", "0")
	if most < 3_000_000 || p.Held() != 0 {
		t.Errorf("%d bytes are held while it is sent, and %d afterwards", most, p.Held())
	}
	most = 0
	p.do("MULTI")
	p.do("EVAL", "return string.rep('x', 3000000)", "0")
	p.do("PING")
	p.do("EXEC")
	if most < 3_000_000 || p.Held() != 0 {
		t.Errorf("%d bytes are held while it is sent, and %d afterwards", most, p.Held())
	}
}

// A GETEX that changes nothing is a read, and what is wrong with it depends on whether the key is there.
func TestGetExInScripts(t *testing.T) {
	p := around(t).user("alice")
	p.talk(`
		> SET k v EX 100
		+OK
		> EVAL "return {redis.call('getex', 'k'), redis.call('getex', 'none'), redis.call('getex', 'none', 'ex', '-1')}" 0
		*3 $1 v $-1 $-1
		> EVAL "return {redis.pcall('getex', 'k', 'ex', '-1').err, redis.pcall('getex', 'k', 'ex', 'x').err}" 0
		*2 $42 ERR invalid expire time in 'getex' command $43 ERR value is not an integer or out of range
		> EVAL "redis.call('getex', 'k', 'persist') return redis.call('ttl', 'k')" 0
		:-1
	`)
}

// A script that a transaction loads can be run in it.
func TestScriptsAreLoadedInTheirPlace(t *testing.T) {
	p := around(t).user("alice")
	p.talk(`
		> SCRIPT LOAD "return 123"
		~ $40
		> SCRIPT FLUSH
		+OK
		> MULTI
		+OK
		> SCRIPT EXISTS 30dc9ef2a8d563dced9a243ecd0cc449c2ea0144
		+QUEUED
		> SCRIPT LOAD "return 123"
		+QUEUED
		> SCRIPT EXISTS 30dc9ef2a8d563dced9a243ecd0cc449c2ea0144
		+QUEUED
		> EVALSHA 30dc9ef2a8d563dced9a243ecd0cc449c2ea0144 0
		+QUEUED
		> SCRIPT FLUSH
		+QUEUED
		> EVALSHA 30dc9ef2a8d563dced9a243ecd0cc449c2ea0144 0
		+QUEUED
		> EXEC
		*6 *1 :0 $40 30dc9ef2a8d563dced9a243ecd0cc449c2ea0144 *1 :1 :123 +OK -NOSCRIPT No matching script. Please use EVAL.
	`)
}

func TestScriptsAreOfAUser(t *testing.T) {
	w := around(t)
	p, q := w.user("alice"), w.user("bob")
	sha := strings.Fields(shown(p.do("SCRIPT", "LOAD", "return 5")))[1]
	q.talk("> SCRIPT EXISTS " + sha + "\n*1 :0\n> EVALSHA " + sha + " 0\n-" + string(resp.ErrNoScript) + "\n> SCRIPT FLUSH\n+OK")
	w.user("alice").talk("> EVALSHA " + sha + " 0\n:5")
}
