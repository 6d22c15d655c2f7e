package cache

import (
	"fmt"
	"runtime"
	"sync"
	"testing"

	memory "ciderd/internal/machine"
)

// walkAll has step walk through all slots.
func walkAll(step func(at Cursor) Cursor) {
	for at := step(0); at != 0; at = step(at) {
	}
}

// allSparse has Compact copy whatever can be copied.
func allSparse(k *Keyspace) *Pages {
	p := NewPages()
	walkAll(func(at Cursor) Cursor { return k.Census(at, 1000, p) })
	p.sparse = map[uintptr]bool{}
	for page := range p.used {
		p.sparse[page] = true
	}
	return p
}

// The emptiest pages are chosen, a quarter of all bytes at most, and none that is nearly full or has something that must
// stay.
func TestChoosePages(t *testing.T) {
	p := NewPages()
	fill := func(from, pages int, sizes ...int) {
		for page := from; page < from+pages; page++ {
			for _, n := range sizes {
				p.note(uintptr(page), n)
			}
		}
	}
	if p.Choose() != 0 {
		t.Error("a choice of none")
	}
	fill(0, 100, 1000, 1000)
	fill(100, 100, 4000)
	fill(200, 100, 4000, 4000)
	fill(300, 100, 16, pinned)
	unused := p.Choose() // of 2,219,200 bytes
	first, second := 0, 0
	for page := range p.sparse {
		switch {
		case page < 100:
			first++
		case page < 200:
			second++
		default:
			t.Errorf("page %d is chosen", page)
		}
	}
	if first != 100 || second != 89 || unused != int64(first*(pageBytes-2000)+second*(pageBytes-4000)) {
		t.Errorf("%d and %d chosen, %d bytes", first, second, unused)
	}
}

// unused returns what lies between objects in the heap.
func unused() int64 {
	runtime.GC()
	runtime.GC()
	return memory.Taken(memory.Root()).Unused
}

// When items have gone, in no order, pages become free, in a few rounds.
func TestCompactFreesPages(t *testing.T) {
	for _, c := range []struct {
		left    int     // of 100 items
		shrinks float64 // what lies unused, at least to this part
	}{{5, 0.4}, {50, 0.6}} {
		s, items := New(), 10_000
		k := s.Create(1)
		for i := range items {
			k.Set(fmt.Appendf(nil, "key-%010d", i), make([]byte, 600), 0)
		}
		for i := range items {
			if i*7919%100 >= c.left {
				k.Delete(fmt.Appendf(nil, "key-%010d", i))
			}
		}
		before, copied := unused(), 0
		for range 4 {
			pages := NewPages()
			walkAll(func(at Cursor) Cursor { return k.Census(at, 1000, pages) })
			pages.Choose()
			walkAll(func(at Cursor) Cursor {
				next, n := k.Compact(at, 1000, pages)
				copied += n
				return next
			})
			unused() // what was copied is collected
		}
		if after := unused(); float64(after) > float64(before)*c.shrinks {
			t.Errorf("%d left of 100: %d bytes lie unused, of %d; %d were copied", c.left, after, before, copied)
		}
		if most := items * (14 + 14 + 600) * c.left / 100 * 11 / 10; copied > most { // a quarter each time, and a page
			t.Errorf("%d left of 100: %d bytes were copied", c.left, copied)
		}
		checkStructure(t, k)
	}
}

// Compacting changes nothing that can be seen, beside a writer and readers, and copies what it is told.
func TestCompact(t *testing.T) {
	s := New()
	k := s.Create(1)
	want := int64(0)
	for i := range 5000 {
		value, deadline := make([]byte, i%3000), int64(0)
		if i%10 == 0 {
			deadline = 1 << 40
		}
		k.Set(fmt.Append(nil, "key", i), value, deadline)
	}
	k.Freeze().dir.each(func(tab *table) bool {
		return tab.each(func(r *record) bool {
			if r.deadline() == 0 && r.chunk() == nil {
				want += int64(len(r.bytes()))
			}
			return true
		})
	})
	view, hash, memory := k.Freeze(), s.Hash(), s.Memory()
	all := allSparse(k)
	copied := 0
	walkAll(func(at Cursor) Cursor {
		next, n := k.Compact(at, 1000, all)
		copied += n
		return next
	})
	if int64(copied) != want {
		t.Errorf("copied %d bytes, want %d", copied, want)
	}
	walkAll(func(at Cursor) Cursor {
		next, n := k.Compact(at, 1000, NewPages())
		if n != 0 {
			t.Error("it copied what is not sparse")
		}
		return next
	})
	if s.Hash() != hash || s.Memory() != memory || view.Len() != 5000 {
		t.Error("something has changed")
	}
	checkStructure(t, k)
	checkRebuilt(t, s)
	census := NewPages()
	walkAll(func(at Cursor) Cursor { return k.Census(at, 1000, census) })
	if len(census.used) < int(memory)/pageBytes/2 {
		t.Errorf("%d pages hold %d bytes", len(census.used), memory)
	}

	var wg sync.WaitGroup
	stop := make(chan struct{})
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				all := allSparse(k)
				walkAll(func(at Cursor) Cursor { next, _ := k.Compact(at, 500, all); return next })
				emptyAll(k)
			}
		}
	})
	wg.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			if it, ok := k.Get(fmt.Append(nil, "key", i%5000), 0); ok && len(it.Value) != i%5000%3000 && len(it.Value) != 7 {
				t.Errorf("key %d has %d bytes", i%5000, len(it.Value))
				return
			}
		}
	})
	for i := range 20_000 {
		switch key := fmt.Append(nil, "key", i%5000); i % 7 {
		case 0:
			k.Delete(key)
		case 1:
			k.SetDeadline(key, 1<<41)
		case 2:
			k.SetDeadline(key, 0)
		default:
			k.Set(key, make([]byte, 7), 0)
		}
	}
	close(stop)
	wg.Wait()
	checkStructure(t, k)
	checkRebuilt(t, s)
}
