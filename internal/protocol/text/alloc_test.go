package text

import (
	"io"
	"strings"
	"testing"

	"ciderd/internal/protocol"
)

// loop is a stream without an end: the same bytes again and again.
type loop struct {
	data string
	off  int
}

func (l *loop) Read(p []byte) (int, error) {
	n := copy(p, l.data[l.off:])
	l.off = (l.off + n) % len(l.data)
	return n, nil
}

var commonLines = []string{
	"GET user:1000", "get \"quoted \\x41 key\"", "SET user:1000 some value with blanks", `SET k "quoted \n value" EX 60 NX`, "SETEX k 1.5m v",
	"SETNX k v", "CAS k 12345 v", "DELETE k", "DEL a b c d", "INCR counter", "DECR counter 5", "APPEND k v", "EXPIRE k 60", "TTL k", "HAS k",
	"GETV k", "MGET a b c d e f", `MSET a 1 b "2" c 3`, "KEYS user:* LIMIT 10 AFTER user:5", "COUNT", "PING", "ONCE id-12345 SET k v", "SYNC",
}

// Reading and parsing a line allocates nothing.
func TestAllocs(t *testing.T) {
	for _, end := range []string{"\n", "\r\n", "\r\x00"} {
		r := NewReader(&loop{data: strings.Join(commonLines, end) + end})
		r.SetMaxLine(1 << 20)
		var p Parser
		var req protocol.Request
		next := func() {
			for {
				line, ev := r.Next()
				if ev == Line {
					if err := p.Parse(line, &req); err != nil {
						t.Fatal(err)
					}
					return
				}
				if err := r.Fill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		for range 100 {
			next()
		}
		if n := testing.AllocsPerRun(2000, next); n != 0 {
			t.Errorf("end %q: %v allocations for a line", end, n)
		}
	}
}

func TestAllocsOfReplies(t *testing.T) {
	dst := make([]byte, 0, 1024)
	glob := protocol.CompileGlob(b("user:[0-9]*?x*"))
	key, value, quoted := b("user:12345"), b("some value"), b("a\nb\xff")
	e := fail(protocol.Busy, "try again")
	var found bool
	n := testing.AllocsPerRun(100, func() {
		dst = AppendValue(dst[:0], value)
		dst = AppendValue(dst, quoted)
		dst = AppendValue(dst, key)
		dst = appendError(dst, e)
		found = glob.Match(key)
	})
	if n != 0 || found {
		t.Errorf("%v allocations, match %v", n, found)
	}
}

// Words of a huge line are not kept by the Parser.
func TestParserKeepsLittle(t *testing.T) {
	var p Parser
	var req protocol.Request
	if err := p.Parse(b("MGET "+strings.Repeat("k ", 5000)), &req); err != nil || len(req.Words) != 5000 {
		t.Fatal(err, len(req.Words))
	}
	if cap(p.words) > keptWords {
		t.Errorf("keeps room for %d words", cap(p.words))
	}
}

func BenchmarkReadAndParse(b *testing.B) {
	for _, line := range []string{"GET user:1000", "SET user:1000 0123456789abcdef0123456789abcdef"} {
		b.Run(line[:3], func(b *testing.B) {
			r := NewReader(&loop{data: strings.Repeat(line+"\n", 128)})
			r.SetMaxLine(1 << 20)
			var p Parser
			var req protocol.Request
			b.ReportAllocs()
			for i := 0; i < b.N; {
				line, ev := r.Next()
				if ev == None {
					if err := r.Fill(); err == io.EOF {
						b.Fatal(err)
					}
					continue
				}
				i++
				if err := p.Parse(line, &req); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkAppendValue(b *testing.B) {
	value := []byte("0123456789abcdef0123456789abcdef")
	dst := make([]byte, 0, 64)
	b.ReportAllocs()
	for b.Loop() {
		dst = AppendValue(dst[:0], value)
	}
}
