package text

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"unsafe"

	"ciderd/internal/protocol"
	"ciderd/internal/protocol/block"
)

// chunkReader returns one chunk for each Read, then io.EOF.
type chunkReader struct{ chunks [][]byte }

func (c *chunkReader) Read(p []byte) (int, error) {
	if len(c.chunks) == 0 {
		return 0, io.EOF
	}
	n := copy(p, c.chunks[0])
	if c.chunks[0] = c.chunks[0][n:]; len(c.chunks[0]) == 0 {
		c.chunks = c.chunks[1:]
	}
	return n, nil
}

func chunks(parts ...string) io.Reader {
	c := &chunkReader{}
	for _, p := range parts {
		if p != "" {
			c.chunks = append(c.chunks, []byte(p))
		}
	}
	return c
}

// readAll returns the lines that r gives until its source ends, quoted, and TOOLONG for one that
// was skipped; and all replies.
func readAll(t testing.TB, r *Reader) (lines []string, replies []byte) {
	t.Helper()
	for {
		line, ev := r.Next()
		switch ev {
		case Line:
			lines = append(lines, fmt.Sprintf("%q", line))
		case TooLong:
			lines = append(lines, "TOOLONG")
		case Mark:
			replies = answerMark(replies)
		case None:
			err := r.Fill()
			replies = r.takeReplies(replies)
			if err == io.EOF {
				return lines, replies
			}
			if err != nil {
				t.Fatalf("Fill: %v", err)
			}
		}
	}
}

func TestReaderLines(t *testing.T) {
	long := strings.Repeat("x", 8)
	for _, tc := range []struct {
		name string
		in   []string
		want []string
	}{
		{"LF", []string{"a\nb\n"}, []string{`"a"`, `"b"`}},
		{"CR LF", []string{"a\r\nb\r\n"}, []string{`"a"`, `"b"`}},
		{"CR NUL", []string{"a\r\x00b\r\x00"}, []string{`"a"`, `"b"`}},
		{"mixed", []string{"a\r\x00b\nc\r\nd\r\x00"}, []string{`"a"`, `"b"`, `"c"`, `"d"`}},
		{"empty lines", []string{"\n\r\n\r\x00"}, []string{`""`, `""`, `""`}},
		{"lone CR is a byte", []string{"a\rb\n\rc\n"}, []string{`"a\rb"`, `"\rc"`}},
		{"CR CR LF", []string{"a\r\r\n"}, []string{`"a\r"`}},
		{"CR CR NUL", []string{"a\r\r\x00"}, []string{`"a\r"`}},
		{"NUL alone is a byte", []string{"a\x00b\n"}, []string{`"a\x00b"`}},
		{"CR LF NUL", []string{"a\r\n\x00b\n"}, []string{`"a"`, `"\x00b"`}},
		{"CR NUL cut", []string{"a\r", "\x00b\n"}, []string{`"a"`, `"b"`}},
		{"CR LF cut", []string{"a\r", "\nb\n"}, []string{`"a"`, `"b"`}},
		{"CR then a byte", []string{"a\r", "b\n"}, []string{`"a\rb"`}},
		{"line cut", []string{"a", "b", "c\nd", "\n"}, []string{`"abc"`, `"d"`}},
		{"no end is no line", []string{"a\nbcd"}, []string{`"a"`}},
		{"no end, CR", []string{"a\nbcd\r"}, []string{`"a"`}},
		{"at the limit", []string{long + "\n", long + "\r\n", long + "\r\x00"}, []string{`"xxxxxxxx"`, `"xxxxxxxx"`, `"xxxxxxxx"`}},
		{"at the limit, end cut", []string{long + "\r", "\n" + long, "\n"}, []string{`"xxxxxxxx"`, `"xxxxxxxx"`}},
		{"over it", []string{long + "y\na\n"}, []string{"TOOLONG", `"a"`}},
		{"over it, cut", []string{long, "y", "zzzzzzzzzzzzz", "\r", "\x00a\n"}, []string{"TOOLONG", `"a"`}},
		{"over it by a CR", []string{long + "\r", "y\na\n"}, []string{"TOOLONG", `"a"`}},
		{"over it, never ended", []string{long + long, long}, nil},
		{"two over it", []string{long + "y\n" + long + "z\n"}, []string{"TOOLONG", "TOOLONG"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for name, src := range map[string]io.Reader{
				"as it is":     chunks(tc.in...),
				"byte by byte": iotest.OneByteReader(chunks(tc.in...)),
				"at once":      chunks(strings.Join(tc.in, "")),
				"data and EOF": iotest.DataErrReader(chunks(tc.in...)),
			} {
				r := NewReader(src)
				r.SetMaxLine(8)
				got, _ := readAll(t, r)
				if !slices.Equal(got, tc.want) {
					t.Errorf("%s: got %v, want %v", name, got, tc.want)
				}
			}
		})
	}
}

// A limit that is raised between two lines of one chunk holds for the second.
func TestReaderLimitChangesBetweenLines(t *testing.T) {
	r := NewReader(chunks("LOGIN alice secret\nSET k " + strings.Repeat("v", 600) + "\n"))
	if err := r.Fill(); err != nil {
		t.Fatal(err)
	}
	if _, ev := r.Next(); ev != Line {
		t.Fatalf("first event %d", ev)
	}
	r.SetMaxLine(1000)
	if line, ev := r.Next(); ev != Line || len(line) != 606 {
		t.Fatalf("second event %d with %d bytes", ev, len(line))
	}
}

func TestReaderReturnsErrorsAndGoesOn(t *testing.T) {
	r := NewReader(iotest.TimeoutReader(iotest.OneByteReader(strings.NewReader("a\n"))))
	var lines, timeouts int
	for {
		if _, ev := r.Next(); ev == Line {
			lines++
			continue
		}
		err := r.Fill()
		if errors.Is(err, iotest.ErrTimeout) {
			timeouts++
		} else if err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if lines != 1 || timeouts != 1 {
		t.Fatalf("%d lines, %d timeouts", lines, timeouts)
	}
}

// The caller may decode a line in place, and append to it, without touching the next one.
func TestReaderLineIsTheCallers(t *testing.T) {
	r := NewReader(chunks("abc\ndef\n"))
	if err := r.Fill(); err != nil {
		t.Fatal(err)
	}
	line, _ := r.Next()
	_ = append(line, "XXXXXXX"...)
	copy(line, "\n\r\n")
	if line, _ := r.Next(); string(line) != "def" {
		t.Fatalf("got %q", line)
	}
}

// endless is a line that never ends.
type endless struct{ left int }

func (e *endless) Read(p []byte) (int, error) {
	if e.left <= 0 {
		return 0, io.EOF
	}
	n := min(len(p), e.left)
	for i := range p[:n] {
		p[i] = 'x'
	}
	e.left -= n
	return n, nil
}

func TestReaderMemory(t *testing.T) {
	if n := unsafe.Sizeof(Reader{}); n > 1024 {
		t.Errorf("an idle Reader has %d bytes", n)
	}
	for _, tc := range []struct{ limit, most int }{
		{protocol.MaxLoginLine, smallSize},
		{64 << 10, smallSize + 128<<10},
		{1 << 20, smallSize + 2<<20},
	} {
		r := NewReader(&endless{left: 4 << 20})
		r.SetMaxLine(tc.limit)
		most := 0
		for {
			if _, ev := r.Next(); ev != None {
				t.Fatalf("event %d", ev)
			}
			if err := r.Fill(); err == io.EOF {
				break
			}
			most = max(most, r.Size())
		}
		if most > tc.most {
			t.Errorf("limit %d: held %d bytes, more than %d", tc.limit, most, tc.most)
		}
	}
}

// A large buffer goes back when it is drained and little came, or when the caller says so.
func TestReaderGivesBuffersBack(t *testing.T) {
	line := strings.Repeat("v", 100<<10) + "\n"
	r := NewReader(chunks(line, "PING\n", "PING\n"))
	r.SetMaxLine(1 << 20)
	for range 2 {
		for {
			if _, ev := r.Next(); ev == Line {
				break
			}
			r.Release() // keeps what is buffered
			if err := r.Fill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := r.Fill(); err != nil {
		t.Fatal(err)
	}
	if r.Size() != smallSize {
		t.Errorf("holds %d bytes after two short lines", r.Size())
	}

	r = NewReader(chunks(line))
	r.SetMaxLine(1 << 20)
	for ev := None; ev == None; {
		if err := r.Fill(); err != nil {
			t.Fatal(err)
		}
		_, ev = r.Next()
	}
	if r.Size() < len(line) || r.Buffered() != 0 {
		t.Errorf("holds %d bytes, %d buffered", r.Size(), r.Buffered())
	}
	if r.Release(); r.Size() != smallSize {
		t.Errorf("holds %d bytes after Release", r.Size())
	}
}

func TestReaderFullOfLines(t *testing.T) {
	r := NewReader(strings.NewReader(strings.Repeat("\n", 10000)))
	var err error
	for err == nil {
		err = r.Fill()
	}
	if err.Error() != "bufio: buffer full" || r.Buffered() > smallSize {
		t.Fatalf("%v with %d buffered", err, r.Buffered())
	}
	if got, _ := readAll(t, r); len(got) != 10000 {
		t.Fatalf("%d lines", len(got))
	}
}

// Lines of all sizes through small, pooled and grown buffers, cut at random.
func TestReaderLargeLines(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	sizes := []int{0, 10, 700, smallSize, 5000, block.Least - 1, block.Least, block.Least + 1, 100000, 200000, 200001, 300000}
	for range 8 {
		var in []byte
		for range 12 {
			in = append(in, bytes.Repeat([]byte{byte('a' + rng.IntN(26))}, sizes[rng.IntN(len(sizes))])...)
			in = append(in, []string{"\n", "\r\n", "\r\x00", "\xff\xf1\n", "\xff\xff\n"}[rng.IntN(5)]...)
		}
		c := &chunkReader{}
		for rest := in; len(rest) > 0; {
			n := min(len(rest), 1+rng.IntN([]int{2000, 70000, 400000}[rng.IntN(3)]))
			c.chunks, rest = append(c.chunks, bytes.Clone(rest[:n])), rest[n:]
		}
		r := NewReader(c)
		r.SetMaxLine(200000)
		got, _ := readAll(t, r)
		if !slices.Equal(got, naiveRead(in, 200000)) {
			t.Fatal("the lines differ from those of the naive reader")
		}
	}
}
