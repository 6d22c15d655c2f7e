package fsm

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"ciderd/test/norace"
)

// An entry without what grows does to an open state what the whole entry does to a closed one, and has
// the same results; signups, which are small, are left to a state that is closed.
func TestRefuseGrowth(t *testing.T) {
	norace.Alone(t)
	for seed := range uint64(8) {
		s := newStory(seed)
		n := newNode(t, "a/1")
		smaller := 0
		for range 150 {
			b := s.next()
			if Check(b.entry) != nil || b.eviction != nil { // of an incarnation that cannot be: it never enters
				n.feed(b.entry)
				continue
			}
			b.commands = slices.DeleteFunc(slices.Clone(b.commands), func(c Command) bool {
				return c.Op == OpSignup || c.Op == OpRegister || c.Op == OpRestore || c.Op == OpClose
			})
			whole := entry(b.h, b.commands...)
			kept := slices.Clone(whole)
			small, err := Refuse(whole, Refusal{Growth: true})
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
			shut.state.Load().entries, open.state.Load().entries = 0, 0 // what is refused may be of a newer version than the rest
			sameDump(t, "the state without growth", open.FSM, shut.FSM)
			for id, want := range shut.told {
				if got := open.told[id]; !sameResults(got.results, want.results) {
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

// What is not an entry is refused, and one with a malformed command as well, whatever else is to be refused:
// Apply does the same with it on all nodes, but it is nothing that a node makes.
func TestRefuseOfGarbage(t *testing.T) {
	refusals := []Refusal{{}, {Growth: true}, {Reads: EntryVersion}, {Reads: version1}}
	for _, r := range refusals {
		if _, err := Refuse([]byte("no entry"), r); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%+v: %v", r, err)
		}
	}
	random := rand.New(rand.NewPCG(9, 9))
	passed := 0
	for range 500 {
		h := Header{Origin: []byte("b/1"), Incarnation: 1, Sequence: 1, Count: 3, Stamp: 5}
		one, two := set("k", "v"), set("l", "w")
		body := AppendCommand(AppendCommand(nil, &one), &two)
		e := AppendBatch(nil, h, append(body[:random.IntN(len(body))], someBytes(random, 12, 30)...))
		n := withUser(t)
		n.feed(e)
		if len(n.fatal) > 0 {
			t.Fatal(n.fatal)
		}
		malformed := slices.ContainsFunc(n.told[batchID{"b/1", 1, 1}].results, func(r Result) bool { return r.Kind == KindNone })
		for _, r := range refusals {
			_, err := Refuse(e, r)
			if err == nil && malformed {
				t.Fatalf("%+v: it passes, and Apply cannot read it", r)
			}
			if err == nil {
				passed++
			}
		}
	}
	t.Logf("%d pass", passed)
}

// A release that does not know OpRefuse must stop at such an entry, not skip what it does not know.
func TestRefusingEntryHasAVersionOfItsOwn(t *testing.T) {
	h := Header{Origin: []byte("b/1"), Incarnation: 1, Sequence: 1, Stamp: 5}
	deletion := Command{Op: OpDelete, User: 1, Words: words("k")}
	for _, c := range []struct {
		commands []Command
		version  byte
	}{
		{[]Command{set("k", "v"), deletion}, version2},
		{[]Command{deletion}, version1},
	} {
		small, err := Refuse(entry(h, c.commands...), Refusal{Growth: true})
		if err != nil || small[0] != c.version {
			t.Errorf("version %d, %v; want %d", small[0], err, c.version)
		}
		small[0] = EntryVersion + 1
		binary.LittleEndian.PutUint32(small[2:], checksum(small))
		if _, _, err := ReadEntry(small); !errors.Is(err, ErrNewer) {
			t.Errorf("a later version: %v", err)
		}
	}
}

// What not every server reads is taken out, whatever else is in the batch: the state is that of the batch
// without it, the entry is one that all read, and whoever sent it hears of it.
func TestRefuseWhatIsNotRead(t *testing.T) {
	norace.Alone(t)
	for reads := version1; reads < EntryVersion; reads++ {
		s, taken := newStory(uint64(reads)), 0
		n := newNode(t, "a/1")
		for range 300 {
			b := s.next()
			if Check(b.entry) != nil || b.eviction != nil { // of an incarnation that cannot be: it never enters
				n.feed(b.entry)
				continue
			}
			readable, err := Refuse(b.entry, Refusal{Reads: reads})
			if err != nil || int(readable[0]) > max(reads, version2) {
				t.Fatalf("an entry of version %d for servers that read %d: %v", readable[0], reads, err)
			}
			var rest []Command
			for _, c := range b.commands {
				if c.Since() <= reads {
					rest = append(rest, c)
				}
			}
			taken += len(b.commands) - len(rest)
			with, without := n.copied(), n.copied()
			with.feed(readable)
			without.feed(entry(b.h, rest...))
			with.state.Load().entries, without.state.Load().entries = 0, 0
			sameDump(t, "the state", with.FSM, without.FSM)
			checkRefused(t, b.commands, with.told, without.told, reads)
			clear(n.told)
			n.feed(b.entry)
		}
		if taken == 0 {
			t.Errorf("nothing that servers of version %d do not read", reads)
		}
	}
}

func checkRefused(t *testing.T, commands []Command, with, without map[batchID]told, reads int) {
	t.Helper()
	for id, got := range with {
		rest := without[id].results
		for i, c := range commands {
			want := Result{Kind: KindUnread}
			if c.Since() <= reads {
				want, rest = rest[0], rest[1:]
			} else if got.results[i].Kind == KindSessionEnded && !operations[c.Op].userless || len(c.Once) > 0 {
				continue // its user is gone, or the id has had its reply
			}
			if !sameResult(got.results[i], want) {
				t.Fatalf("operation %d gave %v, want %v", c.Op, got.results[i], want)
			}
		}
	}
}
