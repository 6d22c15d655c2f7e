package resp

import (
	"bytes"

	"ciderd/internal/protocol"
)

// Pattern is a compiled pattern of KEYS and SCAN by Redis' rules, which are not those of protocol.Glob: pattern and key
// are bytes, not characters. The zero Pattern matches the empty key only.
//
// * stands for any number of bytes, ? for one. [a-z] is one of a class and [^a-z] one that is not in it; ! is no
// negation. A ] ends a class even if it comes first, and a class without an end ends with the pattern. A backslash
// makes the next byte ordinary, in a class too, where it cannot begin or end a range; at the very end it is ordinary
// itself. A range that begins in ASCII and ends beyond it is taken as it stands; in Redis it depends on the machine.
//
// A pattern that takes more bytes than a key can have matches none, and costs no memory. Match takes at most
// len(key) * len(pattern) steps, whatever the pattern, and about len(key) if no ? and no class stands behind a *, as is
// usual; see Steps.
type Pattern struct {
	segments []segment // what stands between the stars: with n stars there are n+1
	never    bool      // no key is long enough for it
}

// segment is what stands between two stars.
type segment struct {
	literal []byte // if all of it is ordinary bytes
	sets    []*set // else: what each byte may be
	size    int    // bytes of a key that it takes
}

// set has a bit for each byte.
type set [4]uint64

func (s *set) has(c byte) bool { return s[c>>6]&(1<<(c&63)) != 0 }

func (s *set) add(low, high byte) {
	for c := int(low); c <= int(high); c++ {
		s[c>>6] |= 1 << (c & 63)
	}
}

func (s *set) negate() {
	for i := range s {
		s[i] = ^s[i]
	}
}

// anyByte is what ? stands for; single has the set of each byte alone.
var anyByte, single = commonSets()

func commonSets() (all *set, one *[256]set) {
	all, one = &set{}, &[256]set{}
	all.add(0, 255)
	for c := range one {
		one[c].add(byte(c), byte(c))
	}
	return all, one
}

// CompilePattern compiles a pattern, of which it keeps nothing. Every pattern is valid.
func CompilePattern(pattern []byte) Pattern {
	var p Pattern
	var s segment
	size := 0
	for rest := pattern; len(rest) > 0; {
		if rest[0] == '*' {
			p.segments = append(p.segments, s)
			s = segment{}
			rest = bytes.TrimLeft(rest, "*")
			continue
		}
		if size++; size > protocol.MaxKey {
			return Pattern{never: true}
		}
		rest = s.token(rest)
	}
	p.segments = append(p.segments, s)
	return p
}

// token adds what p begins with, which takes one byte of a key, and returns what is behind it.
func (s *segment) token(p []byte) (rest []byte) {
	switch {
	case p[0] == '?':
		s.addSet(anyByte)
		return p[1:]
	case p[0] == '[':
		class, rest := parseClass(p[1:])
		s.addSet(class)
		return rest
	case p[0] == '\\' && len(p) > 1:
		p = p[1:]
	}
	if s.sets == nil {
		s.literal = append(s.literal, p[0])
		s.size++
	} else {
		s.addSet(&single[p[0]])
	}
	return p[1:]
}

// addSet adds a byte that is one of a set; what was a text becomes sets.
func (s *segment) addSet(class *set) {
	for _, c := range s.literal {
		s.sets = append(s.sets, &single[c])
	}
	s.literal = nil
	s.sets = append(s.sets, class)
	s.size = len(s.sets)
}

// parseClass reads a class, of which p has what is behind the bracket.
func parseClass(p []byte) (class *set, rest []byte) {
	class = &set{}
	negated := len(p) > 0 && p[0] == '^'
	if negated {
		p = p[1:]
	}
	for len(p) > 0 && p[0] != ']' {
		switch {
		case p[0] == '\\' && len(p) > 1:
			class.add(p[1], p[1])
			p = p[2:]
		case len(p) > 2 && p[1] == '-':
			class.add(min(p[0], p[2]), max(p[0], p[2]))
			p = p[3:]
		default:
			class.add(p[0], p[0])
			p = p[1:]
		}
	}
	if negated {
		class.negate()
	}
	if len(p) > 0 {
		p = p[1:]
	}
	return class, p
}

// Match reports whether the pattern stands for all of key.
func (p *Pattern) Match(key []byte) bool {
	ok, _ := p.Steps(key)
	return ok
}

// Steps is Match; it also returns how many steps that took: bytes that were compared with a set. To look for a plain
// text is one step, however long both are: all of them together take no longer than to read the key and the pattern.
func (p *Pattern) Steps(key []byte) (ok bool, steps int) {
	switch {
	case p.never:
		return false, 0
	case len(p.segments) == 0:
		return len(key) == 0, 0
	}
	first, last := &p.segments[0], &p.segments[len(p.segments)-1]
	if len(key) < first.size || !first.at(key, &steps) {
		return false, steps
	}
	key = key[first.size:]
	if first == last {
		return len(key) == 0, steps
	}
	if len(key) < last.size || !last.at(key[len(key)-last.size:], &steps) {
		return false, steps
	}
	key = key[:len(key)-last.size]
	for i := 1; i < len(p.segments)-1; i++ {
		at := p.segments[i].find(key, &steps)
		if at < 0 {
			return false, steps
		}
		key = key[at+p.segments[i].size:]
	}
	return true, steps
}

// at reports whether s matches at the start of key, which is not shorter.
func (s *segment) at(key []byte, steps *int) bool {
	if s.sets == nil {
		return bytes.HasPrefix(key, s.literal)
	}
	for i, class := range s.sets {
		*steps++
		if !class.has(key[i]) {
			return false
		}
	}
	return true
}

// find returns the first place of s in key; -1 if there is none.
func (s *segment) find(key []byte, steps *int) int {
	if s.sets == nil {
		*steps++
		return bytes.Index(key, s.literal)
	}
	for i := 0; i+s.size <= len(key); i++ {
		if s.at(key[i:], steps) {
			return i
		}
	}
	return -1
}
