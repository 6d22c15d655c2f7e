package resp

import (
	"math"
	"strings"
	"testing"
)

// page is a Sink that keeps what it is given, and how.
type page struct {
	b       []byte
	sent    strings.Builder
	largest int // the buffer
}

func (p *page) Buffer() []byte { return p.b }
func (p *page) Keep(b []byte)  { p.b = b; p.largest = max(p.largest, len(b)) }
func (p *page) Emit(b []byte)  { p.Keep(b) }

func (p *page) Flush() {
	p.sent.Write(p.b)
	p.b = p.b[:0]
}

func (p *page) Send(b []byte) {
	p.Flush()
	p.sent.Write(b)
}

func (p *page) all() string {
	p.Flush()
	return p.sent.String()
}

// written returns what write writes in a version of the protocol.
func written(version int, write func(*Writer)) string {
	p := &page{}
	w := NewWriter(p)
	if w.SetProtocol(version); w.Protocol() != version {
		panic("the version is another one")
	}
	write(&w)
	w.Flush()
	return p.all()
}

func TestEachTypeIsWrittenInBothVersions(t *testing.T) {
	for name, tc := range map[string]struct {
		write        func(*Writer)
		resp2, resp3 string
	}{
		"simple":         {func(w *Writer) { w.Simple("PONG") }, "+PONG\r\n", "+PONG\r\n"},
		"OK":             {func(w *Writer) { w.OK() }, "+OK\r\n", "+OK\r\n"},
		"error":          {func(w *Writer) { w.Error("ERR no") }, "-ERR no\r\n", "-ERR no\r\n"},
		"error of lines": {func(w *Writer) { w.Error("ERR a\r\nb\nc\r\n\n") }, "-ERR a  b c\r\n", "-ERR a  b c\r\n"},
		"simple of many": {func(w *Writer) { w.Simple("a\r\n+b\r\n") }, "+a  +b\r\n", "+a  +b\r\n"},
		"integer":        {func(w *Writer) { w.Int(math.MinInt64) }, ":-9223372036854775808\r\n", ":-9223372036854775808\r\n"},
		"bulk":           {func(w *Writer) { w.Bulk([]byte("a\r\nb")) }, "$4\r\na\r\nb\r\n", "$4\r\na\r\nb\r\n"},
		"empty bulk":     {func(w *Writer) { w.Bulk(nil) }, "$0\r\n\r\n", "$0\r\n\r\n"},
		"string":         {func(w *Writer) { w.BulkString("abc") }, "$3\r\nabc\r\n", "$3\r\nabc\r\n"},
		"null":           {func(w *Writer) { w.Null() }, "$-1\r\n", "_\r\n"},
		"null array":     {func(w *Writer) { w.NullArray() }, "*-1\r\n", "_\r\n"},
		"array":          {func(w *Writer) { w.Array(2); w.Int(1); w.Null() }, "*2\r\n:1\r\n$-1\r\n", "*2\r\n:1\r\n_\r\n"},
		"empty array":    {func(w *Writer) { w.Array(0) }, "*0\r\n", "*0\r\n"},
		"map":            {func(w *Writer) { w.Map(1); w.Simple("a"); w.Int(1) }, "*2\r\n+a\r\n:1\r\n", "%1\r\n+a\r\n:1\r\n"},
		"empty map":      {func(w *Writer) { w.Map(0) }, "*0\r\n", "%0\r\n"},
		"set":            {func(w *Writer) { w.Set(1); w.Int(1) }, "*1\r\n:1\r\n", "~1\r\n:1\r\n"},
		"push":           {func(w *Writer) { w.Push(1); w.Int(1) }, "*1\r\n:1\r\n", ">1\r\n:1\r\n"},
		"true":           {func(w *Writer) { w.Bool(true) }, ":1\r\n", "#t\r\n"},
		"false":          {func(w *Writer) { w.Bool(false) }, ":0\r\n", "#f\r\n"},
		"double":         {func(w *Writer) { w.Double(3.141) }, "$5\r\n3.141\r\n", ",3.141\r\n"},
		"infinity":       {func(w *Writer) { w.Double(math.Inf(-1)) }, "$4\r\n-inf\r\n", ",-inf\r\n"},
		"no end":         {func(w *Writer) { w.Double(math.Inf(1)) }, "$3\r\ninf\r\n", ",inf\r\n"},
		"no number":      {func(w *Writer) { w.Double(math.NaN()) }, "$3\r\nnan\r\n", ",nan\r\n"},
		"verbatim":       {func(w *Writer) { w.Verbatim("txt", "a\nb") }, "$3\r\na\nb\r\n", "=7\r\ntxt:a\nb\r\n"},
	} {
		for version, want := range map[int]string{2: tc.resp2, 3: tc.resp3} {
			if got := written(version, tc.write); got != want {
				t.Errorf("%s in RESP %d: got %q, want %q", name, version, got, want)
			}
		}
	}
}

// Redis shows each type on demand.
func TestTypesAreWrittenAsRedisWritesThem(t *testing.T) {
	l := startLive(t)
	for kind, write := range map[string]func(*Writer){
		"string":  func(w *Writer) { w.BulkString("Hello World") },
		"integer": func(w *Writer) { w.Int(12345) },
		"double":  func(w *Writer) { w.Double(3.141) },
		"null":    func(w *Writer) { w.Null() },
		"array":   func(w *Writer) { w.Array(3); w.Int(0); w.Int(1); w.Int(2) },
		"set":     func(w *Writer) { w.Set(3); w.Int(0); w.Int(1); w.Int(2) },
		"map": func(w *Writer) {
			w.Map(3)
			w.Int(0)
			w.Bool(false)
			w.Int(1)
			w.Bool(true)
			w.Int(2)
			w.Bool(false)
		},
		"push":     func(w *Writer) { w.Push(2); w.BulkString("server-cpu-usage"); w.Int(42) },
		"verbatim": func(w *Writer) { w.Verbatim("txt", "This is a verbatim\nstring") },
		"true":     func(w *Writer) { w.Bool(true) },
		"false":    func(w *Writer) { w.Bool(false) },
	} {
		for version, name := range map[int]string{2: "2", 3: "3"} {
			l.do("HELLO", name)
			if kind == "push" && version == 2 {
				continue // Redis refuses it there
			}
			if got, want := written(version, write), l.do("DEBUG", "PROTOCOL", kind); got != want {
				t.Errorf("%s in RESP %d: got %q, want %q", kind, version, got, want)
			}
			if kind == "push" {
				l.reply() // a reply follows it
			}
		}
	}
	l.do("HELLO", "2")
	for _, want := range []string{l.do("GET", "missing"), l.do("INCR")} {
		got := written(2, (*Writer).Null)
		if want[0] == '-' {
			got = written(2, func(w *Writer) { w.Error("ERR wrong number of arguments for 'incr' command") })
		}
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestALargeValueIsNeverInTheBuffer(t *testing.T) {
	v := strings.Repeat("v\r\n\x00", 128<<10)
	p := &page{}
	w := NewWriter(p)
	w.OK()
	w.Bulk([]byte(v))
	w.Int(7)
	if got := p.all(); got != "+OK\r\n$524288\r\n"+v+"\r\n:7\r\n" {
		t.Errorf("got %d bytes: %.50q", len(got), got)
	}
	if p.largest > pieceSize+32 {
		t.Errorf("%d bytes were in the buffer", p.largest)
	}
}

func TestDroppedRepliesGoNowhere(t *testing.T) {
	p := &page{}
	w := NewWriter(p)
	w.Int(1)
	w.Drop(true)
	w.Int(2)
	w.Array(2)
	w.Bulk(make([]byte, 512<<10))
	w.BulkString(strings.Repeat("s", 100<<10))
	w.Error("ERR x")
	w.Flush()
	w.Drop(false)
	w.Int(3)
	if got := p.all(); got != ":1\r\n:3\r\n" {
		t.Errorf("got %q", got)
	}
	if cap(w.dropped.b) > pieceSize {
		t.Errorf("keeps %d bytes", cap(w.dropped.b))
	}
}

func TestWritingAReplyAllocatesNothing(t *testing.T) {
	p := &page{b: make([]byte, 0, 4096)}
	w := NewWriter(p)
	value, large := []byte("some value"), make([]byte, pieceSize+1)
	for _, drop := range []bool{false, true} {
		w.Drop(drop)
		n := testing.AllocsPerRun(100, func() {
			w.Bulk(value)
			w.OK()
			w.Null()
			w.Int(123456)
			w.Array(1)
			w.Double(1.5)
			w.Error("ERR syntax error")
			p.b = p.b[:0]
		})
		if n != 0 {
			t.Errorf("dropping %v: %v allocations", drop, n)
		}
	}
	w.Drop(false)
	if n := testing.AllocsPerRun(10, func() { w.Bulk(large); p.sent.Reset(); p.b = p.b[:0] }); n > 8 {
		t.Errorf("a large value: %v allocations", n) // the test's own page copies it
	}
}
