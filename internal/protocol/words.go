package protocol

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
func (c *cursor) word() ([]byte, *Error) {
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

func (c *cursor) quotedWord() ([]byte, *Error) {
	word, size, err := unquote(c.rest)
	if err != nil {
		return nil, err
	}
	c.rest = c.rest[size:]
	if len(c.rest) > 0 && !isBlank(c.rest[0]) {
		return nil, fail(Syntax, `a blank must follow the closing quote; inside quotes write \" for "`)
	}
	return word, nil
}

func fail(code Code, message string) *Error { return &Error{code, message} }
