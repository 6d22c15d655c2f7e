package redis

import (
	"fmt"
	"strings"
	"sync"
	"testing"

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
