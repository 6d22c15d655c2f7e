package fsm

import (
	"slices"
	"strings"
	"testing"
)

func copies(op Op, key string, n int) []Command {
	c := Command{Op: op, User: 1, Key: []byte(key), TTL: 60_000}
	switch op {
	case OpSetRange:
		c.Value = []byte("x")
	case OpMove:
		c.Arg, c.Flags = []byte("to"), FlagCopy
	}
	return slices.Repeat([]Command{c}, n)
}

// A value that is on its way counts for the commands behind it, whoever sent which; what would be too much is
// answered, and the rest is done.
func TestWeightsOfValuesOnTheirWay(t *testing.T) {
	large := strings.Repeat("v", 500<<10)
	for name, c := range map[string]struct {
		there, comes, key string
		kept              int
	}{
		"there":             {large, "", "k", maxWork / len(large)},
		"on its way":        {"", large, "k", maxWork / len(large)},
		"small":             {"v", "w", "k", 1024},
		"another's key":     {"", large, "other", 1024},
		"small that is big": {"v", large, "k", maxWork / len(large)},
	} {
		n := withUser(t)
		w := NewWeights(n.FSM)
		if c.there != "" {
			n.one(2, set("k", c.there), Result{Kind: KindOK})
		}
		if c.comes != "" {
			e := entry(Header{Origin: []byte("b/1"), Incarnation: 1, Sequence: 1}, set("k", c.comes))
			if got, err := Refuse(e, Refusal{Weights: w}); err != nil || len(got) != len(e) {
				t.Fatalf("%s: the value itself: %v", name, err)
			}
		}
		for _, op := range []Op{OpExpire, OpPersist, OpDeadline, OpGetExpire, OpSetRange, OpMove} {
			e := entry(Header{Origin: []byte("a/1"), Incarnation: 1, Sequence: n.sequence + 1, Stamp: 3}, copies(op, c.key, 1024)...)
			bounded, err := Refuse(e, Refusal{Weights: w})
			if err != nil {
				t.Fatal(err)
			}
			n.sequence++
			n.feed(bounded)
			busy := 0
			for _, r := range n.told[batchID{"a/1", 1, n.sequence}].results {
				if r.Kind == KindBusy {
					busy++
				}
			}
			if busy != 1024-c.kept {
				t.Errorf("%s, operation %d: %d of 1024 refused, want %d", name, op, busy, 1024-c.kept)
			}
		}
	}
}

// What was noted is forgotten with the second Forget; then what is there counts.
func TestWeightsForget(t *testing.T) {
	n := withUser(t)
	w := NewWeights(n.FSM)
	w.note(1, []byte("k"), heavy)
	for i, want := range []int{heavy, heavy, 0} {
		if got := w.of(1, []byte("k")); got != want {
			t.Errorf("after %d: %d, want %d", i, got, want)
		}
		w.Forget()
	}
}
