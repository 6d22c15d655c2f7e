package protocol

import (
	"bytes"
	"unicode/utf8"
)

// segment is a stretch of a pattern without a star. All places where it matches have the same number of
// characters, so the first that is found is also the first to end, and no later one can do better.
type segment struct {
	tokens []token
	// literal is the segment's text, if it is whole UTF-8 characters and nothing else. Such a text
	// stands in a key at characters' bounds only; a byte that is not UTF-8 can be a part of one there.
	literal []byte
	plain   bool
}

func newSegment(tokens []token) segment {
	s := segment{tokens: tokens, plain: true}
	for _, tok := range tokens {
		if tok.kind != tokChar || tok.char > utf8.MaxRune {
			return segment{tokens: tokens}
		}
		s.literal = utf8.AppendRune(s.literal, tok.char)
	}
	return s
}

// Match reports whether the whole key matches.
func (g *Glob) Match(key []byte) bool {
	ok, _ := g.Steps(key)
	return ok
}

// Steps is Match, and tells how many steps it took: characters that were compared with a character or
// with one range of a class of the pattern. To look for a plain text is one step, however long both
// are: all of them together take no longer than to read the key and the pattern.
func (g *Glob) Steps(key []byte) (ok bool, steps int) {
	if len(g.segments) == 0 {
		return len(key) == 0, 0
	}
	m := matcher{rest: key}
	first, last := &g.segments[0], &g.segments[len(g.segments)-1]
	if !m.head(first) {
		return false, m.steps
	}
	if first == last {
		return len(m.rest) == 0, m.steps
	}
	if !m.tail(last) {
		return false, m.steps
	}
	for i := 1; i < len(g.segments)-1; i++ {
		if !m.find(&g.segments[i]) {
			return false, m.steps
		}
	}
	return true, m.steps
}

// matcher takes segments off what is left of a key, which starts and ends at characters' bounds.
type matcher struct {
	rest  []byte
	steps int
}

// head takes s off the start.
func (m *matcher) head(s *segment) bool {
	if s.plain {
		ok := bytes.HasPrefix(m.rest, s.literal)
		m.rest = m.rest[min(len(s.literal), len(m.rest)):]
		return ok
	}
	n, ok := m.at(s, m.rest)
	m.rest = m.rest[n:]
	return ok
}

// tail takes s off the end.
func (m *matcher) tail(s *segment) bool {
	if s.plain {
		ok := bytes.HasSuffix(m.rest, s.literal)
		m.rest = m.rest[:max(0, len(m.rest)-len(s.literal))]
		return ok
	}
	start := len(m.rest)
	for range s.tokens {
		if start == 0 {
			return false
		}
		_, n := utf8.DecodeLastRune(m.rest[:start])
		start -= n
	}
	_, ok := m.at(s, m.rest[start:])
	m.rest = m.rest[:start]
	return ok
}

// find takes off everything to the end of the first place of s.
func (m *matcher) find(s *segment) bool {
	if s.plain {
		m.steps++
		i := bytes.Index(m.rest, s.literal)
		if i >= 0 {
			m.rest = m.rest[i+len(s.literal):]
		}
		return i >= 0
	}
	for len(m.rest) >= len(s.tokens) {
		if n, ok := m.at(s, m.rest); ok {
			m.rest = m.rest[n:]
			return true
		}
		_, n := charAt(m.rest, 0)
		m.rest = m.rest[n:]
	}
	return false
}

// at reports whether s matches at the start of text, and how many bytes it has there.
func (m *matcher) at(s *segment, text []byte) (n int, ok bool) {
	for i := range s.tokens {
		if n == len(text) {
			return n, false
		}
		c, size := charAt(text, n)
		m.steps += 1 + len(s.tokens[i].class)
		if !s.tokens[i].matches(c) {
			return n, false
		}
		n += size
	}
	return n, true
}
