package redis

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"ciderd/internal/protocol/resp"
	"ciderd/internal/session"
)

func TestScripts(t *testing.T) {
	p := around(t).user("alice")
	p.talk(`
		> EVAL "return 1" 0
		:1
		> EVAL "return redis.call('set', KEYS[1], ARGV[1])" 1 k v
		+OK
		> GET k
		$1 v
		> EVAL "return redis.call('get', KEYS[1])" 1 k
		$1 v
		> EVAL "return redis.call('get', 'none')" 0
		$-1
		> EVAL "redis.call('set', 'k', 'w') redis.call('incr', 'n') return {redis.call('get', 'k'), redis.call('incrby', 'n', 41), redis.call('mget', 'k', 'none')}" 0
		*3 $1 w :42 *2 $1 w $-1
		> EVAL "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) else return 0 end" 1 k other
		:0
		> EVAL "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) else return 0 end" 1 k w
		:1
		> EXISTS k
		:0
		> EVAL "redis.call('set', 'a', 1) redis.call('nosuch')" 0
		~ -ERR Unknown Redis command called from script script:
		> EVAL "redis.call('set', 'a', 1) return redis.pcall('incr', 'n', 'x', 'y')" 0
		~ -ERR Wrong number of args calling Redis command from script
		> GET a
		$1 1
		> EVAL "return redis.call('multi')" 0
		~ -ERR This Redis command is not allowed from script
		> EVAL "return redis.call('eval', 'return 1', 0)" 0
		~ -ERR This Redis command is not allowed from script
		> EVAL_RO "return redis.call('set', 'a', 2)" 0
		~ -ERR Write commands are not allowed from read-only scripts.
		> EVAL_RO "return redis.call('get', 'a')" 0
		$1 1
		> EVAL "return 1" x
		-ERR value is not an integer or out of range
		> EVAL "return 1" 2 a
		-ERR Number of keys can't be greater than number of args
		> EVAL "return 1" -1
		-ERR Number of keys can't be negative
		> EVALSHA 0000000000000000000000000000000000000000 0
		-NOSCRIPT No matching script. Please use EVAL.
		> SCRIPT LOAD "return {KEYS[1], ARGV[1]}"
		$40 d006f1a90249474274c76f5be725b8f5804a346b
		> EVALSHA D006F1A90249474274C76F5BE725B8F5804A346B 1 x y
		*2 $1 x $1 y
		> SCRIPT EXISTS d006f1a90249474274c76f5be725b8f5804a346b 0000000000000000000000000000000000000000
		*2 :1 :0
		> SCRIPT FLUSH now
		-ERR SCRIPT FLUSH only support SYNC|ASYNC option
		> SCRIPT FLUSH ASYNC
		+OK
		> SCRIPT EXISTS d006f1a90249474274c76f5be725b8f5804a346b
		*1 :0
		> EVAL "while true do end" 0
		~ -ERR the script takes too
		> EVAL "local x" 0
		$-1
		> EVAL "x = 1" 0
		~ -ERR user_script:1: Attempt to modify a readonly table
	`)
}

// What a script has written it sees itself, in all commands that look at keys; an error of it undoes nothing, as in
// Redis, and nothing is done of one that is ended.
func TestScriptsSeeTheirOwnWrites(t *testing.T) {
	p := around(t).user("alice")
	p.talk(`
		> MSET a 1 b 2
		+OK
		> EVAL "redis.call('set', 'c', 3) redis.call('del', 'a') local k = redis.call('keys', '*') table.sort(k) return {k, redis.call('dbsize'), redis.call('exists', 'a', 'b', 'c')}" 0
		*3 *2 $1 b $1 c :2 :2
		> EVAL "redis.call('flushall') redis.call('set', 'd', 4) return {redis.call('dbsize'), redis.call('randomkey')}" 0
		*2 :1 $1 d
		> KEYS *
		*1 $1 d
		> EVAL "redis.call('rename', 'd', 'e') redis.call('expire', 'e', 100) redis.call('append', 'e', 'x') return {redis.call('ttl', 'e'), redis.call('type', 'd'), redis.call('getdel', 'e')}" 0
		*3 :100 +none $2 4x
		> DBSIZE
		:0
		> EVAL "redis.call('set', 'k', 'v') while true do end" 0
		~ -ERR the script takes too
		> EXISTS k
		:0
		> SET old v
		+OK
		> EVAL "redis.call('set', 'k', string.rep('x', 1000)) redis.call('incr', 'k')" 0
		~ -ERR value is not an integer or out of range script:
		> STRLEN k
		:1000
	`)
}

// Scripts of many clients that read and write the same key lose nothing.
func TestScriptsAreAtomic(t *testing.T) {
	w := around(t)
	w.user("alice")
	var all sync.WaitGroup
	var mu sync.Mutex
	done := 0
	for range 4 {
		p := w.user("alice")
		all.Go(func() {
			for range 100 {
				got := p.do("EVAL", "local n = tonumber(redis.call('get', KEYS[1]) or '0') redis.call('set', KEYS[1], n + 1) return n", "1", "n")
				mu.Lock()
				switch {
				case strings.HasPrefix(got, ":"):
					done++
				case !strings.HasPrefix(got, "-TRYAGAIN"):
					t.Errorf("%q", got)
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	p := w.user("alice")
	if got := shown(p.do("GET", "n")); got != fmt.Sprintf("$%d %d", len(fmt.Sprint(done)), done) || done == 0 {
		t.Errorf("%s after %d", got, done)
	}
}

// A transaction with a script in it is done as a whole, with the replies of that moment.
func TestScriptsInTransactions(t *testing.T) {
	w := start(t, session.Config{})
	p, q := w.user("alice"), w.user("alice")
	p.talk(`
		> MULTI
		+OK
		> INCR n
		+QUEUED
		> EVAL "return redis.call('incrby', 'n', 10)" 0
		+QUEUED
		> GET n
		+QUEUED
		> EVALSHA 0000000000000000000000000000000000000000 0
		+QUEUED
		> PING
		+QUEUED
		> DBSIZE
		+QUEUED
		> EXEC
		*6 :1 :11 $2 11 -NOSCRIPT No matching script. Please use EVAL. +PONG :1
		> GET n
		$2 11
		> WATCH n
		+OK
		> MULTI
		+OK
		> EVAL "return redis.call('set', 'n', 'lost')" 0
		+QUEUED
	`)
	q.talk("> SET n other\n+OK")
	p.talk(`
		> EXEC
		*-1
		> GET n
		$5 other
		> MULTI
		+OK
		> SET n kept
		+QUEUED
		> EVAL "redis.call('set', 'n', 'lost') while true do end" 0
		+QUEUED
		> EXEC
		~ -ERR the script takes too
		> GET n
		$5 other
	`)
}

// A user's endless scripts hold up neither another user nor the user's own other commands.
func TestEndlessScriptsHoldUpNobodyElse(t *testing.T) {
	w := around(t)
	w.user("alice")
	var all sync.WaitGroup
	for range 3 {
		p := w.user("alice")
		all.Go(func() {
			if got := p.do("EVAL", "while true do end", "0"); !strings.HasPrefix(got, "-ERR the script takes too") {
				t.Errorf("%q", got)
			}
		})
	}
	q, p := w.user("bob"), w.user("alice")
	for range 20 {
		q.talk("> EVAL \"return redis.call('incr', 'n')\" 0\n~ :")
		p.talk("> SET k v\n+OK")
	}
	all.Wait()
}

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
