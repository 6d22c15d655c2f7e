package resp

import (
	"strings"
	"testing"
)

// again is a stream without an end: the same bytes again and again.
type again struct {
	data string
	off  int
}

func (a *again) Read(p []byte) (int, error) {
	n := copy(p, a.data[a.off:])
	a.off = (a.off + n) % len(a.data)
	return n, nil
}

var benchRequests = map[string]string{
	"GET": bulks("GET", "user:1000"), "SET": bulks("SET", "user:1000", "0123456789abcdef0123456789abcdef"),
}

// readOne reads one request and finds its command.
func readOne(tb testing.TB, r *Reader) {
	for {
		args, event := r.Next()
		if event == Request {
			if _, err := Lookup(args); err != nil {
				tb.Fatal(err)
			}
			return
		}
		if err := r.Fill(); err != nil {
			tb.Fatal(err)
		}
	}
}

func benchReader(request string) *Reader {
	r := NewReader(&again{data: strings.Repeat(request, 128)})
	r.SetLimits(SessionLimits(1 << 20))
	return r
}

func BenchmarkReadAndLookup(b *testing.B) {
	for name, request := range benchRequests {
		b.Run(name, func(b *testing.B) {
			r := benchReader(request)
			b.ReportAllocs()
			for b.Loop() {
				readOne(b, r)
			}
		})
	}
}

// Reading a request and finding its command allocates nothing.
func TestReadingAllocatesNothing(t *testing.T) {
	for name, request := range benchRequests {
		r := benchReader(request)
		for range 1000 {
			readOne(t, r)
		}
		if n := testing.AllocsPerRun(2000, func() { readOne(t, r) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func BenchmarkReply(b *testing.B) {
	value := []byte("0123456789abcdef0123456789abcdef")
	p := &page{}
	w := NewWriter(p)
	b.ReportAllocs()
	for b.Loop() {
		p.b = p.b[:0]
		w.Bulk(value)
	}
}
