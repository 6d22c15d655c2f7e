package script

import (
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// matcher matches one of Lua's patterns. The library's own has no bound: a pattern may take time that is exponential in
// its length. Here each step is counted, and matching within matching has a depth.
type matcher struct {
	l        *lua.LState
	b        *budget
	s        string
	pattern  string
	anchored bool // it began with ^
	depth    int
	level    int // captures, those that are not closed too
	starts   [maxCaptures]int
	lengths  [maxCaptures]int
}

const (
	maxCaptures     = 32
	maxPatternDepth = 200

	unclosed = -1 // a capture's length
	position = -2
)

func newMatcher(l *lua.LState, s, pattern string) *matcher {
	m := &matcher{l: l, b: of(l), s: s, pattern: pattern}
	m.pattern, m.anchored = strings.CutPrefix(pattern, "^")
	return m
}

func (m *matcher) reset() { m.level, m.depth = 0, 0 }

// search finds the first match from a place on.
func (m *matcher) search(from int) (start, end int, ok bool) {
	for ; from <= len(m.s); from++ {
		m.reset()
		if end, ok := m.match(from, 0); ok {
			return from, end, true
		}
		if m.anchored {
			break
		}
	}
	return 0, 0, false
}

func (m *matcher) fail(message string) { m.l.RaiseError("%s", message) }

// match matches the pattern from p on at s, and returns where the match ends.
func (m *matcher) match(s, p int) (end int, ok bool) {
	if m.depth++; m.depth > maxPatternDepth {
		m.fail("pattern too complex")
	}
	defer func() { m.depth-- }()
	for p < len(m.pattern) {
		m.b.work(m.l, 1)
		c, next := m.pattern[p], byte(0)
		if p+1 < len(m.pattern) {
			next = m.pattern[p+1]
		}
		switch {
		case c == '(' && next == ')':
			return m.open(s, p+2, position)
		case c == '(':
			return m.open(s, p+1, unclosed)
		case c == ')':
			return m.close(s, p+1)
		case c == '$' && p+1 == len(m.pattern):
			return s, s == len(m.s)
		case c == '%' && (next == 'b' || next == 'f' || isDigit(next)):
			s, p, ok = m.special(s, p+1)
		default:
			var done bool
			if s, p, done, ok = m.items(s, p, m.item(p)); done {
				return s, ok
			}
		}
		if !ok {
			return 0, false
		}
	}
	return s, true
}

// special matches what begins with % and is no class, of which the kind stands at p.
func (m *matcher) special(s, p int) (end, behind int, ok bool) {
	switch m.pattern[p] {
	case 'b':
		end, ok = m.balanced(s, p+1)
		return end, p + 3, ok
	case 'f':
		behind, ok = m.frontier(s, p+1)
		return s, behind, ok
	}
	end, ok = m.again(s, m.pattern[p])
	return end, p + 1, ok
}

// items matches a single item, from p to behind, as often as what comes behind it says. done: the rest was matched too.
func (m *matcher) items(s, p, behind int) (end, next int, done, ok bool) {
	suffix := byte(0)
	if behind < len(m.pattern) {
		suffix = m.pattern[behind]
	}
	fits := m.fits(s, p, behind)
	switch suffix {
	case '?':
		if fits {
			if end, ok := m.match(s+1, behind+1); ok {
				return end, 0, true, true
			}
		}
		return s, behind + 1, false, true
	case '+':
		if fits {
			end, ok = m.longest(s+1, p, behind)
		}
		return end, 0, true, ok
	case '*':
		end, ok = m.longest(s, p, behind)
		return end, 0, true, ok
	case '-':
		end, ok = m.shortest(s, p, behind)
		return end, 0, true, ok
	}
	return s + 1, behind, false, fits
}

func (m *matcher) longest(s, p, behind int) (end int, ok bool) {
	n := 0
	for m.fits(s+n, p, behind) {
		m.b.work(m.l, 1)
		n++
	}
	for ; n >= 0; n-- {
		if end, ok := m.match(s+n, behind+1); ok {
			return end, true
		}
	}
	return 0, false
}

func (m *matcher) shortest(s, p, behind int) (end int, ok bool) {
	for {
		m.b.work(m.l, 1)
		if end, ok := m.match(s, behind+1); ok {
			return end, true
		}
		if !m.fits(s, p, behind) {
			return 0, false
		}
		s++
	}
}

func (m *matcher) open(s, p, length int) (end int, ok bool) {
	if m.level >= maxCaptures {
		m.fail("too many captures")
	}
	m.starts[m.level], m.lengths[m.level] = s, length
	m.level++
	if end, ok = m.match(s, p); !ok {
		m.level--
	}
	return end, ok
}

func (m *matcher) close(s, p int) (end int, ok bool) {
	i := m.level - 1
	for ; i >= 0 && m.lengths[i] != unclosed; i-- {
	}
	if i < 0 {
		m.fail("invalid pattern capture")
	}
	m.lengths[i] = s - m.starts[i]
	if end, ok = m.match(s, p); !ok {
		m.lengths[i] = unclosed
	}
	return end, ok
}

// again matches what a capture has matched.
func (m *matcher) again(s int, digit byte) (end int, ok bool) {
	i := int(digit) - '1'
	if i < 0 || i >= m.level || m.lengths[i] == unclosed {
		m.fail("invalid capture index")
	}
	part := m.s[m.starts[i] : m.starts[i]+max(m.lengths[i], 0)]
	m.b.work(m.l, len(part)>>6)
	return s + len(part), strings.HasPrefix(m.s[s:], part)
}

// balanced matches %bxy, of which x and y stand at p.
func (m *matcher) balanced(s, p int) (end int, ok bool) {
	if p+1 >= len(m.pattern) {
		m.fail("unbalanced pattern")
	}
	if s >= len(m.s) || m.s[s] != m.pattern[p] {
		return 0, false
	}
	depth := 1
	for i := s + 1; i < len(m.s); i++ {
		m.b.work(m.l, 1)
		switch m.s[i] {
		case m.pattern[p+1]:
			if depth--; depth == 0 {
				return i + 1, true
			}
		case m.pattern[p]:
			depth++
		}
	}
	return 0, false
}

// frontier matches %f[set], of which the set begins at p, and returns where it ends.
func (m *matcher) frontier(s, p int) (behind int, ok bool) {
	if p >= len(m.pattern) || m.pattern[p] != '[' {
		m.fail("missing '[' after '%f' in pattern")
	}
	behind = m.item(p)
	var before, at byte
	if s > 0 {
		before = m.s[s-1]
	}
	if s < len(m.s) {
		at = m.s[s]
	}
	return behind, !m.inSet(before, p, behind-1) && m.inSet(at, p, behind-1)
}

// captures are what the captures have matched.
func (m *matcher) captures() (all []lua.LValue) {
	for i := range m.level {
		all = append(all, m.capture(i))
	}
	return all
}

// capturesOr are the captures, or the whole match where there are none.
func (m *matcher) capturesOr(start, end int) []lua.LValue {
	if m.level == 0 {
		return []lua.LValue{lua.LString(m.s[start:end])}
	}
	return m.captures()
}

func (m *matcher) capture(i int) lua.LValue {
	if i >= m.level {
		m.fail("invalid capture index")
	}
	switch m.lengths[i] {
	case unclosed:
		m.fail("unfinished capture")
	case position:
		return lua.LNumber(m.starts[i] + 1)
	}
	return lua.LString(m.s[m.starts[i] : m.starts[i]+m.lengths[i]])
}
