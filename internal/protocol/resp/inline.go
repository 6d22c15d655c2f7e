package resp

import "bytes"

// parseInline reads a request that is a line of words. LF ends it, with a CR before it or not.
func (r *Reader) parseInline() bool {
	b := &r.begun
	rest := r.buf[r.r:r.w]
	size, ended := bytes.IndexByte(rest, '\n'), true
	if size < 0 {
		size, ended = len(rest), false
	}
	switch {
	case b.gone+size > maxInline:
		return r.fail(longInline)
	case ended && size > r.limits.Request:
		b.skip = true
	}
	switch {
	case !ended && b.skip:
		b.gone += size
		r.r = r.w
		return false
	case !ended:
		return false
	}
	b.at = size + len("\n")
	return b.skip || r.words(rest[:size])
}

// words finds the words of a line, and decodes them in place: none gets longer.
func (r *Reader) words(line []byte) bool {
	s := splitter{line: line}
	for s.next() {
		from, size := s.from, s.to-s.from
		if len(r.begun.args) == r.limits.Args {
			return r.fail(r.limits.count(int64(r.limits.Args) + 1))
		}
		if f := r.limits.bulk(int64(size)); f != "" {
			return r.fail(f)
		}
		r.begun.args = append(r.begun.args, span{uint32(from), uint32(size)})
	}
	if s.unbalanced {
		return r.fail(unbalanced)
	}
	return true
}

// splitter splits a line by Redis' rules: blanks part words. A quote anywhere in a word begins a quoted part, which
// ends the word too: a blank or the end of the line must follow it. In double quotes \n \r \t \a \b and \xHH stand for
// bytes, and any other character behind a backslash for itself; in single quotes \' alone is something else.
type splitter struct {
	line       []byte
	at         int // what is to be read next
	from, to   int // the word
	unbalanced bool
}

// next finds the next word, line[from:to].
func (s *splitter) next() bool {
	for s.at < len(s.line) && isBlank(s.line[s.at]) {
		s.at++
	}
	s.from, s.to = s.at, s.at
	if s.at == len(s.line) {
		return false
	}
	for s.at < len(s.line) {
		c := s.line[s.at]
		s.at++
		switch c {
		case ' ', '\t', '\r', '\n':
			return true
		case '"', '\'':
			return s.quoted(c)
		}
		s.put(c)
	}
	return true
}

func (s *splitter) put(c byte) {
	s.line[s.to] = c
	s.to++
}

// quoted takes what follows an opening quote, to the end of the word.
func (s *splitter) quoted(quote byte) bool {
	for s.at < len(s.line) {
		c := s.line[s.at]
		s.at++
		switch {
		case c == quote:
			s.unbalanced = s.at < len(s.line) && !isBlank(s.line[s.at])
			return !s.unbalanced
		case c == '\\' && s.at < len(s.line):
			c = s.escaped(quote)
		}
		s.put(c)
	}
	s.unbalanced = true
	return false
}

// escaped returns what a backslash and the characters behind it stand for.
func (s *splitter) escaped(quote byte) byte {
	rest := s.line[s.at:]
	if quote == '\'' {
		if rest[0] != '\'' {
			return '\\'
		}
		s.at++
		return '\''
	}
	if len(rest) > 2 && rest[0] == 'x' {
		high, low := hexDigit(rest[1]), hexDigit(rest[2])
		if high >= 0 && low >= 0 {
			s.at += 3
			return byte(high<<4 | low)
		}
	}
	s.at++
	if i := bytes.IndexByte([]byte("nrtab"), rest[0]); i >= 0 {
		return "\n\r\t\a\b"[i]
	}
	return rest[0]
}

// isBlank reports what C calls a space.
func isBlank(c byte) bool { return c == ' ' || '\t' <= c && c <= '\r' }

// hexDigit returns the value of a hexadecimal digit; -1 if c is none.
func hexDigit(c byte) int {
	switch lower := c | 0x20; {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= lower && lower <= 'f':
		return int(lower-'a') + 10
	}
	return -1
}
