package cache

import (
	"fmt"
	"runtime"
	"slices"
	"testing"
	"weak"

	"ciderd/test/norace"
)

// gone reports whether nothing keeps what p points to.
func gone[T any](p weak.Pointer[T]) bool {
	runtime.GC()
	return p.Value() == nil
}

// An MGet of small items keeps no chunk: a client that does not read would keep thousands of times what it asked for.
func TestMGetKeepsNoChunk(t *testing.T) {
	norace.Alone(t)
	k := chunked(50_000)
	var keys [][]byte
	for i := range 1000 {
		keys = append(keys, fmt.Appendf(nil, "key-%08d", i*49))
	}
	given, chunks := 0, slices.Clone(k.chunks.all)
	begin := func(kept, copies int) {
		if want := 1000 * spaceFor(headSize+12+32); copies+kept < want*9/10 || copies > want {
			t.Errorf("%d bytes kept, copies of %d", kept, copies)
		}
	}
	k.MGet(keys, 0, begin, func(i int, it Item, ok bool) {
		if given++; !ok || string(it.Value) != fmt.Sprintf("value-%026d", i*49) {
			t.Fatalf("item %d: %v, %q", i, ok, it.Value)
		}
		if i != 500 {
			return
		}
		k.Flush()
		if n := left(chunks); n != 0 {
			t.Errorf("%d chunks are kept", n)
		}
	})
	if given != len(keys) {
		t.Errorf("%d of %d", given, len(keys))
	}
}

// An MGet that is stuck in its fn, as for a client that does not read, keeps what it has yet to give
// and no more: neither what it has given nor the tables that it looked into.
func TestMGetKeepsOnlyWhatIsLeft(t *testing.T) {
	for _, tc := range []struct {
		what   string
		keys   int
		frozen bool // it meets changes until it takes a view
	}{
		{"few keys", 5, false}, {"many keys", 200, false}, {"few keys of a view", 5, true}, {"many keys of a view", 200, true},
	} {
		t.Run(tc.what, func(t *testing.T) {
			k := New().Create(1)
			var keys [][]byte
			var old []weak.Pointer[record]
			for i := range tc.keys {
				keys = append(keys, fmt.Appendf(nil, "k%d", i))
			}
			fill := func() {
				old = old[:0]
				for _, key := range keys {
					k.Set(key, make([]byte, 2000), 0)
					old = append(old, weak.Make(k.dir.Load().find(hashKey(key), key)))
				}
			}
			fill()
			if tc.frozen {
				k.writes.Add(1)
			}
			asked := len(keys) - 1 // not the last
			k.MGet(keys[:asked], 0, nil, func(i int, it Item, ok bool) {
				if !ok || len(it.Value) != 2000 {
					t.Errorf("item %d: %v, %d bytes", i, ok, len(it.Value))
				}
				if i != asked-2 {
					return
				}
				if tc.frozen {
					k.writes.Add(^uint64(0))
				}
				was := append([]weak.Pointer[record](nil), old...)
				directory := weak.Make(k.dir.Load())
				fill()
				if i > 0 && !gone(was[i-1]) {
					t.Error("an item that was given is kept")
				}
				if !gone(was[asked]) {
					t.Error("an item that was not asked for is kept")
				}
				if tc.frozen && !gone(directory) {
					t.Error("the view is kept")
				}
				if gone(was[i+1]) {
					t.Error("an item that is yet to be given is not there any more")
				}
			})
		})
	}
}

// A view that is drained keeps neither the items that it has given nor the keyspaces.
func TestDrainedViewsKeepOnlyWhatIsLeft(t *testing.T) {
	const items = 8000
	s := New()
	var old []weak.Pointer[record]
	for id := range uint64(2) {
		k := s.Create(id)
		for i := range items {
			key := fmt.Appendf(nil, "key-%d", i)
			k.Set(key, make([]byte, 1000), 0)
			h := hashKey(key)
			old = append(old, weak.Make(k.dir.Load().find(h, key)))
		}
	}
	v := s.Freeze()
	for id := range uint64(2) {
		s.Keyspace(id).Flush()
	}
	kept := func() (n int) {
		runtime.GC()
		for _, w := range old {
			if w.Value() != nil {
				n++
			}
		}
		return n
	}
	if n := kept(); n != 2*items {
		t.Fatalf("the view has %d items of %d", n, 2*items)
	}
	given := 0
	v.Drain(func(id, _ uint64, v *View) bool {
		v.Drain(func(key, _ []byte, _ uint64, _ int64) bool {
			if given++; given%(items/2) == 0 {
				if n, most := kept(), 2*items-given+groupSlots*maxGroups; n > most {
					t.Errorf("%d of %d items given: %d are kept, at most %d should be", given, 2*items, n, most)
				}
			}
			return true
		})
		if v.Len() != 0 {
			t.Errorf("a view of %d items is left", v.Len())
		}
		return true
	})
	if given != 2*items {
		t.Errorf("%d of %d items", given, 2*items)
	}
}
