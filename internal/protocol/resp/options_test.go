package resp

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"ciderd/test/norace"
)

// now is the time of these tests, in milliseconds of Unix.
const now = 1_700_000_000_000

// parsed is what is made of a request with options, as a text.
func parsed(args [][]byte) (string, error) {
	c, err := Lookup(args)
	if err != nil {
		return "", err
	}
	switch c.Name {
	case "set", "setex", "psetex":
		s, err := ParseSet(c, args)
		if err != nil {
			return "", err
		}
		ifeq := "-"
		if s.IfEq != nil {
			ifeq = fmt.Sprintf("%q", s.IfEq)
		}
		times, err := timed(&s.Expiry, c.Name)
		return fmt.Sprintf("%s=%s nx %v xx %v get %v ifeq %s %s", s.Key, s.Value, s.NX, s.XX, s.Get, ifeq, times), err
	case "getex":
		g, err := ParseGetEx(args)
		if err != nil {
			return "", err
		}
		times, err := timed(&g.Expiry, c.Name)
		return fmt.Sprintf("%s %s", g.Key, times), err
	case "scan":
		s, err := ParseScan(args)
		return fmt.Sprintf("%d match %q count %d type %q", s.Cursor, s.Match, s.Count, s.Type), err
	case "copy":
		c, err := ParseCopy(args)
		return fmt.Sprintf("%s>%s %v", c.From, c.To, c.Replace), err
	case "select":
		return "", ParseDB(args[1])
	}
	e, err := ParseExpire(c, args, now)
	return fmt.Sprintf("%s at %v %d nx %v xx %v gt %v lt %v", e.Key, e.At, e.Millis, e.NX, e.XX, e.GT, e.LT), err
}

func timed(e *Expiry, command string) (string, error) {
	if e.Kind != After && e.Kind != At {
		return []string{"none", "keep", "persist"}[e.Kind], nil
	}
	n, err := e.Millis(command, now)
	return fmt.Sprintf("%v %d", map[ExpiryKind]string{After: "after", At: "at"}[e.Kind], n), err
}

func TestOptionsAreRead(t *testing.T) {
	for request, want := range map[string]string{
		"set k v":                       "k=v nx false xx false get false ifeq - none",
		"SET k v EX 10 NX GET":          "k=v nx true xx false get true ifeq - after 10000",
		"set k v px 10 px 20":           "k=v nx false xx false get false ifeq - after 20",
		"set k v exat 10 xx":            "k=v nx false xx true get false ifeq - at 10000",
		"set k v pxat 10":               "k=v nx false xx false get false ifeq - at 10",
		"set k v KeepTTL get":           "k=v nx false xx false get true ifeq - keep",
		"set k v ifeq nx get":           `k=v nx false xx false get true ifeq "nx" none`,
		"setex k 10 v":                  "k=v nx false xx false get false ifeq - after 10000",
		"psetex k 10 v":                 "k=v nx false xx false get false ifeq - after 10",
		"getex k":                       "k none",
		"getex k persist":               "k persist",
		"getex k ex 10":                 "k after 10000",
		"getex k pxat 7":                "k at 7",
		"scan 0":                        `0 match "" count 10 type ""`,
		"scan 17 MATCH a* COUNT 5":      `17 match "a*" count 5 type ""`,
		"scan 17 type string match a b": "ERR syntax error",
		"scan -1 type STRING":           `18446744073709551615 match "" count 10 type "STRING"`,
		"copy a b":                      "a>b false",
		"copy a b REPLACE db 0":         "a>b true",
		"copy a b db 1":                 "ERR DB index is out of range",
		"expire k 10":                   "k at false 10000 nx false xx false gt false lt false",
		"expire k -1 NX":                "k at false -1000 nx true xx false gt false lt false",
		"pexpire k 10 xx gt":            "k at false 10 nx false xx true gt true lt false",
		"expireat k 10 lt":              "k at true 10000 nx false xx false gt false lt true",
		"pexpireat k 10":                "k at true 10 nx false xx false gt false lt false",
		"set k v ifeq a nx":             "ERR syntax error",
		"set k v nx ifeq a":             "ERR syntax error",
		"set k v ifeq":                  "ERR syntax error",
		"set k v ifeq a ifeq a":         "ERR syntax error",
		"set k v ex 9223372036854775":   "ERR invalid expire time in 'set' command",
		"select 0":                      "",
		"select x":                      "ERR value is not an integer or out of range",
		"set k v ex 1 px 2":             "ERR syntax error",
		"set k v ex 1 exat 2":           "ERR syntax error",
		"set k v ex 1 keepttl":          "ERR syntax error",
		"set k v keepttl ex 1":          "ERR syntax error",
		"set k v ex":                    "ERR syntax error",
		"set k v xx nx":                 "ERR syntax error",
		"set k v persist":               "ERR syntax error",
		"set k v ex x":                  "ERR value is not an integer or out of range",
		"set k v ex 0":                  "ERR invalid expire time in 'set' command",
		"setex k 0 v":                   "ERR invalid expire time in 'setex' command",
		"psetex k -1 v":                 "ERR invalid expire time in 'psetex' command",
		"getex k ex 0":                  "ERR invalid expire time in 'getex' command",
		"getex k keepttl":               "ERR syntax error",
		"getex k ex 1 persist":          "ERR syntax error",
		"getex k persist ex 1":          "ERR syntax error",
		"scan x":                        "ERR invalid cursor",
		"scan 18446744073709551615":     `18446744073709551615 match "" count 10 type ""`,
		"scan 18446744073709551616":     "ERR invalid cursor",
		"scan 0 count 0":                "ERR syntax error",
		"scan 0 count x":                "ERR value is not an integer or out of range",
		"scan 0 match":                  "ERR syntax error",
		"copy a a":                      "ERR source and destination objects are the same",
		"copy a a foo":                  "ERR syntax error",
		"copy a b db 2147483648":        "ERR value is out of range, value must between -2147483648 and 2147483647",
		"expire k x":                    "ERR value is not an integer or out of range",
		"expire k x foo":                "ERR Unsupported option foo",
		"expire k 10 nx lt":             "ERR NX and XX, GT or LT options at the same time are not compatible",
		"expire k 10 nx xx":             "ERR NX and XX, GT or LT options at the same time are not compatible",
		"expire k 10 gt lt":             "ERR GT and LT options at the same time are not compatible",
		"expire k 9223372036854776":     "ERR invalid expire time in 'expire' command",
		"expireat k -9223372036854776":  "ERR invalid expire time in 'expireat' command",
		"pexpireat k -9223372036854776": "k at true -9223372036854776 nx false xx false gt false lt false",
	} {
		got, err := parsed(words(request))
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", request, got, want)
		}
	}
	// An empty value to compare with is one.
	c, _ := Lookup(words("set k v"))
	if s, err := ParseSet(c, append(words("set k v ifeq"), nil)); err != nil || s.IfEq == nil {
		t.Error(s, err)
	}
}

// A deadline must fit into 64 bits together with the time that it is now.
func TestADeadlineDoesNotOverflow(t *testing.T) {
	for _, tc := range []struct {
		e    Expiry
		ok   bool
		want int64
	}{
		{Expiry{After, false, []byte("9223372036854775807")}, false, 0},
		{Expiry{After, false, fmt.Append(nil, math.MaxInt64-int64(now))}, true, math.MaxInt64 - now},
		{Expiry{After, false, fmt.Append(nil, math.MaxInt64-int64(now)+1)}, false, 0},
		{Expiry{At, false, []byte("9223372036854775807")}, true, math.MaxInt64},
		{Expiry{At, true, []byte("9223372036854775")}, true, 9223372036854775000},
		{Expiry{At, true, []byte("9223372036854776")}, false, 0},
		{Expiry{At, false, []byte("0")}, false, 0},
	} {
		if n, err := tc.e.Millis("set", now); (err == nil) != tc.ok || err == nil && n != tc.want {
			t.Errorf("%+v: got %d, %v", tc.e, n, err)
		}
	}
	c, _ := Lookup(words("pexpire k 1"))
	if _, err := ParseExpire(c, words(fmt.Sprint("pexpire k ", math.MaxInt64-int64(now))), now); err != nil {
		t.Error(err)
	}
	if _, err := ParseExpire(c, words(fmt.Sprint("pexpire k ", math.MaxInt64-int64(now)+1)), now); err == nil {
		t.Error("one more fits")
	}
}

var optionWords = []string{
	"NX", "xx", "GET", "keepttl", "PERSIST", "EX", "px", "EXAT", "pxat", "10", "0", "-1", "x", "99999999999999", "9223372036854775807", "9223372036854776", "COUNT", "match", "TYPE",
	"GT", "lt", "replace", "DB", "foo", "EX 10", "PX 5000", "EXAT 9999999999", "COUNT 5", "MATCH a*", "DB 0", "+0", "007",
}

// What is wrong with options is wrong in Redis, and has the same words.
func TestErrorsInOptionsAreThoseOfRedis(t *testing.T) {
	norace.Alone(t)
	l := startLive(t)
	l.do("SET", "other", "v")
	rng := rand.New(rand.NewPCG(5, 6))
	heads := []string{"set k v", "set k v", "getex other", "scan 0", "scan", "copy other b", "copy other other", "expire k", "pexpire k", "expireat k", "pexpireat k", "setex k", "psetex k", "select", "expire k 10"}
	wrong := map[string]int{}
	for range 20_000 {
		request := heads[rng.IntN(len(heads))] + " " + strings.Join(drawWords(rng, optionWords, 5), " ")
		l.do("SET", "other", "v") // GETEX looks at its time only if the key is there
		reply := l.do(strings.Fields(request)...)
		_, err := parsed(words(request))
		got := ""
		if err != nil {
			got = "-" + err.Error() + "\r\n"
		}
		if reply[0] != '-' {
			reply = ""
		}
		if got != reply {
			t.Fatalf("%s: got %q, want %q", request, got, reply)
		}
		wrong[got]++
	}
	if len(wrong) < 20 {
		t.Errorf("only %d kinds of errors came up", len(wrong))
	}
}

func drawWords(rng *rand.Rand, from []string, n int) (out []string) {
	for range rng.IntN(n) {
		out = append(out, from[rng.IntN(len(from))])
	}
	return out
}

func TestACursorIsOneInRedis(t *testing.T) {
	l := startLive(t)
	rng := rand.New(rand.NewPCG(7, 8))
	for range 3000 {
		text := drawPattern(rng, []string{"0", "1", "+", "-", " ", "1844674407370955161", "5", "6", "x", "\x00", "\t"}, 5)
		reply := l.do("SCAN", text)
		if _, err := ParseScan([][]byte{nil, []byte(text)}); (err == nil) != (reply[0] == '*') || err != nil && reply != "-"+err.Error()+"\r\n" {
			t.Errorf("%q: got %v, Redis says %q", text, err, reply)
		}
	}
}
