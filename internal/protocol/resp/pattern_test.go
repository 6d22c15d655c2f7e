package resp

import (
	"bytes"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"ciderd/internal/protocol"
	"ciderd/test/norace"
)

// naivePattern is Redis' rule, told by going back.
func naivePattern(p, k string) bool {
	switch {
	case p == "":
		return k == ""
	case p[0] == '*':
		return naivePattern(p[1:], k) || k != "" && naivePattern(p, k[1:])
	case k == "":
		return false
	case p[0] == '?':
		return naivePattern(p[1:], k[1:])
	case p[0] == '[':
		in, rest := naiveClass(p[1:], k[0])
		return in && naivePattern(rest, k[1:])
	case p[0] == '\\' && len(p) > 1:
		p = p[1:]
	}
	return p[0] == k[0] && naivePattern(p[1:], k[1:])
}

func naiveClass(p string, c byte) (in bool, rest string) {
	negated := strings.HasPrefix(p, "^")
	p = strings.TrimPrefix(p, "^")
	for p != "" && p[0] != ']' {
		low, high, size := p[0], p[0], 1
		if p[0] == '\\' && len(p) >= 2 {
			low, high, size = p[1], p[1], 2
		} else if len(p) >= 3 && p[1] == '-' {
			low, high, size = min(p[0], p[2]), max(p[0], p[2]), 3
		}
		in = in || low <= c && c <= high
		p = p[size:]
	}
	return in != negated, strings.TrimPrefix(p, "]")
}

var patternPieces = []string{"*", "*", "?", "[", "]", "[", "]", "^", "!", "-", `\`, "a", "b", "c", "[a-c]", "[^b]", "\xc3", "\xa9", "\x00", "[]", "[^]"}

func drawPattern(rng *rand.Rand, from []string, n int) string {
	var b strings.Builder
	for range rng.IntN(n) {
		b.WriteString(from[rng.IntN(len(from))])
	}
	return b.String()
}

var keyPieces = []string{"a", "b", "c", "a", "]", "[", "-", "^", "!", `\`, "\xc3", "\xa9", "\u00e9", "\x00"}

func TestAPatternMatchesAsTheRuleSays(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	matched := 0
	for range 200_000 {
		pattern, key := drawPattern(rng, patternPieces, 8), drawPattern(rng, keyPieces, 7)
		p := CompilePattern([]byte(pattern))
		got, steps := p.Steps([]byte(key))
		if got != naivePattern(pattern, key) {
			t.Fatalf("%q on %q: got %v", pattern, key, got)
		}
		if steps > (len(key)+1)*(len(pattern)+1) {
			t.Fatalf("%q on %q took %d steps", pattern, key, steps)
		}
		if got {
			matched++
		}
	}
	if matched < 5_000 {
		t.Errorf("only %d matched", matched)
	}
}

func TestAPatternMatchesAsInRedis(t *testing.T) {
	norace.Alone(t)
	l := startLive(t)
	rng := rand.New(rand.NewPCG(7, 8))
	keys := map[string]bool{"a": true}
	for len(keys) < 300 {
		if key := drawPattern(rng, keyPieces, 7); key != "" {
			keys[key] = true
			l.do("SET", key, "v")
		}
	}
	l.do("SET", "a", "v")
	for range 20_000 {
		pattern := drawPattern(rng, patternPieces, 8)
		if strings.Contains(pattern, "-") && (strings.Contains(pattern, "\xc3") || strings.Contains(pattern, "\xa9")) {
			continue // a range from ASCII to beyond is another one where C's characters have a sign
		}
		reply := l.do("KEYS", pattern)
		p := CompilePattern([]byte(pattern))
		want := 0
		for key := range keys {
			matches := strings.Contains(reply, "\r\n$"+strconv.Itoa(len(key))+"\r\n"+key+"\r\n")
			if matches {
				want++
			}
			if got := p.Match([]byte(key)); got != matches {
				t.Fatalf("%q on %q: got %v", pattern, key, got)
			}
		}
		if !strings.HasPrefix(reply, "*"+strconv.Itoa(want)+"\r\n") {
			t.Fatalf("%q: %d keys, and Redis says %.10q", pattern, want, reply)
		}
	}
}

func TestAHostilePatternTakesBoundedStepsAndMemory(t *testing.T) {
	key := bytes.Repeat([]byte("a"), protocol.MaxKey)
	as := strings.Repeat("a", 511)
	for pattern, want := range map[string]int{
		"*" + as + "b":                         0,
		"*" + as + "b*":                        1,
		strings.Repeat("*a", 511) + "*b*":      512,
		"user:[0-9]*":                          1,
		"*[bc]":                                1,
		"*[bcd]*":                              protocol.MaxKey,
		"*" + strings.Repeat("?", 511) + "b*":  512 * 513,
		strings.Repeat("*[a]", 511) + "*[b]*":  511 + 513,
		"*" + strings.Repeat("?", 1025) + "*":  0,
		strings.Repeat("[a-z]", 100_000) + "*": 0,
		strings.Repeat("*", 100_000) + "b":     0,
		"*" + strings.Repeat("?*", 1024) + "b": 0,
	} {
		p := CompilePattern([]byte(pattern))
		if ok, steps := p.Steps(key); ok || steps != want {
			t.Errorf("%.20q: %v after %d steps, want %d", pattern, ok, steps, want)
		}
		if len(p.segments) > protocol.MaxKey+1 {
			t.Errorf("%.20q has %d segments", pattern, len(p.segments))
		}
	}
	p := CompilePattern([]byte(strings.Repeat("?", protocol.MaxKey) + "*"))
	if !p.Match(key) {
		t.Error("the longest pattern does not match the longest key")
	}
	if (&Pattern{}).Match([]byte("a")) || !(&Pattern{}).Match(nil) {
		t.Error("the zero Pattern")
	}
}

func TestAPatternKeepsNothingOfItsText(t *testing.T) {
	text := []byte("ab[c-d]*")
	p := CompilePattern(text)
	copy(text, "xxxxxxxx")
	if !p.Match([]byte("abcz")) || testing.AllocsPerRun(10, func() { p.Match([]byte("abcz")) }) != 0 {
		t.Error("changed with the text, or allocates")
	}
}

func FuzzPattern(f *testing.F) {
	for _, seed := range []string{"*", "a?c", "[a-c]*", "[^]x]", `\[a`, "[a", "*a*b*", "[z-a]", `[\]-a]`, "\xff[\xfe-\xff]"} {
		f.Add(seed, "abc")
		f.Add(seed, seed)
	}
	f.Fuzz(func(t *testing.T, pattern, key string) {
		if strings.Count(pattern, "*") > 4 || len(pattern) > 64 || len(key) > 64 {
			return // the rule by going back is slow
		}
		p := CompilePattern([]byte(pattern))
		if got := p.Match([]byte(key)); got != naivePattern(pattern, key) {
			t.Fatalf("%q on %q: got %v", pattern, key, got)
		}
	})
}
