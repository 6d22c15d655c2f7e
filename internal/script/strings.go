package script

import (
	"strings"

	lua "github.com/yuin/gopher-lua"
)

func stringLibrary() map[string]lua.LGFunction {
	return map[string]lua.LGFunction{
		"byte": stringByte, "char": stringChar, "find": stringFind, "format": stringFormat, "gfind": stringGmatch, "gmatch": stringGmatch,
		"gsub": stringGsub, "len": stringLen, "lower": stringLower, "match": stringMatch, "rep": stringRep, "reverse": stringReverse,
		"sub": stringSub, "upper": stringUpper,
	}
}

// checkText is an argument that is a string, or a number as one.
func checkText(l *lua.LState, n int) string {
	s, ok := text(l.Get(n))
	if !ok {
		is := l.Get(n).Type().String()
		if n > l.GetTop() {
			is = "no value"
		}
		l.ArgError(n, "string expected, got "+is)
	}
	return s
}

func optText(l *lua.LState, n int, other string) string {
	if l.Get(n) == lua.LNil {
		return other
	}
	return checkText(l, n)
}

// optIndex is an argument that is a place in a string of a size: below zero, from its end.
func optIndex(l *lua.LState, n, other, size int) int {
	i := integer(l.OptNumber(n, lua.LNumber(other)))
	if i < 0 {
		i += size + 1
	}
	return i
}

func stringLen(l *lua.LState) int { return pushAll(l, lua.LNumber(len(checkText(l, 1)))) }

func stringSub(l *lua.LState) int {
	s := checkText(l, 1)
	l.CheckNumber(2)
	first, last := max(optIndex(l, 2, 1, len(s)), 1), min(optIndex(l, 3, -1, len(s)), len(s))
	if first > last {
		return pushAll(l, lua.LString(""))
	}
	of(l).charge(l, slotBytes) // what is cut out is not copied
	return pushAll(l, lua.LString(s[first-1:last]))
}

func stringByte(l *lua.LState) int {
	s := checkText(l, 1)
	first := optIndex(l, 2, 1, len(s))
	last := min(optIndex(l, 3, first, len(s)), len(s))
	first = max(first, 1)
	if first > last {
		return 0
	}
	if last-first >= maxUnpacked {
		l.RaiseError("string slice too long")
	}
	of(l).charge(l, slotBytes*(last-first+1))
	for i := first; i <= last; i++ {
		l.Push(lua.LNumber(s[i-1]))
	}
	return last - first + 1
}

func stringChar(l *lua.LState) int {
	b := make([]byte, l.GetTop())
	of(l).charge(l, 2*len(b))
	for i := range b {
		c := l.CheckNumber(i + 1)
		if c < 0 || c > 255 {
			l.ArgError(i+1, "invalid value")
		}
		b[i] = byte(c)
	}
	return pushAll(l, lua.LString(b))
}

func stringRep(l *lua.LState) int {
	s, n := checkText(l, 1), integer(l.CheckNumber(2))
	if n <= 0 || s == "" {
		return pushAll(l, lua.LString(""))
	}
	b := of(l)
	if int64(n) > b.memory/int64(len(s)) {
		n = int(b.memory)/len(s) + 1 // too many, whatever it is
	}
	b.charge(l, len(s)*n)
	return pushAll(l, lua.LString(strings.Repeat(s, n)))
}

// mapped answers a string of as many bytes, each made from one.
func mapped(l *lua.LState, f func(s string, i int) byte) int {
	s := checkText(l, 1)
	of(l).charge(l, 2*len(s))
	b := make([]byte, len(s))
	for i := range b {
		b[i] = f(s, i)
	}
	return pushAll(l, lua.LString(b))
}

func stringReverse(l *lua.LState) int {
	return mapped(l, func(s string, i int) byte { return s[len(s)-1-i] })
}

func stringLower(l *lua.LState) int {
	return mapped(l, func(s string, i int) byte {
		if c := s[i]; c >= 'A' && c <= 'Z' {
			return c + 'a' - 'A'
		}
		return s[i]
	})
}

func stringUpper(l *lua.LState) int {
	return mapped(l, func(s string, i int) byte {
		if c := s[i]; c >= 'a' && c <= 'z' {
			return c + 'A' - 'a'
		}
		return s[i]
	})
}

func stringFind(l *lua.LState) int  { return find(l, true) }
func stringMatch(l *lua.LState) int { return find(l, false) }

// find is string.find, which also returns where the match is, and string.match.
func find(l *lua.LState, places bool) int {
	s, pattern := checkText(l, 1), checkText(l, 2)
	from := max(optIndex(l, 3, 1, len(s)), 1) - 1
	if from > len(s) {
		if !places {
			return pushAll(l, lua.LNil)
		}
		from = len(s)
	}
	if places && (lua.LVAsBool(l.Get(4)) || !strings.ContainsAny(pattern, "^$*+?.([%-")) {
		of(l).work(l, (len(s)-from)>>4)
		at := strings.Index(s[from:], pattern)
		if at < 0 {
			return pushAll(l, lua.LNil)
		}
		return pushAll(l, lua.LNumber(from+at+1), lua.LNumber(from+at+len(pattern)))
	}
	m := newMatcher(l, s, pattern)
	start, end, ok := m.search(from)
	if !ok {
		return pushAll(l, lua.LNil)
	}
	if places {
		return pushAll(l, lua.LNumber(start+1), lua.LNumber(end)) + pushAll(l, m.captures()...)
	}
	return pushAll(l, m.capturesOr(start, end)...)
}

func stringGmatch(l *lua.LState) int {
	s, pattern := checkText(l, 1), checkText(l, 2)
	of(l).charge(l, closureBytes)
	from := 0
	l.Push(function(func(l *lua.LState) int {
		m := newMatcher(l, s, pattern)
		m.anchored, m.pattern = false, pattern // here ^ stands for itself
		start, end, ok := m.search(from)
		if !ok {
			from = len(s) + 1
			return pushAll(l, lua.LNil)
		}
		if from = end; start == end {
			from++
		}
		return pushAll(l, m.capturesOr(start, end)...)
	}))
	return 1
}
