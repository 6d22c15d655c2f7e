//go:build e2e

package e2e

import (
	"slices"
	"strings"
	"testing"
)

// redisScriptCases are more of redisCases, about scripts and about what clients ask a server.
var redisScriptCases = []redisCase{
	{"scripts", `
		EVAL
		EVAL "return 1"
		EVAL "return 1" x
		EVAL "return 1" 1
		EVAL "return 1" -1
		EVAL "return (" 5
		EVAL "return KEYS" 2 a b c
		EVAL "return ARGV" 2 a b c
		EVAL "return {KEYS[1], ARGV[1], #KEYS, #ARGV}" 1 a b c
		EVALSHA e0e1f9fabfc9d4800c877a703b823ac0578ff8dc 0
		EVALSHA e0e1f9fabfc9d4800c877a703b823ac0578ff8dc 7
		EVALSHA short 7
		EVALSHA_RO x 0
		SCRIPT
		SCRIPT FOO
		SCRIPT LOAD
		SCRIPT LOAD "return 1"
		SCRIPT LOAD "return 1" x
		SCRIPT LOAD "return ("
		SCRIPT EXISTS
		SCRIPT EXISTS a e0e1f9fabfc9d4800c877a703b823ac0578ff8db E0E1F9FABFC9D4800C877A703B823AC0578FF8DB
		EVALSHA e0e1f9fabfc9d4800c877a703b823ac0578ff8db 0
		EVALSHA E0E1F9FABFC9D4800C877A703B823AC0578FF8DB 0
		SCRIPT FLUSH FOO
		SCRIPT FLUSH SYNC x
		SCRIPT FLUSH ASYNC
		SCRIPT EXISTS e0e1f9fabfc9d4800c877a703b823ac0578ff8db
		EVAL "return redis.call('get', KEYS[1])" 1 none
		EVAL "return redis.call('set', KEYS[1], ARGV[1])" 1 k v
		EVAL "return redis.call('foo')" 0
		EVAL "return redis.call('get')" 0
		EVAL "return redis.call()" 0
		EVAL "return redis.call('get', {})" 0
		EVAL "return redis.call('incr', KEYS[1])" 1 k
		EVAL "return redis.pcall('incr', KEYS[1])" 1 k
		EVAL "return redis.pcall('incr', KEYS[1]).err" 1 k
		EVAL_RO "return redis.call('set', 'a', 1)" 0
		EVAL_RO "return redis.call('get', 'k')" 0
		EVAL "#!lua\nreturn 1" 0
		EVAL "#!lua name=x\nreturn 1" 0
		EVAL "#!lua flags=no-writes\nreturn redis.call('set', 'a', 1)" 0
		EVAL "#!lua flags=no-writes,x\nreturn 1" 0
		EVAL "#!lua" 0
		EVAL "#!python\nprint(1)" 0
		EVAL_RO "#!lua\nreturn 1" 0
		EVAL_RO "#!lua flags=no-writes\nreturn 1" 0
		EVAL "return {1, {2, {3}}, 'a', true, false}" 0
		EVAL "return {1, nil, 3}" 0
		EVAL "return {double = 1.5}" 0
		EVAL "return {map = {a = 1}}" 0
		EVAL "return {set = {a = true}}" 0
		EVAL "return {big_number = '12345678901234567890'}" 0
		EVAL "return {verbatim_string = {format = 'txt', string = 'a'}}" 0
		EVAL "redis.setresp(3) return {true, false, redis.call('get', 'none') == nil}" 0
		EVAL "return {3.99, -3.99, 2^53}" 0
		EVAL "redis.call('set', 'a', '1') error('boom')" 0
		GET a
		EVAL "return redis.call('multi')" 0
		EVAL "return redis.call('watch', 'a')" 0
		EVAL "return redis.call('subscribe', '+sdown')" 0
		EVAL "return redis.call('eval', 'return 1', 0)" 0
		EVAL "return redis.call('client', 'id')" 0
		EVAL "return redis.call('wait', 0, 0)" 0
		EVAL "return redis.call('script', 'flush')" 0
		EVAL "return redis.call('select', 0)" 0
		EVAL "return redis.call('object', 'encoding', 'a')" 0
		EVAL "return #redis.call('scan', 0, 'count', 100)[2]" 0
		EVAL "return redis.call('keys', 'a')" 0
		EVAL "redis.call('flushall') return redis.call('dbsize')" 0
		COMMAND GETKEYS EVAL "return 1" 2 a b c
		COMMAND GETKEYS EVAL "return 1" 0
		COMMAND GETKEYS EVAL "return 1" x
		COMMAND GETKEYS EVAL "return 1" 5 a
		COMMAND GETKEYS EVALSHA abc 1 k
	`},
	{"scripts in transactions", `
		SET n 1
		WATCH n
		MULTI
		EVAL "return redis.call('incrby', KEYS[1], ARGV[1])" 1 n 5
		GET n
		SCRIPT LOAD "return 7"
		EVALSHA 3d3d8ee72d77b6bf1cb5d6e6a3d1d8a2f9c14b2f 0
		EVAL "return redis.call('incr', 'n', 'x')" 0
		EVAL "redis.call('set', 'half', 1) error('boom')" 0
		EVAL "return (" 0
		EVAL "return 1" 3 a
		SET text x
		INCR text
		MGET n half none
		CLIENT GETNAME
		EXEC
		GET half
		WATCH n
		2: INCR n
		MULTI
		EVAL "return redis.call('set', 'n', 0)" 0
		EXEC
		GET n
		MULTI
		EVAL "return 1"
		EXEC
		WATCH none
		EVAL "return redis.call('set', 'none', 1)" 0
		MULTI
		PING
		EXEC
	`},
	{"channels", `
		UNSUBSCRIBE
		UNSUBSCRIBE +sdown
		SUBSCRIBE
		SUBSCRIBE +switch-master
		SUBSCRIBE +switch-master
		PSUBSCRIBE +s*
		PING
		PING x
		GET k
		MULTI
		PING x y
		UNSUBSCRIBE +sdown
		UNSUBSCRIBE +switch-master
		RESET
		PING
	`},
	{"replies that are off", `
		SUBSCRIBE +sdown
		UNSUBSCRIBE +sdown
		MULTI
		CLIENT GETNAME
		EXEC
	`},
	{"asking", `
		WAIT
		WAIT 0
		WAIT x 0
		WAIT 0 x
		WAIT 0 -1
		WAIT 0 0 0
		ROLE x
		TIME x
		CONFIG
		CONFIG GET
		CONFIG FOO
		CONFIG GET nosuch
		CONFIG GET save
		CONFIG GET databases
		INFO nosuch
		OBJECT
		OBJECT FOO
		OBJECT ENCODING
		OBJECT ENCODING a b
		OBJECT FREQ
		MEMORY
		MEMORY FOO
		MEMORY USAGE
		MEMORY USAGE none
		MEMORY USAGE none SAMPLES
		MEMORY USAGE none SAMPLES x
		MEMORY USAGE none SAMPLES -1
		MEMORY USAGE none SAMPLES 0
		MEMORY USAGE none FOO 1
		SCAN
		SCAN x
		SCAN -1
		SCAN +0
		SCAN 0x
		SCAN " 0"
		SCAN 0 FOO
		SCAN 0 COUNT
		SCAN 0 COUNT 0
		SCAN 0 COUNT x
		SCAN 0 COUNT -1
		SCAN 0 MATCH
		SCAN 0 TYPE
		SCAN 0 TYPE string
		SCAN 0 TYPE nosuch
		SCAN 0 MATCH a MATCH b COUNT 5 COUNT 6
		SCAN 18446744073709551616
		SCAN 18446744073709551615
		MSET a 1 b 2 c 3 ab 4
		SCAN 0 COUNT 100
		SCAN 0 COUNT 100 MATCH a*
		SCAN 0 COUNT 100 TYPE list
		SCAN 0 COUNT 100 TYPE STRING MATCH ?
		COMMAND GETKEYS
		COMMAND GETKEYS WATCH a b
		COMMAND GETKEYS OBJECT ENCODING k
		COMMAND GETKEYS MEMORY USAGE k
		COMMAND LIST FOO
		COMMAND LIST FILTERBY
		COMMAND LIST FILTERBY FOO x
		COMMAND LIST FILTERBY PATTERN nosuch*
		COMMAND DOCS nosuch
		COMMAND INFO nosuch
	`},
}

// TestRedisAsked compares names and shapes where values are a server's own: clients look for these names.
func TestRedisAsked(t *testing.T) {
	w := &twins{t: t, socket: startRedis(t), address: startCiderd(t, 1)}
	for _, version := range []string{"2", "3"} {
		c := w.on(t)
		c.logIn(version)
		for _, name := range []string{"save", "appendonly", "maxmemory", "maxmemory-policy", "timeout", "databases", "proto-max-bulk-len"} {
			theirs, ours := c.do("CONFIG", "GET", name)
			if a, b := shape(theirs), shape(ours); a != b || !strings.Contains(ours, name) {
				t.Errorf("CONFIG GET %s: Redis answers %q, we %q", name, theirs, ours)
			}
		}
		for _, args := range [][]string{{"WAIT", "0", "0"}, {"TIME"}, {"ROLE"}, {"CLIENT", "ID"}, {"CLIENT", "INFO"}, {"INFO"}, {"CLIENT", "LIST"}} {
			if theirs, ours := c.do(args...); shape(theirs) != shape(ours) {
				t.Errorf("%q: Redis answers %.200q, we %.200q", args, theirs, ours)
			}
		}
		theirs, ours := c.do("INFO")
		known := fields(theirs)
		for _, name := range fields(ours) {
			if !slices.Contains(known, name) && !strings.HasPrefix(name, "ciderd_") {
				t.Errorf("INFO has %s, which Redis does not have", name)
			}
		}
		for _, name := range []string{
			"redis_version", "redis_mode", "os", "arch_bits", "process_id", "run_id", "tcp_port", "uptime_in_seconds", "connected_clients",
			"used_memory", "maxmemory", "maxmemory_policy", "keyspace_hits", "keyspace_misses", "evicted_keys",
			"total_commands_processed", "role", "connected_slaves", "master_replid", "master_repl_offset",
		} {
			if !slices.Contains(fields(ours), name) {
				t.Errorf("INFO has no %s", name)
			}
		}
	}
}

// shape is a reply without what stands in it: its types, and how many there are.
func shape(reply string) string {
	if reply == "" {
		return ""
	}
	if strings.IndexByte("*%~>", reply[0]) < 0 {
		return reply[:1]
	}
	head, _, _ := strings.Cut(reply, "\r\n")
	for _, e := range elements("*" + strings.Repeat("9", 5) + reply[strings.Index(reply, "\r\n"):]) {
		head += shape(e)
	}
	return head
}

// fields are the names of an INFO.
func fields(info string) (names []string) {
	for line := range strings.Lines(info) {
		if name, _, ok := strings.Cut(line, ":"); ok && !strings.ContainsAny(name, " #") && !strings.HasPrefix(line, "=") && name != "txt" {
			names = append(names, name)
		}
	}
	return names
}
