package protocol

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestGlob(t *testing.T) {
	for _, tc := range []struct{ pattern, yes, no string }{
		{"", "", "a"},
		{"abc", "abc", "ab abcd Abc"},
		{"*", "a abc *", ""},
		{"a*", "a ab abc", "b ba"},
		{"*a", "a ba bca", "ab"},
		{"a*b*c", "abc aXbXc aabbcc abcbc", "ab acb abcd"},
		{"**a**", "a xay", "x"},
		{"a*a", "aa aba", "a"},
		{"*a*a", "aa aba", "a"},
		{"a*b*b", "abb abab", "ab"},
		{"*[a]*[a]", "aa aba", "a"},
		{"*?\xa9", "\xa9\xa9 \u00e9\xa9 a\xa9", "\xa9 \u00e9 a\u00e9"},
		{"a?c", "abc a?c a\u00e9c a\u20acc a\xffc", "ac abbc"},
		{"*??", "ab abc \u00e9\u00e9", "a \u20ac"},
		{"[abc]", "a b c", "d ab []"},
		{"[a-c]x", "ax bx cx", "dx x"},
		{"[c-a]", "a b c", "d -"},
		{"[^a-c]", "d - \u00e9", "a b c dd"},
		{"[!a]", "b !", "a"},
		{"[a!^]", "a ! ^", "b"},
		{"[]a]", "] a", "b []a]"},
		{"[^]a]", "b", "] a"},
		{"[a-]", "a -", "b"},
		{"[-a]", "a -", "b"},
		{`[\]\-a]`, "] - a", `\`},
		{`[a\-z]`, "a - z", `b \`},
		{"[\u00e0-\u00ff]", "\u00e9", "e \u0100 \xe9"},
		{"[abc", "[abc", "a"},
		{"[]", "[]", "a"},
		{"[^", "[^", "a"},
		{"a[", "a[", "a"},
		{"[a*", "[a [abc", "a"},
		{`[a\]`, `[a]`, `a \`},
		{`\*`, "*", `a \*`},
		{`\?\[a]`, "?[a]", "xa"},
		{`\a`, "a", `\a`},
		{`a\`, `a\`, "a"},
		{"\xff*", "\xff \xffa", "a"},
		{"\u00e9", "\u00e9", "e \xc3"},
		{"user:[0-9]*", "user:7 user:42", "user: user:x"},
	} {
		g := CompileGlob(b(tc.pattern))
		for _, key := range strings.Fields(tc.yes) {
			if !g.Match(b(key)) {
				t.Errorf("%q does not match %q", tc.pattern, key)
			}
		}
		for _, key := range strings.Fields(tc.no) {
			if g.Match(b(key)) {
				t.Errorf("%q matches %q", tc.pattern, key)
			}
		}
	}
	if g := CompileGlob(nil); !g.Match(b("")) || g.Match(b("a")) || !(&Glob{}).Match(b("")) {
		t.Error("the empty pattern")
	}
	if g := CompileGlob(b("*")); !g.Match(b("")) {
		t.Error("* does not match the empty key")
	}
}

func TestGlobKeepsNothingOfThePattern(t *testing.T) {
	pattern := b("ab[c-d]*")
	g := CompileGlob(pattern)
	copy(pattern, "xxxxxxxx")
	if !g.Match(b("abcz")) {
		t.Error("changed with the pattern's buffer")
	}
}

// A pattern made to go back at every character takes no more steps than the bound: with one that
// grew exponentially, this test would not end.
func TestGlobHostile(t *testing.T) {
	g := CompileGlob(b(strings.Repeat("*a", 511) + "b"))
	if g.Match(b(strings.Repeat("a", MaxKey))) {
		t.Error("matches")
	}
	g = CompileGlob(b("*" + strings.Repeat("a", 512) + "b"))
	if g.Match(b(strings.Repeat("a", MaxKey))) {
		t.Error("matches")
	}
}

// units splits s into characters as the documentation of Glob defines them.
func units(s []byte) (out []string) {
	for len(s) > 0 {
		_, n := utf8.DecodeRune(s)
		out, s = append(out, string(s[:n])), s[n:]
	}
	return out
}

// order compares two units: a byte that is not UTF-8 comes after every character.
func order(u string) int {
	r, n := utf8.DecodeRuneInString(u)
	if r == utf8.RuneError && n == 1 {
		return utf8.MaxRune + 1 + int(u[0])
	}
	return int(r)
}

// naiveMatch is the rule by recursion.
func naiveMatch(p, k []string) bool {
	if len(p) == 0 {
		return len(k) == 0
	}
	if p[0] == "*" {
		return naiveMatch(p[1:], k) || len(k) > 0 && naiveMatch(p, k[1:])
	}
	if len(k) == 0 {
		return false
	}
	if p[0] == "[" {
		if in, size := naiveClass(p, k[0]); size > 0 {
			return in && naiveMatch(p[size:], k[1:])
		}
	}
	if p[0] == "?" {
		return naiveMatch(p[1:], k[1:])
	}
	if p[0] == `\` && len(p) > 1 {
		p = p[1:]
	}
	return p[0] == k[0] && naiveMatch(p[1:], k[1:])
}

// naiveClass says whether c is in the class that p starts with, and the size of that class.
func naiveClass(p []string, c string) (in bool, size int) {
	type member struct {
		unit    string
		escaped bool
	}
	var members []member
	i := 1
	negate := i < len(p) && (p[i] == "^" || p[i] == "!")
	if negate {
		i++
	}
	for ; i < len(p) && (p[i] != "]" || len(members) == 0); i++ {
		m := member{p[i], false}
		if p[i] == `\` && i+1 < len(p) {
			i++
			m = member{p[i], true}
		}
		members = append(members, m)
	}
	if i >= len(p) {
		return false, 0
	}
	for j := 0; j < len(members); j++ {
		lo, hi := order(members[j].unit), order(members[j].unit)
		if j+2 < len(members) && members[j+1] == (member{"-", false}) {
			hi = order(members[j+2].unit)
			j += 2
		}
		in = in || min(lo, hi) <= order(c) && order(c) <= max(lo, hi)
	}
	return in != negate, i + 1
}

func checkGlob(t *testing.T, pattern, key []byte) {
	t.Helper()
	g := CompileGlob(pattern)
	want := naiveMatch(units(pattern), units(key))
	if got := g.Match(key); got != want {
		t.Fatalf("%q on %q: got %v", pattern, key, got)
	}
}

func TestGlobRandom(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	draw := func(from []string, n int) (out []byte) {
		for range rng.IntN(n) {
			out = append(out, from[rng.IntN(len(from))]...)
		}
		return out
	}
	for range 30000 {
		pattern := draw([]string{"*", "*", "?", "[", "]", "[", "]", "^", "!", "-", `\`, "a", "b", "c", "\u00e9", "\xc3", "\xa9"}, 9)
		key := draw([]string{"a", "b", "c", "a", "]", "[", "-", "\u00e9", "\xc3", "\xa9"}, 8)
		checkGlob(t, pattern, key)
		checkGlob(t, draw([]string{"*", "*", "?", "a", "b", "[a]"}, 7), draw([]string{"a", "b"}, 6))
	}
}

func FuzzGlob(f *testing.F) {
	for _, seed := range []string{"*", "a?c", "[a-c]*", "[^]x]", `\[a`, "[a", "*a*b*", "[z-a]", `[\]-a]`, "\xff[\xfe-\xff]"} {
		f.Add([]byte(seed), []byte("abc"))
		f.Add([]byte(seed), []byte(seed))
	}
	f.Fuzz(func(t *testing.T, pattern, key []byte) {
		if bytes.Count(pattern, []byte("*")) <= 4 && len(pattern) <= 64 && len(key) <= 64 { // the rule by recursion is slow
			checkGlob(t, pattern, key)
		}
	})
}

// Plain text is found without going back, however often its start is met; the rest tells what it took.
func TestGlobSteps(t *testing.T) {
	key := b(strings.Repeat("a", MaxKey))
	as := strings.Repeat("a", 511)
	for pattern, want := range map[string]int{
		"*" + as + "b":                        0,
		"*" + as + "b*":                       1,
		strings.Repeat("*a", 511) + "*b*":     512,
		"user:[0-9]*":                         1,
		"*[bc]":                               3,
		"*[bcd]*":                             4 * MaxKey,
		"*" + strings.Repeat("?", 511) + "b*": 512 * 513,
		"*" + as + "[b]*":                     513 * 513,
		"*" + as + "\xff*":                    512 * 513,
		"*" + as + "[^b]z*":                   514 * 512,
	} {
		g := CompileGlob(b(pattern))
		if ok, steps := g.Steps(key); ok || steps != want {
			t.Errorf("%.20q: %v after %d steps, want %d", pattern, ok, steps, want)
		}
	}
}

func BenchmarkGlobHostile(b *testing.B) {
	key := []byte(strings.Repeat("a", 1000) + "000000")
	for name, pattern := range map[string]string{
		"text":    "*" + strings.Repeat("a", 500) + "b",
		"inside":  "*" + strings.Repeat("a", 500) + "b*",
		"letters": strings.Repeat("*a", 500) + "*b*",
		"any":     "*" + strings.Repeat("?", 500) + "b*",
	} {
		b.Run(name, func(b *testing.B) {
			g := CompileGlob([]byte(pattern))
			for b.Loop() {
				if g.Match(key) {
					b.Fatal("matches")
				}
			}
		})
	}
}
