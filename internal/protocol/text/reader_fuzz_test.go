package text

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"ciderd/internal/protocol/block"
)

// naiveRead is what a Reader must give, told a byte at a time: the telnet rules and the line rules
// on a stream that is all there.
func naiveRead(in []byte, limit int) (lines []string) {
	var cur []byte
	end := func() {
		cur = bytes.TrimSuffix(cur, []byte("\r"))
		if len(cur) > limit {
			lines = append(lines, "TOOLONG")
		} else {
			lines = append(lines, fmt.Sprintf("%q", cur))
		}
		cur = nil
	}
	data := func(c byte) {
		switch {
		case c == 3:
			cur = nil
		case c == '\n', c == 0 && bytes.HasSuffix(cur, []byte("\r")):
			end()
		default:
			cur = append(cur, c)
		}
	}
	for i := 0; i < len(in); i++ {
		if in[i] != 0xff {
			data(in[i])
			continue
		}
		if i++; i == len(in) {
			break
		}
		switch c := in[i]; {
		case c == 0xff:
			cur = append(cur, c)
		case c < 0xec:
			data(c)
		case c == 0xf4, c == 0xf8:
			cur = nil
		case c == 0xf7:
			_, n := utf8.DecodeLastRune(cur)
			cur = cur[:len(cur)-n]
		case 0xfb <= c && c <= 0xfe:
			i++
		case c == 0xfa:
			i = naiveSub(in, i+1)
		}
	}
	return lines
}

// naiveSub returns the last byte of the subnegotiation whose content begins at i.
func naiveSub(in []byte, i int) int {
	for n, escaped := 1, false; i < len(in); i, n = i+1, n+1 {
		switch {
		case escaped && in[i] == 0xf0:
			return i
		case n == 512 && !escaped && in[i] == 0xff:
			return i - 1 // the IAC stands for itself again
		case n == 512:
			return i
		}
		escaped = !escaped && in[i] == 0xff
	}
	return i
}

// split cuts in where the bytes of cuts say.
func split(in, cuts []byte) io.Reader {
	c := &chunkReader{}
	for len(in) > 0 && len(cuts) > 0 {
		n := min(len(in), int(cuts[0])+1)
		c.chunks = append(c.chunks, bytes.Clone(in[:n]))
		in, cuts = in[n:], cuts[1:]
	}
	if len(in) > 0 {
		c.chunks = append(c.chunks, bytes.Clone(in))
	}
	return c
}

func FuzzReader(f *testing.F) {
	f.Add([]byte("LOGIN or\r\nSIGNUP\r\x00abc\rdef\n\n"), []byte{0, 1, 2}, uint16(20))
	f.Add([]byte("abc\xff\xf4def\nabc\x03\xff\xfd\x06def\r\n\xff\xffx\xffG\n"), []byte{3, 0, 0, 0, 0}, uint16(4))
	f.Add([]byte("\xff\xfa\x18\x00vt100\xff\xf0SET k v\r\n\xff\xfb\x03\xff\xfe\x03\xff"), []byte{1, 1, 1, 1}, uint16(8))
	f.Add([]byte("\xff\xfa"+strings.Repeat("\xff\xff", 256)+"\xf0ab\n"), []byte{255, 255, 0}, uint16(3))
	f.Add([]byte("\xff\xfaa"+strings.Repeat("\xff\xff", 256)+"\xf0ab\n"), []byte{255, 255, 0}, uint16(3))
	f.Add([]byte("abcd\xc3\xa9\xff\xf7\xff\xf7\n\xff\xf7x\n\xff\xf8y\xff\xf8z\n"), []byte{4, 1, 0, 1}, uint16(2000))
	f.Add(bytes.Repeat([]byte("x"), 3000), []byte{255, 255, 255}, uint16(1000))
	f.Fuzz(func(t *testing.T, in, cuts []byte, limit uint16) {
		if len(in) > int(limit) {
			// A character that is erased from a line over the limit may have been skipped already:
			// only then it matters where the stream was cut.
			in = bytes.ReplaceAll(in, []byte{0xf7}, []byte{0xf6})
		}
		r := NewReader(split(in, cuts))
		r.SetMaxLine(int(limit))
		got, replies := readAll(t, r)
		if want := naiveRead(in, int(limit)); !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		if r.Size() > smallSize+4*block.Least+2048 {
			t.Errorf("holds %d bytes", r.Size())
		}
		if bound := 1536 + (len(cuts)+2+len(in)/smallSize)*(3*maxMarks+6); len(replies) > bound {
			t.Errorf("%d bytes of replies", len(replies))
		}
	})
}
