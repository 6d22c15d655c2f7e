package cache

import (
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
)

// One writer changes; readers check what must hold whenever they look:
//
//   - GET a, then GET b, set together in cuts, never finds b older than a;
//   - MGet, a view and a store's view find both, equal, or neither;
//   - a key that is always there is always found, and never goes back, while
//     tables grow, split, merge and are copied under it.

func number(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

func numberOf(it Item, ok bool) uint64 {
	if !ok {
		return 0
	}
	return binary.BigEndian.Uint64(it.Value)
}

// race calls write(0), write(1), … in this goroutine and each of the readers in
// another, again and again, until there were n writes and 400 calls of each reader.
func race(n int, write func(i uint64), readers ...func()) {
	var done atomic.Bool
	var wg sync.WaitGroup
	calls := make([]atomic.Int64, len(readers))
	for r, read := range readers {
		wg.Go(func() {
			for !done.Load() {
				read()
				calls[r].Add(1)
			}
		})
	}
	busy := func(i int) bool {
		for r := range calls {
			if calls[r].Load() < 400 {
				return true
			}
		}
		return i < n
	}
	for i := 0; busy(i); i++ {
		write(uint64(i))
	}
	done.Store(true)
	wg.Wait()
}

func TestCutsAreAtomic(t *testing.T) {
	s := New()
	k := s.Create(1)
	a, b := []byte("a"), []byte("b")
	write := func(i uint64) {
		k.BeginCut()
		switch {
		case i%100 == 99:
			k.Flush()
		case i%10 == 9:
			k.Delete(a)
			k.Delete(b)
		default:
			k.Set(a, number(i), 0)
			k.Set(b, number(i), 0)
		}
		k.EndCut()
		k.Set(fmt.Append(nil, i), a, 0) // so that tables change under the readers
	}
	gets := func() {
		first := numberOf(k.Get(a, 0))
		// A cut between the two may have removed b; it can only be missing or newer.
		if it, ok := k.Get(b, 0); ok && numberOf(it, ok) < first {
			t.Errorf("a was %d, then b %d", first, numberOf(it, ok))
		}
	}
	keys := [][]byte{a, b, a}
	for len(keys) < mgetLookups { // so that it often falls back on a view
		keys = append(keys, a, b)
	}
	mget := func(keys [][]byte) func() {
		return func() {
			var got []uint64
			k.MGet(keys, 0, nil, func(_ int, it Item, ok bool) { got = append(got, numberOf(it, ok)) })
			if slices.Min(got) != slices.Max(got) {
				t.Errorf("MGet of %d: from %d to %d", len(keys), slices.Min(got), slices.Max(got))
			}
		}
	}
	view := func() {
		v := k.Freeze()
		n, got := 0, map[string]uint64{}
		v.Range(func(key, value []byte, _ uint64, _ int64) bool {
			if n++; len(key) == 1 && len(value) == 8 {
				got[string(key)] = binary.BigEndian.Uint64(value)
			}
			return true
		})
		if got["a"] != got["b"] || n != v.Len() {
			t.Errorf("view: %v, %d items of %d", got, n, v.Len())
		}
	}
	race(5000, write, gets, mget(keys[:3]), mget(keys), view)
	checkStructure(t, k)
}

// TestSetsAlone is the first promise for a cut that only ever sets, where a
// missing b would be an error too.
func TestSetsAlone(t *testing.T) {
	k := New().Create(1)
	a, b := []byte("a"), []byte("b")
	k.Set(a, number(0), 0)
	k.Set(b, number(0), 0)
	race(20000, func(i uint64) {
		k.BeginCut()
		k.Set(b, number(i), 0)
		k.Set(a, number(i), 0)
		k.EndCut()
	}, func() {
		first := numberOf(k.Get(a, 0))
		if it, ok := k.Get(b, 0); !ok || numberOf(it, ok) < first {
			t.Errorf("a was %d, then b %d %v", first, numberOf(it, ok), ok)
		}
		if n := k.Count(0); n != 2 {
			t.Errorf("Count = %d", n)
		}
	})
}

// TestReadsAcrossTheStartOfACut: what a cut does to a key in between is not seen
// by a Get that began before it, and an MGet is not half before and half behind.
// Records in front of the key's that have its hash and compare slowly make the
// reads long enough to be hit; the writer goes to the slot directly, as it would
// take as long to find it.
func TestReadsAcrossTheStartOfACut(t *testing.T) {
	k := New().Create(1)
	slow, a, b := make([]byte, MaxKeySize), []byte("a"), []byte("b")
	h := hashKey(slow)
	for i := range 4 {
		decoy := append([]byte(nil), slow...)
		decoy[MaxKeySize-1] = byte(i + 1)
		k.dir.Load().table(h).add(h, member{rec: newRecord(decoy, nil, 1, 0)})
	}
	for _, key := range [][]byte{slow, a, b} { // now the only group is full
		k.Set(key, number(0), 0)
	}
	_, slot, _ := k.dir.Load().table(h).locate(h, slow)
	race(3000, func(i uint64) {
		k.BeginCut()
		g := &k.ownTable(k.own(), h).groups[0]
		g.slots[slot].Store(nil)
		g.slots[slot].Store(newRecord(slow, nil, i, 0))
		k.Set(a, number(i), 0)
		k.Set(b, number(i), 0)
		k.EndCut()
		k.Lookup(slow, 0) // time for a read to begin
	}, func() {
		if _, ok := k.Get(slow, 0); !ok {
			t.Error("Get saw the middle of a cut")
		}
	}, func() {
		var got [3]uint64
		k.MGet([][]byte{a, slow, b}, 0, nil, func(i int, it Item, ok bool) {
			if i != 1 {
				got[i] = numberOf(it, ok)
			}
		})
		if got[0] != got[2] {
			t.Errorf("MGet: %d and %d", got[0], got[2])
		}
	})
}

func TestNeverBackWhileTablesChange(t *testing.T) {
	s := New()
	k := s.Create(1)
	steady, fickle := []byte("steady"), []byte("fickle")
	k.Set(steady, number(0), 0)
	var seen atomic.Uint64
	write := func(i uint64) {
		k.Set(steady, number(i), 0)
		switch n := i % 4000; { // 2,000 in, then 2,000 out
		case n < 2000:
			k.Set(fmt.Append(nil, n), steady, int64(n+1))
		default:
			k.Delete(fmt.Append(nil, n-2000))
		}
		k.Set(fickle, number(i), 0)
		k.Delete(fickle)
		if i%500 == 0 {
			s.Freeze()
		}
	}
	read := func() {
		before := seen.Load()
		it, ok := k.Get(steady, 0)
		n := numberOf(it, ok)
		if !ok || n < before {
			t.Errorf("found %v, %d after %d", ok, n, before)
		}
		for old := seen.Load(); n > old && !seen.CompareAndSwap(old, n); old = seen.Load() {
		}
		if v := k.Version(); v < it.Version {
			t.Errorf("keyspace at version %d, item at %d", v, it.Version)
		}
	}
	scan := func() {
		keys, _ := k.Freeze().Keys(0, func(key []byte) bool { return len(key) > 3 }, nil, 1<<30, nil)
		if !slices.ContainsFunc(keys, func(key []byte) bool { return string(key) == "steady" }) {
			t.Errorf("steady is not among %d keys", len(keys))
		}
		if n := k.Count(1000); n < 1 || n > 2002 {
			t.Errorf("Count %d", n)
		}
		if at, ok := s.NextDeadline(); ok && at < 1 || k.Len() < 1 || k.Bytes() < 1 || s.Bytes() < 1 || s.Keyspace(1) != k {
			t.Errorf("counters: %d %v %d %d", at, ok, k.Len(), k.Bytes())
		}
	}
	race(12000, write, read, read, scan)
	checkStructure(t, k)
}

// TestStoreViewWhileWriting reads a store's view on another goroutine while
// keyspaces are created, changed and dropped.
func TestStoreViewWhileWriting(t *testing.T) {
	s := New()
	x := newMachine(t)
	views := make(chan frozen, 4)
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(views)
		changeStore(s, views)
	})
	for f := range views {
		x.checkStore(f.store, f.model)
	}
	wg.Wait()
}

func changeStore(s *Store, views chan<- frozen) {
	m := model{}
	for i := range uint64(3000) {
		id := i % 40
		k := s.Create(id)
		if m[id] == nil {
			m[id] = &mspace{items: map[string]mitem{}}
		}
		key := fmt.Sprint(i % 700)
		k.Set([]byte(key), []byte(key), int64(i))
		m[id].set(key, key, int64(i))
		if i%90 == 0 {
			views <- frozen{store: s.Freeze(), model: m.clone()}
		}
		if i%130 == 129 {
			s.Drop(id)
			delete(m, id)
		}
	}
}
