package protocol

import "unicode/utf8"

// Glob is a compiled pattern of KEYS. The zero Glob matches the empty key only.
//
// Pattern and key are sequences of characters: UTF-8 ones, and each byte that is part of none by
// itself. * stands for any number of characters and ? for one; [a-z] is one of a class and [^a-z]
// or [!a-z] one that is not in it; a backslash makes the next character ordinary, in a class too.
// A ] that comes first in a class is a member of it. A class that does not end, and a backslash
// at the very end, are ordinary characters.
//
// Match takes at most len(key) * len(pattern) steps, whatever the pattern, and about len(key) if no ?
// and no class stands behind a *, as is usual; see Steps.
type Glob struct {
	segments []segment // what stands between the stars: with n stars there are n+1
}

type tokenKind uint8

const (
	tokChar tokenKind = iota
	tokAny            // ?
	tokStar
	tokClass
)

type token struct {
	kind   tokenKind
	negate bool
	char   rune
	class  []span
}

type span struct{ lo, hi rune }

// badByte is added to a byte that is not UTF-8, so that it equals no character but itself.
const badByte = utf8.MaxRune + 1

// charAt decodes the character of s at i, and returns how many bytes it has.
func charAt[T ~string | ~[]byte](s T, i int) (rune, int) {
	c := s[i]
	if c < utf8.RuneSelf {
		return rune(c), 1
	}
	var buf [utf8.UTFMax]byte
	r, n := utf8.DecodeRune(buf[:copy(buf[:], s[i:])])
	if r == utf8.RuneError && n == 1 {
		return badByte + rune(c), 1
	}
	return r, n
}

// CompileGlob compiles a pattern, of which it keeps nothing. Every pattern is valid.
func CompileGlob(pattern []byte) Glob {
	var g Glob
	var tokens []token
	star := false // the last token was one: more of them mean no more
	for i := 0; i < len(pattern); {
		tok, n := nextToken(pattern[i:])
		i += n
		switch {
		case tok.kind != tokStar:
			tokens = append(tokens, tok)
		case !star:
			g.segments = append(g.segments, newSegment(tokens))
			tokens = nil
		}
		star = tok.kind == tokStar
	}
	g.segments = append(g.segments, newSegment(tokens))
	return g
}

func nextToken(p []byte) (token, int) {
	switch {
	case p[0] == '*':
		return token{kind: tokStar}, 1
	case p[0] == '?':
		return token{kind: tokAny}, 1
	case p[0] == '[':
		if tok, n := classToken(p); n > 0 {
			return tok, n
		}
	}
	c, n := ordinary(p)
	return token{char: c}, n
}

// ordinary takes a character that stands for itself, with or without a backslash before it.
func ordinary(p []byte) (rune, int) {
	if p[0] == '\\' && len(p) > 1 {
		c, n := charAt(p, 1)
		return c, n + 1
	}
	return charAt(p, 0)
}

// classToken takes the class that p starts with; its size is 0 if the class has no end.
func classToken(p []byte) (token, int) {
	tok := token{kind: tokClass}
	i := 1
	if i < len(p) && (p[i] == '^' || p[i] == '!') {
		tok.negate = true
		i++
	}
	for first := i; i < len(p); {
		if p[i] == ']' && i > first {
			return tok, i + 1
		}
		lo, n := ordinary(p[i:])
		i += n
		hi := lo
		if i+1 < len(p) && p[i] == '-' && p[i+1] != ']' {
			hi, n = ordinary(p[i+1:])
			i += n + 1
		}
		tok.class = append(tok.class, span{min(lo, hi), max(lo, hi)})
	}
	return token{}, 0
}

// matches reports whether the token, which is no star, stands for c.
func (tok *token) matches(c rune) bool {
	switch tok.kind {
	case tokChar:
		return tok.char == c
	case tokAny:
		return true
	}
	for _, s := range tok.class {
		if s.lo <= c && c <= s.hi {
			return !tok.negate
		}
	}
	return tok.negate
}
