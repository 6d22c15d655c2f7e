//go:build e2e

package e2e

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// randomCommands is how many a sequence has.
const randomCommands = 4000

// playRandom plays random commands from several seeds.
func playRandom(t *testing.T, w *twins, version string, seeds []int64, commands int) {
	for _, seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			c, beside := w.on(t), w.on(t)
			c.logIn(version)
			beside.logIn(version)
			c.must("FLUSHALL")
			g := &generator{Rand: rand.New(rand.NewPCG(uint64(seed), 0))}
			watched := watching{of: beside.theirs, was: map[string]string{}}
			var before []string
			for range commands {
				args := g.command()
				excused := watched.before(args)
				theirs, ours := c.do(args...)
				before = append(before, strings.Join(args, " "))
				switch {
				case c.alike(args, theirs, ours):
				case args[0] == "EXEC" && excused && strings.Trim(theirs, "*-1_\r\n") == "":
					c.must("FLUSHALL") // what differs as docs/redis.md says: go on with what is alike
				default:
					t.Fatalf("%.200q\n  Redis: %.300q\n  we:    %.300q\nbefore that (REDIS_SEEDS=%d,): %.100q", args, theirs, ours, seed, before[max(0, len(before)-40):])
				}
				watched.after(args, theirs)
				if !c.open && g.IntN(40) == 0 {
					g.scanned(c)
				}
			}
		})
	}
}

// watching is what Redis had of the keys that are watched, when they began to be, and what was done since.
type watching struct {
	of   *respConn
	was  map[string]string
	done [][]string
}

// missing reports whether there was nothing: the time at which that ends is -2.
func missing(was string) bool { return strings.HasSuffix(was, "\r\n:-2\r\n") }

func (w *watching) look(key string) string { return w.of.do("GET", key) + w.of.do("PEXPIRETIME", key) }

// before is called before a command. For an EXEC it reports whether Redis may refuse it and we may not: each watched key was
// missing and is again, or has the deadline that it had, which was set once more at most.
func (w *watching) before(args []string) (excused bool) {
	if args[0] != "EXEC" {
		return false
	}
	for key, was := range w.was {
		if w.look(key) != was || !missing(was) && w.written(key) {
			return false
		}
	}
	return true
}

// written reports whether something may have been done to a key but to read it and to set its deadline.
func (w *watching) written(key string) bool {
	for _, args := range w.done {
		script := strings.HasPrefix(args[0], "EVAL")
		switch {
		case script && args[0] != "EVAL_RO" && args[0] != "EVALSHA_RO": // whatever is in it
			return true
		case script, !slices.Contains(args[1:], key), slices.Contains(harmless, args[0]):
		default:
			return true
		}
	}
	return false
}

// harmless are commands that read, or set deadlines.
var harmless = []string{
	"GET", "MGET", "EXISTS", "TOUCH", "STRLEN", "GETRANGE", "SUBSTR", "TYPE", "TTL", "PTTL", "EXPIRETIME", "PEXPIRETIME", "KEYS", "SCAN",
	"WATCH", "EXPIRE", "PEXPIRE", "EXPIREAT", "PEXPIREAT", "PERSIST", "GETEX",
}

// after is called after a command that Redis has answered.
func (w *watching) after(args []string, reply string) {
	switch {
	case args[0] == "EXEC", args[0] == "DISCARD" && reply == "+OK\r\n", args[0] == "UNWATCH" && reply == "+OK\r\n":
		clear(w.was)
		w.done = nil
	case args[0] == "WATCH" && reply == "+OK\r\n":
		for _, key := range args[1:] {
			if _, twice := w.was[key]; !twice {
				w.was[key] = w.look(key)
			}
		}
	case reply != "+QUEUED\r\n":
		w.done = append(w.done, args)
	}
}

// generator makes commands that work on few keys, so that they meet.
type generator struct {
	*rand.Rand
	next []string // a command that comes next; nil: any
}

func (g *generator) one(of ...string) string { return of[g.IntN(len(of))] }

func (g *generator) key() string { return g.one("a", "b", "c", "d", "e{x}", "*", "f\r\ng", "k[1]") }

func (g *generator) keys() (all []string) {
	for range 1 + g.IntN(4) {
		all = append(all, g.key())
	}
	return all
}

func (g *generator) pairs() (all []string) {
	for range 1 + g.IntN(4) {
		all = append(all, g.key(), g.value())
	}
	if g.IntN(20) == 0 {
		all = all[:len(all)-1]
	}
	return all
}

func (g *generator) value() string {
	switch g.IntN(6) {
	case 0:
		return g.integer()
	case 1:
		return g.number()
	case 2:
		return strings.Repeat(g.one("x", "\x00", "ü"), g.IntN(60))
	}
	return g.one("", "text", "a b", "10", "-1", "line\r\nend", "\xff\x80", "3.0", "9223372036854775807")
}

func (g *generator) integer() string {
	switch g.IntN(8) {
	case 0:
		return g.one("x", "", "1.5", "+1", "01", "9223372036854775808", "-9223372036854775808", "9223372036854775807", " 1")
	case 1:
		return strconv.FormatInt(g.Int64()-g.Int64(), 10)
	}
	return strconv.Itoa(g.IntN(40) - 20)
}

func (g *generator) number() string {
	return g.one("0.1", "-0.1", "1e5", "3.14159265358979", "-7", "5e-324", "1e300", "x", "", "inf", "-Infinity", "nan", "0x1p4", ".5", "5.",
		fmt.Sprint(g.NormFloat64()*1000))
}

// seconds are far enough apart that it does not matter when they begin.
func (g *generator) seconds() string {
	if g.IntN(6) == 0 {
		return g.one("0", "-1", "x", "9223372036854775807", "-9223372036854775808", "9223372036854775")
	}
	return strconv.Itoa(1000 + 100*g.IntN(1_000_000))
}

func (g *generator) millis() string {
	if s := g.seconds(); g.IntN(8) > 0 {
		return s + "000"
	}
	return g.one("0", "-100", "x")
}

func (g *generator) at() string {
	return g.one("1", "0", "-1", "x", "4000000000", "4000000100", "4100000000", "4000000000")
}

func (g *generator) atMillis() string { return g.one("1", "-1", "x", "4000000000123", "4000000100456") }

// expiry is an option about time.
func (g *generator) expiry() []string {
	switch g.IntN(6) {
	case 0:
		return []string{g.one("EX", "ex"), g.seconds()}
	case 1:
		return []string{"PX", g.millis()}
	case 2:
		return []string{"EXAT", g.at()}
	case 3:
		return []string{"PXAT", g.atMillis()}
	}
	return nil
}

// notPast makes a time that has passed one that has not: Redis counts a key that SET has given such a deadline in DBSIZE
// until it comes by.
func notPast(expiry []string) []string {
	if len(expiry) == 2 && expiry[1] == "1" {
		expiry[1] = "4000000000777"
	}
	return expiry
}

// some are options, each with one chance in four.
func (g *generator) some(options ...string) (taken []string) {
	for _, o := range options {
		if g.IntN(4) == 0 {
			taken = append(taken, o)
		}
	}
	return taken
}

func join(words ...any) (args []string) {
	for _, w := range words {
		switch w := w.(type) {
		case string:
			args = append(args, w)
		case []string:
			args = append(args, w...)
		}
	}
	return args
}

func (g *generator) command() []string {
	if next := g.next; next != nil {
		g.next = nil
		return next
	}
	switch g.IntN(13) {
	case 12:
		return g.scripted()
	case 0:
		return g.transaction()
	case 1, 2, 3:
		return g.read()
	case 4:
		return g.deadline()
	case 5, 6:
		return g.keyed()
	}
	return g.write()
}

func (g *generator) transaction() []string {
	switch g.IntN(6) {
	case 0, 1:
		return []string{"MULTI"}
	case 2:
		return join("WATCH", g.keys())
	case 3:
		return []string{g.one("DISCARD", "UNWATCH", "PING")}
	}
	return []string{"EXEC"}
}

func (g *generator) read() []string {
	switch g.IntN(12) {
	case 0:
		return join("MGET", g.keys())
	case 1:
		return join(g.one("EXISTS", "TOUCH"), g.keys())
	case 2:
		return join("STRLEN", g.key())
	case 3:
		return join(g.one("GETRANGE", "SUBSTR"), g.key(), g.integer(), g.integer())
	case 4:
		return join("TYPE", g.key())
	case 5:
		return []string{"DBSIZE"}
	case 6:
		return join("KEYS", g.one("*", "a", "[ab]", "?", "*x*", "nothing", "k\\[1]"))
	case 7, 8:
		return join(g.one("TTL", "PTTL", "EXPIRETIME", "PEXPIRETIME"), g.key())
	case 9:
		return join("GET", g.some("extra"))
	case 10:
		return join("SCAN", "0", "COUNT", "1000", "MATCH", g.one("*", "a", "[ab]", "?", "*x*"))
	}
	return join("GET", g.key())
}

func (g *generator) deadline() []string {
	options := g.some("NX", "XX", "GT", "LT")
	if g.IntN(3) > 0 {
		options = nil
	}
	switch g.IntN(5) {
	case 0:
		return join("EXPIRE", g.key(), g.seconds(), options)
	case 1:
		return join("PEXPIRE", g.key(), g.millis(), options)
	case 2:
		return join("EXPIREAT", g.key(), g.at(), options)
	case 3:
		return join("PEXPIREAT", g.key(), g.atMillis(), options)
	}
	return join("PERSIST", g.key())
}

func (g *generator) keyed() []string {
	switch g.IntN(8) {
	case 0:
		return join(g.one("DEL", "UNLINK"), g.keys())
	case 1, 2:
		return join(g.one("RENAME", "RENAMENX"), g.key(), g.key())
	case 3, 4:
		return join("COPY", g.key(), g.key(), g.some("REPLACE", "FOO"))
	case 5:
		if g.IntN(8) == 0 {
			return join(g.one("FLUSHALL", "FLUSHDB"), g.some("ASYNC"))
		}
		return join("GETDEL", g.key())
	}
	return join("GETEX", g.key(), g.expiry(), g.some("PERSIST"))
}

func (g *generator) write() []string {
	switch g.IntN(14) {
	case 0, 1:
		return join("SET", g.key(), g.value(), notPast(g.expiry()), g.some("NX", "XX", "GET", "KEEPTTL"))
	case 2:
		return join(g.one("SETNX", "GETSET"), g.key(), g.value())
	case 3:
		return join("SETEX", g.key(), g.seconds(), g.value())
	case 4:
		return join("PSETEX", g.key(), g.millis(), g.value())
	case 5, 6:
		return join(g.one("MSET", "MSETNX"), g.pairs())
	case 7:
		return join("APPEND", g.key(), g.value())
	case 8:
		return join("SETRANGE", g.key(), g.integer(), g.value())
	case 9:
		return join(g.one("INCR", "DECR"), g.key())
	case 10:
		return join(g.one("INCRBY", "DECRBY"), g.key(), g.integer())
	case 11:
		return join("INCRBYFLOAT", g.key(), g.number())
	}
	return join("SET", g.key(), g.value())
}
