package text

import (
	"bytes"

	"ciderd/internal/protocol"
)

// cursor walks over the words of a line. Words are separated by blanks; one that starts with a
// double quote is a quoted word and is decoded in place.
type cursor struct{ rest []byte }

func isBlank(c byte) bool { return c == ' ' || c == '\t' }

// trimBlanks returns b without the blanks at its ends.
func trimBlanks(b []byte) []byte {
	for len(b) > 0 && isBlank(b[0]) {
		b = b[1:]
	}
	for len(b) > 0 && isBlank(b[len(b)-1]) {
		b = b[:len(b)-1]
	}
	return b
}

// tail returns the rest of the line, from its next word on.
func (c *cursor) tail() []byte {
	for len(c.rest) > 0 && isBlank(c.rest[0]) {
		c.rest = c.rest[1:]
	}
	return c.rest
}

// done reports whether no word is left.
func (c *cursor) done() bool { return len(c.tail()) == 0 }

// quoted reports whether the next word is a quoted one.
func (c *cursor) quoted() bool {
	t := c.tail()
	return len(t) > 0 && t[0] == '"'
}

// word takes the next word: nil if none is left, empty but not nil for "".
func (c *cursor) word() ([]byte, *protocol.Error) {
	if c.quoted() {
		return c.quotedWord()
	}
	return c.bareWord(), nil
}

// bareWord takes the bytes up to the next blank, quotes or not.
func (c *cursor) bareWord() []byte {
	t := c.tail()
	if len(t) == 0 {
		return nil
	}
	end := 0
	for end < len(t) && !isBlank(t[end]) {
		end++
	}
	c.rest = t[end:]
	return t[:end:end]
}

func (c *cursor) quotedWord() ([]byte, *protocol.Error) {
	word, size, err := unquote(c.rest)
	if err != nil {
		return nil, err
	}
	c.rest = c.rest[size:]
	if len(c.rest) > 0 && !isBlank(c.rest[0]) {
		return nil, fail(protocol.Syntax, `a blank must follow the closing quote; inside quotes write \" for "`)
	}
	return word, nil
}

func fail(code protocol.Code, message string) *protocol.Error {
	return &protocol.Error{Code: code, Message: message}
}

// endsInOption reports whether v, as an unquoted value, ends in what looks like an option, which would be
// stored as text (interface 1.2): behind a blank EX, PX, EXAT, PXAT or TTL in any case and a word that begins with
// a digit or a sign, or NX, XX or KEEPTTL in capitals. Something must stand before it: "EX 60" alone is a value.
func endsInOption(v []byte) bool {
	at := lastBlank(v)
	if at < 0 {
		return false // nearly every value
	}
	head, last := v[:at], v[at+1:]
	switch {
	case len(trimBlanks(head)) == 0 || len(last) == 0:
		return false
	case string(last) == "NX", string(last) == "XX", string(last) == "KEEPTTL":
		return true
	case last[0] != '+' && last[0] != '-' && (last[0] < '0' || last[0] > '9'):
		return false
	}
	head = bytes.TrimRight(head, " \t")
	name := head[lastBlank(head)+1:]
	if len(name) == len(head) {
		return false
	}
	for _, option := range []string{"EX", "PX", "EXAT", "PXAT", "TTL"} {
		if foldEqual(name, option) {
			return len(trimBlanks(head[:len(head)-len(name)])) > 0
		}
	}
	return false
}

// lastBlank is the place of the last blank in b, -1 if there is none. It is called for every value that is read or
// written: most have no blank, which IndexByte sees many bytes at a time; LastIndexByte goes byte by byte.
func lastBlank(b []byte) int {
	if bytes.IndexByte(b, ' ') < 0 && bytes.IndexByte(b, '\t') < 0 {
		return -1
	}
	at := len(b) - 1
	for at >= 0 && !isBlank(b[at]) {
		at--
	}
	return at
}

// foldEqual reports whether word is upper, which has only the letters A to Z, in any case.
func foldEqual(word []byte, upper string) bool {
	if len(word) != len(upper) {
		return false
	}
	for i, c := range word {
		if c&^0x20 != upper[i] {
			return false
		}
	}
	return true
}
