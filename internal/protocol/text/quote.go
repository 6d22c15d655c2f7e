package text

import (
	"bytes"
	"encoding/binary"
	"unicode/utf8"

	"ciderd/internal/protocol"
)

// unquote decodes the quoted word that b starts with, in place, and returns it together with the
// number of bytes it took, quotes included. The word is never nil.
func unquote(b []byte) (word []byte, size int, err *protocol.Error) {
	end := bytes.IndexByte(b[1:], '"') + 1
	if end == 0 {
		return nil, 0, unterminated()
	}
	if bytes.IndexByte(b[1:end], '\\') < 0 {
		return b[1:end:end], end + 1, nil
	}
	w := 1
	for i := 1; i < len(b); w++ {
		switch b[i] {
		case '"':
			return b[1:w:w], i + 1, nil
		case '\\':
			c, n := unescape(b[i:])
			if n == 0 {
				return nil, 0, fail(protocol.Syntax, `unknown escape; there are \n \r \t \0 \" \\ and \xHH`)
			}
			b[w] = c
			i += n
		default:
			b[w] = b[i]
			i++
		}
	}
	return nil, 0, unterminated()
}

func unterminated() *protocol.Error { return fail(protocol.Syntax, "the closing quote is missing") }

// unescape decodes the escape that b starts with, and returns the bytes it took: 0 if it is none.
func unescape(b []byte) (c byte, size int) {
	if len(b) < 2 {
		return 0, 0
	}
	switch b[1] {
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	case '0':
		return 0, 2
	case '"', '\\':
		return b[1], 2
	case 'x':
		if len(b) >= 4 {
			hi, ok1 := hexDigit(b[2])
			lo, ok2 := hexDigit(b[3])
			if ok1 && ok2 {
				return hi<<4 | lo, 4
			}
		}
	}
	return 0, 0
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10, true
	}
	return 0, false
}

// AppendValue appends v as a reply prints it: raw, unless that could be misread; then quoted.
// SET, and every other command that takes a value, reads what is printed back as the same bytes.
func AppendValue(dst, v []byte) []byte {
	plain, utf8 := scan(v)
	if plain && utf8 && !misread(v) {
		return append(dst, v...)
	}
	return appendQuoted(dst, v, utf8)
}

// appendKey appends a key as KEYS and MORE print it: as a value, and quoted too where it holds a blank, so that
// what is printed can be given as a word.
func appendKey(dst, key []byte) []byte {
	if lastBlank(key) < 0 {
		return AppendValue(dst, key)
	}
	_, utf8 := scan(key)
	return appendQuoted(dst, key, utf8)
}

// misread reports whether v, printed raw, could be taken for something else: another reply, a
// quoted word, or a value with options.
func misread(v []byte) bool {
	if len(v) == 0 || v[0] == '"' || isBlank(v[0]) || isBlank(v[len(v)-1]) {
		return true
	}
	switch v[0] {
	case 'E':
		if string(v) == "END" || string(v) == "ERR" || bytes.HasPrefix(v, []byte("ERR ")) {
			return true
		}
	case 'M':
		if bytes.HasPrefix(v, []byte("MORE ")) {
			return true
		}
	case 'N':
		if string(v) == "NOT_FOUND" {
			return true
		}
	}
	return endsInOption(v)
}

// scan reports whether v is free of control bytes other than TAB, and whether it is UTF-8.
func scan(v []byte) (plain, isUTF8 bool) {
	high := false
	for rest := v; len(rest) > 0; {
		// Large values are read for each GET: half the time of one of 512 KiB went here, eight bytes at a time.
		for len(rest) >= 32 {
			a, b := binary.LittleEndian.Uint64(rest), binary.LittleEndian.Uint64(rest[8:])
			c, d := binary.LittleEndian.Uint64(rest[16:]), binary.LittleEndian.Uint64(rest[24:])
			if (suspects(a)|suspects(b)|suspects(c)|suspects(d))&tops != 0 {
				break
			}
			rest = rest[32:]
		}
		if len(rest) >= 8 && suspects(binary.LittleEndian.Uint64(rest))&tops == 0 {
			rest = rest[8:]
			continue
		}
		n := min(len(rest), 8)
		for _, c := range rest[:n] {
			if isControl(c) && c != '\t' {
				return false, utf8.Valid(v)
			}
			high = high || c >= utf8.RuneSelf
		}
		rest = rest[n:]
	}
	return true, !high || utf8.Valid(v)
}

func isControl(c byte) bool { return c < 0x20 || c == 0x7f }

const ones, tops = 0x0101010101010101, 0x8080808080808080

// suspects has one of tops if not all eight bytes of x are printable ASCII. Each subtraction sets the top bit of the
// lowest byte that is not; what that byte borrows from its neighbours does not matter.
func suspects(x uint64) uint64 {
	del := x ^ ones*0x7f
	return x | (x - ones*0x20) | (del - ones)
}

func appendQuoted(dst, v []byte, isUTF8 bool) []byte {
	return append(appendEscaped(append(dst, '"'), v, isUTF8), '"')
}

func appendEscaped(dst, v []byte, isUTF8 bool) []byte {
	const hex = "0123456789abcdef"
	for _, c := range v {
		switch {
		case c == '\n':
			dst = append(dst, '\\', 'n')
		case c == '\r':
			dst = append(dst, '\\', 'r')
		case c == '\t':
			dst = append(dst, '\\', 't')
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case isControl(c) || c >= utf8.RuneSelf && !isUTF8:
			dst = append(dst, '\\', 'x', hex[c>>4], hex[c&15])
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

// printer prints a value as AppendValue does, but in pieces, for a value that is large.
type printer struct {
	rest      []byte
	raw, utf8 bool
	begun     bool
}

// newPrinter returns a printer of v, which must not change.
func newPrinter(v []byte) printer {
	plain, utf8 := scan(v)
	return printer{rest: v, raw: plain && utf8 && !misread(v), utf8: utf8}
}

// Raw returns the whole value if it is printed as it is, else nil.
func (p *printer) Raw() []byte {
	if p.raw {
		return p.rest
	}
	return nil
}

// maxEscape is what one byte of a value takes at most, quoted.
const maxEscape = len(`\xff`)

// Append appends the next piece of a quoted value, at most size bytes (of at least 8), and reports whether there
// is more.
func (p *printer) Append(dst []byte, size int) (b []byte, more bool) {
	if !p.begun {
		p.begun = true
		dst = append(dst, '"')
	}
	n := min(len(p.rest), (size-len(`""`))/maxEscape)
	dst = appendEscaped(dst, p.rest[:n], p.utf8)
	if p.rest = p.rest[n:]; len(p.rest) > 0 {
		return dst, true
	}
	return append(dst, '"'), false
}

// appendError appends e as an error reply, without a line end.
func appendError(dst []byte, e *protocol.Error) []byte {
	dst = append(dst, "ERR "...)
	dst = append(dst, e.Code...)
	dst = append(dst, ' ')
	return append(dst, e.Message...)
}
