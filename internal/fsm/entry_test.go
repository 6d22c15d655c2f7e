package fsm

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func sameHeader(a, b Header) bool {
	return bytes.Equal(a.Origin, b.Origin) && a.Incarnation == b.Incarnation && a.Sequence == b.Sequence &&
		a.Count == b.Count && a.Stamp == b.Stamp
}

func TestEntryRoundTrip(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for range 300 {
		parts := [][]byte{someBytes(r, 0, 50), nil, someBytes(r, 40, 3000)}
		want := Header{Origin: someBytes(r, 1, MaxOrigin), Incarnation: r.Uint64(), Sequence: r.Uint64(),
			Count: r.IntN(13), Stamp: someInt(r)} // a command has three bytes at least
		e := AppendBatch([]byte("before"), want, parts...)
		got, body, err := ReadEntry(e[len("before"):])
		if err != nil {
			t.Fatal(err)
		}
		if !sameHeader(got, want) || !bytes.Equal(body, slices.Concat(parts...)) {
			t.Fatalf("%+v became %+v", want, got)
		}
	}
}

func TestEntryBitFlips(t *testing.T) {
	e := entry(Header{Origin: []byte("cider-1/abc"), Incarnation: 3, Sequence: 9, Stamp: 1700000000000},
		set("k", "v"), Command{Op: OpIncr, User: 1, Key: []byte("n"), N: -5})
	for i := range e {
		for bit := range 8 {
			e[i] ^= 1 << bit
			if _, _, err := ReadEntry(e); !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrNewer) {
				t.Errorf("byte %d, bit %d flipped: error %v", i, bit, err)
			}
			e[i] ^= 1 << bit
		}
	}
	for n := range e {
		if _, _, err := ReadEntry(e[:n]); !errors.Is(err, ErrCorrupt) {
			t.Errorf("cut to %d bytes: error %v", n, err)
		}
	}
	if _, _, err := ReadEntry(append(e, 0)); !errors.Is(err, ErrCorrupt) {
		t.Errorf("a byte more: error %v", err)
	}
}

func TestSetStamp(t *testing.T) {
	h := Header{Origin: []byte("a/1"), Incarnation: 1, Sequence: 2, Stamp: 5}
	e := entry(h, set("k", "v"))
	for _, stamp := range []int64{0, 1700000000000, -1} {
		before := slices.Clone(e)
		SetStamp(e, stamp)
		got, _, err := ReadEntry(e)
		if err != nil || got.Stamp != stamp {
			t.Errorf("stamp %d: read %d, error %v", stamp, got.Stamp, err)
		}
		if !bytes.Equal(e[:stampAt], before[:stampAt]) || !bytes.Equal(e[bodyAt:], before[bodyAt:]) {
			t.Errorf("stamp %d changed more than the stamp", stamp)
		}
	}
}

// seal gives bytes the checksums of an entry, so that what lies behind these is reached.
func seal(version, kind byte, body []byte) []byte {
	e := append(make([]byte, bodyAt), body...)
	e[0], e[1] = version, kind
	SetStamp(e, 1)
	sum := checksum(e)
	for i := range 4 {
		e[2+i] = byte(sum >> (8 * i))
	}
	return e
}

func TestEntryRefused(t *testing.T) {
	good := appendBytes(nil, []byte("a/1"))
	for _, c := range []struct {
		name string
		e    []byte
		want error
	}{
		{"later version", seal(EntryVersion+1, entryBatch, append(good, 1, 1, 0)), ErrNewer},
		{"unknown type", seal(version1, entryBatch+1, append(good, 1, 1, 0)), ErrNewer},
		{"no origin", seal(version1, entryBatch, []byte{0, 1, 1, 0}), ErrCorrupt},
		{"long origin", seal(version1, entryBatch, append(appendBytes(nil, []byte(strings.Repeat("x", MaxOrigin+1))), 1, 1, 0)), ErrCorrupt},
		{"no count", seal(version1, entryBatch, append(good, 1, 1)), ErrCorrupt},
		{"more commands than bytes", seal(version1, entryBatch, append(good, 1, 1, 0xff, 0xff, 0xff, 0xff, 0x7f, 1)), ErrCorrupt},
		{"nothing", nil, ErrCorrupt},
	} {
		if _, _, err := ReadEntry(c.e); !errors.Is(err, c.want) {
			t.Errorf("%s: error %v, want %v", c.name, err, c.want)
		}
	}
	if _, _, err := ReadEntry(seal(version1, entryBatch, append(good, 1, 1, 0))); err != nil {
		t.Errorf("a good one: %v", err)
	}
}

// FuzzReadEntry takes the bytes as they are, and as a body with checksums that fit.
func FuzzReadEntry(f *testing.F) {
	e := entry(Header{Origin: []byte("a/1"), Incarnation: 1, Sequence: 2, Stamp: 3}, set("k", "v"))
	f.Add(e)
	f.Add(e[bodyAt:])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, e := range [][]byte{b, seal(version1, entryBatch, b)} {
			h, body, err := ReadEntry(e)
			if err != nil {
				if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrNewer) {
					t.Fatalf("error %v", err)
				}
				continue
			}
			again, body2, err := ReadEntry(AppendBatch(nil, h, body))
			if err != nil || !sameHeader(h, again) || !bytes.Equal(body, body2) {
				t.Fatalf("%+v became %+v, error %v", h, again, err)
			}
		}
	})
}

// FuzzApply feeds any commands to two nodes: neither panics, they agree, and what they hold can be
// restored.
func FuzzApply(f *testing.F) {
	r := rand.New(rand.NewPCG(9, 10))
	var all []byte
	for op := opNone + 1; op < opEnd; op++ {
		c := someCommand(r, op)
		c.User = 1
		if operations[op].only {
			continue
		}
		all = AppendCommand(all, &c)
		f.Add(AppendCommand(nil, &c), int64(5))
	}
	f.Add(all, int64(1<<62))
	f.Fuzz(func(t *testing.T, body []byte, stamp int64) {
		a, b := withUser(t), withUser(t)
		h := Header{Version: EntryVersion, Origin: []byte("b/1"), Incarnation: 1, Sequence: 1, Count: min(len(body)/3, 100), Stamp: stamp}
		a.feed(AppendBatch(nil, h, body))
		b.feed(AppendBatch(nil, h, body))
		sameDump(t, "another node that applied the same", b.FSM, a.FSM)
		sameDump(t, "a copy", a.copied().FSM, a.FSM)
	})
}
