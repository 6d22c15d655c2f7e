package fsm

import (
	"errors"
	"fmt"
	"math"
	"testing"
)

// What nodes make passes, of every version and operation; what no node makes does not.
func TestCheck(t *testing.T) {
	for seed := range uint64(4) {
		s := newStory(seed)
		for range 300 {
			if b := s.next(); b.eviction != nil || b.h.Incarnation > 0 && b.h.Sequence > 0 {
				if err := Check(b.entry); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	good := Header{Origin: []byte("b/1"), Incarnation: 1, Sequence: 1, Count: 1, Stamp: 5}
	c := set("k", "v")
	one := AppendCommand(nil, &c)
	with := func(change func(*Header)) Header {
		h := good
		change(&h)
		return h
	}
	for name, e := range map[string][]byte{
		"empty":                {},
		"an incarnation of 0":  AppendBatch(nil, with(func(h *Header) { h.Incarnation = 0 }), one),
		"the last incarnation": AppendBatch(nil, with(func(h *Header) { h.Incarnation = math.MaxUint64 }), one),
		"a sequence of 0":      AppendBatch(nil, with(func(h *Header) { h.Sequence = 0 }), one),
		"no command":           AppendBatch(nil, good),
		"one too many":         AppendBatch(nil, good, one, one),
		"an operation of none": AppendBatch(nil, good, []byte{byte(opEnd), 0, 0}),
		"a field cut short":    AppendBatch(nil, good, one[:len(one)-1]),
		"the end of time":      AppendBatch(nil, with(func(h *Header) { h.Stamp = math.MaxInt64 }), one),
		"before time":          AppendBatch(nil, with(func(h *Header) { h.Stamp = -1 }), one),
	} {
		if err := Check(e); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
	later := AppendBatch(nil, with(func(h *Header) { h.Version = EntryVersion + 1 }), one)
	if err := Check(later); !errors.Is(err, ErrNewer) {
		t.Errorf("of a later release: %v", err)
	}
}

// BenchmarkCheck is what it costs to check a batch where it enters the log, once at a leader and once at each
// follower; ReadEntry is the part of it that a leader did before.
func BenchmarkCheck(b *testing.B) {
	for _, size := range []int{32, 224, 4096} {
		var commands []byte
		count := 0
		for ; count < 1024 && len(commands) < 256<<10; count++ {
			c := Command{Op: OpSet, User: 1, Key: fmt.Appendf(nil, "key:%012d", count), Value: make([]byte, size)}
			commands = AppendCommand(commands, &c)
		}
		e := AppendBatch(nil, Header{Origin: []byte("b/1"), Incarnation: 1, Sequence: 1, Count: count, Stamp: 1}, commands)
		for name, check := range map[string]func() error{
			"ReadEntry": func() error { _, _, err := ReadEntry(e); return err },
			"Check":     func() error { return Check(e) },
		} {
			b.Run(fmt.Sprintf("%s/%d of %d bytes", name, count, size), func(b *testing.B) {
				b.SetBytes(int64(len(e)))
				b.ReportAllocs()
				for range b.N {
					if err := check(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
