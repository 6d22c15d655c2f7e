package cache

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"ciderd/test/norace"
)

// heatOf returns the heat of key's item, which must be there.
func heatOf(tb testing.TB, k *Keyspace, key string) heat {
	tb.Helper()
	h := hashKey([]byte(key))
	g, slot, r := k.dir.Load().table(h).locate(h, []byte(key))
	if r == nil {
		tb.Fatalf("%q is not there", key)
	}
	return g.heats.at(slot)
}

// Whatever the byte and the epoch: a use counts once an epoch and leaves the mark, time only cools, and what sweeps
// keep is as cold as it was and stays so until the next sweep.
func TestHeat(t *testing.T) {
	for b := range 256 {
		h := heat(b)
		for epoch := uint64(100); epoch < 100+heatEpochs; epoch++ {
			f := h.frequency(epoch)
			if !h.current(epoch) {
				u := h.used(epoch)
				if !u.current(epoch) || u.frequency(epoch) != min(f+1, maxFrequency) || u&heatDirty != h&heatDirty {
					t.Fatalf("%#x used in %d: %#x", b, epoch, u)
				}
			}
			if h.age(epoch+1) != 0 && h.frequency(epoch+1) > f {
				t.Fatalf("%#x becomes warmer after %d", b, epoch)
			}
			kept := h.kept(epoch)
			if kept.frequency(epoch) != f || kept&heatDirty != h&heatDirty || kept.current(epoch) != h.current(epoch) {
				t.Fatalf("%#x kept in %d: %#x", b, epoch, kept)
			}
			for later := epoch; later < epoch+heatEpochs-coldEpochs; later++ {
				if kept.age(later) < kept.age(epoch) || kept.frequency(later) > f {
					t.Fatalf("%#x kept in %d: young in %d", b, epoch, later)
				}
			}
			if rank := h.rank(epoch); rank < 0 || rank >= ranks || rank/heatEpochs != int(f) {
				t.Fatalf("%#x in %d: rank %d", b, epoch, rank)
			}
		}
	}
}

// What clean need not look at is neither marked nor about to wrap, in whatever slot, and whatever is in the others.
func TestStirred(t *testing.T) {
	for b := range 256 {
		for epoch := uint64(100); epoch < 100+heatEpochs; epoch++ {
			h, calm := heat(b), makeHeat(maxFrequency, epoch)
			want := h&heatDirty != 0 || h.age(epoch) > coldEpochs
			for slot := range groupSlots {
				var g group
				for i := range groupSlots {
					g.heats.set(i, calm)
					g.setCtrl(i, 0x80)
				}
				g.heats.set(slot, h)
				if g.stirred(epoch) != want {
					t.Fatalf("%#x in slot %d in epoch %d: stirred %v, want %v", b, slot, epoch, !want, want)
				}
				if g.setCtrl(slot, ctrlTombstone); g.stirred(epoch) {
					t.Fatalf("%#x in slot %d in epoch %d: stirred by what is not there", b, slot, epoch)
				}
			}
		}
	}
}

// heatMachine holds the heat of a keyspace's items to a map of it.
type heatMachine struct {
	tb    testing.TB
	s     *Store
	k     *Keyspace
	heats map[string]heat
	sweep Cursor
}

func (x *heatMachine) use(key string, mark heat) {
	if h, ok := x.heats[key]; ok && !h.current(x.s.HeatEpoch()) {
		x.heats[key] = h.used(x.s.HeatEpoch()) | mark
	}
}

func (x *heatMachine) set(key string) {
	x.k.Set([]byte(key), nil, 0)
	if _, ok := x.heats[key]; ok {
		x.use(key, 0)
		return
	}
	h := heatOf(x.tb, x.k, key)
	if epoch := x.s.HeatEpoch(); h != newcomer(false, epoch) && h != newcomer(true, epoch) {
		x.tb.Fatalf("new %q begins with %#x", key, h)
	}
	x.heats[key] = h
}

func (x *heatMachine) remove(key string, evict bool) {
	if !evict {
		x.k.Delete([]byte(key))
	} else if it, ok := x.k.Lookup([]byte(key), 0); ok {
		x.k.Evict([]byte(key), it.Version)
	}
	delete(x.heats, key)
}

func (x *heatMachine) dirty() {
	x.sweep = x.k.Dirty(x.sweep, 300, func(key []byte, frequency uint8) {
		h, epoch := x.heats[string(key)], x.s.HeatEpoch()
		if h&heatDirty == 0 || h.frequency(epoch) != frequency {
			x.tb.Fatalf("Dirty(%q, %d), with heat %#x", key, frequency, h)
		}
		x.heats[string(key)] = h &^ heatDirty
	})
}

func (x *heatMachine) warmed(key string, f uint8) {
	x.k.Warmed([]byte(key), f)
	if h, ok := x.heats[key]; ok {
		epoch := x.s.HeatEpoch()
		x.heats[key] = h&heatDirty | makeHeat(max(h.frequency(epoch), f), epoch)
	}
}

// step does one thing: more Sets than removals while the keyspace grows, then the other way round.
func (x *heatMachine) step(rnd *rand.Rand, key string, grow bool) {
	switch n := rnd.IntN(20); {
	case n < 5 && grow || n == 0:
		x.set(key)
	case n < 5:
		x.remove(key, n == 1)
	case n < 10:
		x.k.Get([]byte(key), 0)
		x.use(key, heatDirty)
	case n < 15:
		x.k.MGet([][]byte{[]byte(key)}, 0, nil, func(int, Item, bool) {})
		x.use(key, heatDirty)
	case n == 15 && rnd.IntN(100) == 0:
		x.k.Freeze()
	case n == 16 && rnd.IntN(10) == 0:
		x.dirty()
	case n == 17:
		x.warmed(key, uint8(rnd.IntN(8)))
	default:
		x.k.Get([]byte(key+" not there"), 0)
	}
}

func (x *heatMachine) check() {
	for key, h := range x.heats {
		if got := heatOf(x.tb, x.k, key); got != h {
			x.tb.Fatalf("%q has heat %#x, not %#x", key, got, h)
		}
	}
	checkStructure(x.tb, x.k)
}

// The heat of every item is carried through growth, splits, copies, merges and shrinking.
func TestHeatIsCarried(t *testing.T) {
	norace.Alone(t)
	s := New()
	x := &heatMachine{tb: t, s: s, k: s.Create(1), heats: map[string]heat{}}
	rnd := rand.New(rand.NewPCG(1, 1))
	deepest := uint8(0)
	for i := range 160_000 {
		if i%20_000 == 0 {
			s.SetHeatEpoch(s.HeatEpoch() + 1)
			x.check()
		}
		x.step(rnd, fmt.Sprint(rnd.IntN(6000)), i < 80_000)
		deepest = max(deepest, x.k.dir.Load().depth)
	}
	for i := range 6000 {
		if i%10 != 0 {
			x.remove(fmt.Sprint(i), false)
		}
	}
	x.check()
	if depth := x.k.dir.Load().depth; len(x.heats) == 0 || deepest < 2 || depth >= deepest {
		t.Fatalf("%d items in tables of depth %d, after %d", len(x.heats), depth, deepest)
	}
}

// Reads of a key that was read in this epoch write nothing, and hidden items are not used.
func TestUseOnceAnEpoch(t *testing.T) {
	s := New()
	k := s.Create(1)
	s.SetHeatEpoch(5)
	k.Set([]byte("k"), nil, 100)
	for range 10 {
		k.Get([]byte("k"), 100)
		k.MGet([][]byte{[]byte("k")}, 100, nil, func(int, Item, bool) {})
	}
	if h := heatOf(t, k, "k"); h != newcomer(false, 5) {
		t.Errorf("reads after the deadline: heat %#x", h)
	}
	for epoch := uint64(5); epoch < 20; epoch++ {
		s.SetHeatEpoch(epoch)
		for range 3 {
			k.Get([]byte("k"), 99)
			if h := heatOf(t, k, "k"); h.frequency(epoch) != uint8(min(epoch-4, 7)) || !h.current(epoch) {
				t.Fatalf("epoch %d: heat %#x", epoch, h)
			}
		}
	}
}
