package fsm

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
)

// An entry without what grows does to an open state what the whole entry does to a closed one, and has
// the same results; signups, which are small, are left to a state that is closed.
func TestRefuseGrowth(t *testing.T) {
	for seed := range uint64(8) {
		s := newStory(seed)
		n := newNode(t, "a/1")
		smaller := 0
		for range 150 {
			b := s.next()
			b.commands = slices.DeleteFunc(slices.Clone(b.commands), func(c Command) bool {
				return c.Op == OpSignup || c.Op == OpClose
			})
			whole := entry(b.h, b.commands...)
			kept := slices.Clone(whole)
			small, err := RefuseGrowth(whole)
			if err != nil || !bytes.Equal(whole, kept) || len(small) > len(whole) {
				t.Fatalf("%v; %d bytes of %d", err, len(small), len(whole))
			}
			if len(small) < len(whole) {
				smaller++
			}
			shut, open := n.copied(), n.copied()
			shut.state.Load().closed, open.state.Load().closed = true, false
			shut.feed(whole)
			open.feed(small)
			open.state.Load().closed = true
			sameDump(t, "the state without growth", open.FSM, shut.FSM)
			for id, want := range shut.told {
				if got := open.told[id]; !slices.Equal(got.results, want.results) {
					t.Fatalf("batch %v of %v gave %v, want %v", id, b.commands, got, want)
				}
			}
			clear(n.told)
			n.feed(b.entry)
		}
		if smaller < 50 {
			t.Errorf("seed %d: only %d entries got smaller", seed, smaller)
		}
	}
}

// What is not an entry is refused, and what is malformed in one ends its batch as before.
func TestRefuseGrowthOfGarbage(t *testing.T) {
	if _, err := RefuseGrowth([]byte("no entry")); err == nil {
		t.Error("no error")
	}
	r := rand.New(rand.NewPCG(9, 9))
	for range 500 {
		h := Header{Origin: []byte("b/1"), Incarnation: 1, Sequence: 1, Count: 3, Stamp: 5}
		one, two := set("k", "v"), set("l", "w")
		body := AppendCommand(AppendCommand(nil, &one), &two)
		e := AppendBatch(nil, h, append(body[:r.IntN(len(body))], someBytes(r, 12, 30)...))
		small, err := RefuseGrowth(e)
		if err != nil {
			t.Fatal(err)
		}
		got, _, err := ReadEntry(small)
		if err != nil || !sameHeader(got, h) {
			t.Fatalf("%+v, %v", got, err)
		}
		n := withUser(t)
		n.feed(small)
		if len(n.fatal) > 0 {
			t.Fatal(n.fatal)
		}
	}
}

// A release that does not know OpRefuse must stop at such an entry, not skip what it does not know.
func TestRefusingEntryHasAVersionOfItsOwn(t *testing.T) {
	h := Header{Origin: []byte("b/1"), Incarnation: 1, Sequence: 1, Stamp: 5}
	deletion := Command{Op: OpDelete, User: 1, Words: words("k")}
	for _, c := range []struct {
		commands []Command
		version  byte
	}{
		{[]Command{set("k", "v"), deletion}, entryRefusing},
		{[]Command{deletion}, entryVersion},
	} {
		small, err := RefuseGrowth(entry(h, c.commands...))
		if err != nil || small[0] != c.version {
			t.Errorf("version %d, %v; want %d", small[0], err, c.version)
		}
		small[0] = entryRefusing + 1
		binary.LittleEndian.PutUint32(small[2:], checksum(small))
		if _, _, err := ReadEntry(small); !errors.Is(err, ErrNewer) {
			t.Errorf("a later version: %v", err)
		}
	}
}
