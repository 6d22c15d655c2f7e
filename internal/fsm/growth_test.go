package fsm

import (
	"fmt"
	"strings"
	"testing"
)

// A key that stands in an MSET many times makes no room for the others: neither a limit nor a quota is passed by it.
func TestMSetOfOneKeyManyTimes(t *testing.T) {
	const size = 256 << 10
	for _, set := range []Command{
		limits(Limits{MaxMemory: MinMemory, Reject: true}),
		limits(Limits{MaxMemory: MinMemory}),
		{Op: OpQuota, User: 1, N: 4 << 20},
	} {
		n := withUser(t)
		n.one(1, set, Result{Kind: KindOK})
		value := strings.Repeat("v", size)
		for i := 0; ; i++ {
			c := Command{Op: OpSet, User: 1, Key: fmt.Append(nil, "a", i), Value: []byte(value)}
			if r := n.do(2, c)[0]; r.Kind != KindOK {
				break
			}
		}
		before := n.Shares().Memory()
		for i := range 4 {
			key := fmt.Sprint("a", i)
			grows := words(key, "x", key, "x", key, "x", key, "x", fmt.Sprint("b", i), value, fmt.Sprint("c", i), value, fmt.Sprint("d", i), value)
			if r := n.do(2, Command{Op: OpMSet, User: 1, Words: grows})[0]; r.Kind == KindOK {
				t.Errorf("%+v: it was stored", set)
			}
		}
		if now := n.Shares().Memory(); now > before {
			t.Errorf("memory grew from %d to %d", before, now)
		}
		// What does not grow passes, however often a key stands there: the last value counts.
		same := words("a0", value, "a0", "x", "a0", value)
		n.one(2, Command{Op: OpMSet, User: 1, Words: same}, Result{Kind: KindOK})
	}
}

// The gate knows at least what an entry stores, whatever its commands are.
func TestGrowthIsABound(t *testing.T) {
	many := func(n int, c func(i int) Command) (all []Command) {
		for i := range n {
			all = append(all, c(i))
		}
		return all
	}
	var pairs []string
	for i := range 2000 {
		pairs = append(pairs, fmt.Sprint(i), "")
	}
	edge := strings.Repeat("v", 32<<10-14-len("k0")) // its record just fills a size of the allocator
	for name, c := range map[string]struct{ before, commands []Command }{
		"small pairs": {nil, []Command{{Op: OpMSet, User: 1, Words: words(pairs...)}}},
		"ids": {nil, many(500, func(i int) Command {
			return once(fmt.Sprintf("%064d", i), setFor(fmt.Sprint(i), "", 1000))
		})},
		"counters": {nil, many(500, func(i int) Command { return Command{Op: OpIncr, User: 1, Key: fmt.Append(nil, i), N: 1} })},
		"appends": {nil, many(500, func(i int) Command {
			return Command{Op: OpAppend, User: 1, Key: fmt.Append(nil, i%100), Value: []byte("vv")}
		})},
		"accounts": {nil, many(50, func(i int) Command { return register(fmt.Sprint("user", i)) })},
		"deadlines at the edge": {
			many(10, func(i int) Command { return set(fmt.Sprint("k", i), edge) }),
			many(10, func(i int) Command { return Command{Op: OpExpire, User: 1, Key: fmt.Append(nil, "k", i), TTL: 1000} }),
		},
		"stores": {nil, many(500, func(i int) Command {
			return Command{Op: OpStore, User: 1, Key: fmt.Append(nil, i), TTL: 1000, Flags: FlagNX}
		})},
		"copies": {[]Command{setFor("from", edge, 1000)}, many(50, func(i int) Command { return move("from", fmt.Sprint("a longer name", i), FlagCopy) })},
		"renames": {
			many(10, func(i int) Command { return set(fmt.Sprint("k", i), edge) }),
			many(10, func(i int) Command { return move(fmt.Sprint("k", i), fmt.Sprint("longer", i), 0) }),
		},
		"copies of what the entry stores": {nil, append([]Command{set("from", edge)}, many(50, func(i int) Command { return move("from", fmt.Sprint(i), FlagCopy) })...)},
		"numbers": {nil, many(200, func(i int) Command {
			return Command{Op: OpIncrFloat, User: 1, Key: fmt.Append(nil, i), Value: []byte("-1.2e25")}
		})},
		"large numbers": {[]Command{set("k", "1e4930")}, []Command{{Op: OpIncrFloat, User: 1, Key: []byte("k"), Value: []byte("1")}}},
		"ranges": {[]Command{set("k0", edge)}, many(20, func(i int) Command {
			return Command{Op: OpSetRange, User: 1, Key: fmt.Append(nil, "k", i), N: 40_000, Value: []byte("v")}
		})},
		"deadlines of Redis at the edge": {
			many(10, func(i int) Command { return set(fmt.Sprint("k", i), edge) }),
			many(10, func(i int) Command {
				return Command{Op: []Op{OpDeadline, OpGetExpire}[i%2], User: 1, Key: fmt.Append(nil, "k", i), TTL: 1000}
			}),
		},
		"new pairs": {nil, []Command{{Op: OpMSetNX, User: 1, Words: words(pairs...)}}},
		"a transaction": {[]Command{set("from", edge)}, []Command{exec(many(40, func(i int) Command {
			return []Command{set(fmt.Sprint(i), ""), move("from", fmt.Sprint("copy", i), FlagCopy), incr("n"), set("same", edge)}[i%4]
		})...)}},
	} {
		n := withUser(t)
		if len(c.before) > 0 {
			n.do(1, c.before...)
		}
		e := entry(Header{Origin: []byte("b/1"), Incarnation: 1, Sequence: 1, Stamp: 2}, c.commands...)
		before, exact, bound := n.Shares().Memory(), n.Shares().Growth(e).Total, BoundGrowth(e)
		n.feed(e)
		if grew := n.Shares().Memory() - before; grew == 0 || grew > exact || exact > bound {
			t.Errorf("%s: it grew by %d; growth %d, bound %d", name, grew, exact, bound)
		}
	}
}
