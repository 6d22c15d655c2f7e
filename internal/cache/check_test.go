package cache

import (
	"maps"
	"slices"
	"testing"
)

// check compares everything.
func (x *machine) check() {
	x.tb.Helper()
	x.checkStore(x.s.Freeze(), x.m)
	for id, m := range x.m {
		k := x.s.Keyspace(id)
		checkStructure(x.tb, k)
		checkChunks(x.tb, k)
		for key := range m.items {
			x.get(k, m, key)
		}
		x.get(k, m, "absent")
		if got, want := k.Count(x.now), m.count(x.now); got != want {
			x.tb.Fatalf("Count = %d, want %d", got, want)
		}
	}
	at, ok := x.s.NextDeadline()
	if wantAt, wantOK := x.m.nextDeadline(); at != wantAt || ok != wantOK {
		x.tb.Fatalf("NextDeadline = %d %v, want %d %v", at, ok, wantAt, wantOK)
	}
	for _, f := range x.views {
		x.checkFrozen(f)
	}
	checkRebuilt(x.tb, x.s)
}

func (x *machine) checkFrozen(f frozen) {
	x.tb.Helper()
	if f.store != nil {
		x.checkStore(f.store, f.model)
		return
	}
	x.checkView(f.view, f.mspace)
}

func (x *machine) checkStore(v *StoreView, m model) {
	x.tb.Helper()
	ids := slices.Sorted(maps.Keys(m))
	var seen []uint64
	var items int
	var size, memory int64
	v.Each(func(id, version uint64, view *View) bool {
		seen = append(seen, id)
		items, size = items+view.Len(), size+view.Bytes()
		memory += view.Memory()
		if version != view.Version() {
			x.tb.Fatalf("Each says version %d, the view %d", version, view.Version())
		}
		x.checkView(view, m[id])
		return true
	})
	if !slices.Equal(seen, ids) || v.Keyspaces() != len(ids) || v.Len() != items || v.Bytes() != size || v.Memory() != memory {
		x.tb.Fatalf("view has keyspaces %v, %d items, %d bytes, memory %d; want %v, %d, %d, %d",
			seen, v.Len(), v.Bytes(), v.Memory(), ids, items, size, memory)
	}
}

func (x *machine) checkView(v *View, m *mspace) {
	x.tb.Helper()
	if m == nil {
		x.tb.Fatal("view of a keyspace that the model does not have")
	}
	got, size := map[string]mitem{}, int64(0)
	v.Range(func(key, value []byte, version uint64, deadline int64) bool {
		got[string(key)] = mitem{string(value), version, deadline}
		size += int64(len(key) + len(value) + ItemOverhead)
		return true
	})
	if !maps.Equal(got, m.items) || v.Len() != len(got) || v.Bytes() != size || v.Memory() != m.memory() || v.Version() != m.version {
		x.tb.Fatalf("view: %d items (Len %d), Bytes %d, memory %d, version %d; want %d, %d, %d, %d",
			len(got), v.Len(), v.Bytes(), v.Memory(), v.Version(), len(m.items), size, m.memory(), m.version)
	}
	x.checkKeys(v, m)
}

func (x *machine) checkKeys(v *View, m *mspace) {
	x.tb.Helper()
	match := func(key []byte) bool { return key[len(key)-1] != '3' }
	after := []byte("k2")
	var want []string
	for key, it := range m.items {
		if match([]byte(key)) && key > string(after) && (it.deadline == 0 || it.deadline > x.now) {
			want = append(want, key)
		}
	}
	slices.Sort(want)
	for _, limit := range []int{0, 1, 10, 1 << 62} {
		keys, more := v.Keys(x.now, match, after, limit, nil)
		n := min(limit, len(want))
		if !slices.EqualFunc(keys, want[:n], func(a []byte, b string) bool { return string(a) == b }) ||
			more != (limit > 0 && n < len(want)) {
			x.tb.Fatalf("Keys(limit %d) = %q, %v; want %q of %d", limit, keys, more, want[:n], len(want))
		}
	}
}

// rebuild is what a restore does. It empties v.
func rebuild(v *StoreView) *Store {
	s := New()
	v.Drain(func(id, version uint64, v *View) bool {
		k := s.Create(id)
		v.Drain(func(key, value []byte, version uint64, deadline int64) bool {
			k.Load(key, value, version, deadline)
			return true
		})
		k.SetVersion(version)
		return true
	})
	return s
}

func checkRebuilt(tb testing.TB, s *Store) *Store {
	tb.Helper()
	r := rebuild(s.Freeze())
	at, ok := s.NextDeadline()
	rat, rok := r.NextDeadline()
	if r.Deadlines() != s.Deadlines() {
		tb.Fatalf("rebuilt store has %d deadlines, not %d", r.Deadlines(), s.Deadlines())
	}
	if r.Memory() != s.Memory() || r.Occupied() != s.Occupied() {
		tb.Fatalf("rebuilt store takes %d in %d keyspaces, not %d in %d", r.Memory(), r.Occupied(), s.Memory(), s.Occupied())
	}
	if r.Hash() != s.Hash() || r.Bytes() != s.Bytes() || r.Len() != s.Len() || r.Keyspaces() != s.Keyspaces() || rat != at || rok != ok {
		tb.Fatalf("rebuilt store differs: hash %x %x, bytes %d %d, items %d %d, deadline %d %d",
			r.Hash(), s.Hash(), r.Bytes(), s.Bytes(), r.Len(), s.Len(), rat, at)
	}
	return r
}

// checkStructure looks at what no method shows.
func checkStructure(tb testing.TB, k *Keyspace) {
	tb.Helper()
	d := k.dir.Load()
	items, timed, deepest := 0, 0, 0
	for i := range d.tables {
		t := d.tables[i].Load()
		if first := i >> (d.depth - t.depth) << (d.depth - t.depth); d.tables[first].Load() != t {
			tb.Fatalf("entry %d has another table than entry %d", i, first)
		}
	}
	d.each(func(t *table) bool {
		live, used := 0, 0
		for g := range t.groups {
			ctrl := t.groups[g].ctrl.Load()
			for i := range groupSlots {
				c, r := ctrl>>(8*i)&0xff, t.groups[g].slots[i].Load()
				if (c >= 0x80) != (r != nil) {
					tb.Fatalf("control byte %#x, record %v", c, r)
				}
				if c != 0 {
					used++
				}
				if r == nil {
					continue
				}
				live++
				if d.find(hashKey(r.key()), r.key()) != r {
					tb.Fatalf("%q is not where it is looked for", r.key())
				}
				if at := r.deadline(); at != 0 {
					timed++
					if in, _ := k.deadlines.tree.Get(due{at, r}); in.rec != r {
						tb.Fatalf("%q: the index has another record", r.key())
					}
				}
			}
		}
		if live != int(t.live) || used != int(t.used) || used > len(t.groups)*groupLoad {
			tb.Fatalf("table counts %d, %d; has %d, %d in %d groups", t.live, t.used, live, used, len(t.groups))
		}
		if t.depth == d.depth {
			deepest++
		}
		items += live
		return true
	})
	if items != k.Len() || deepest != d.deepest {
		tb.Fatalf("directory counts %d items, %d deepest; has %d, %d", k.Len(), d.deepest, items, deepest)
	}
	counted := 0
	if k.deadlines.tree != nil {
		k.deadlines.tree.Ascend(func(d due) bool {
			if k.deadlines.past.has(d) {
				counted++
			}
			return true
		})
	}
	if counted != k.deadlines.past.count {
		tb.Fatalf("%d items are noted as past their deadline, of %d", k.deadlines.past.count, counted)
	}
	if in := 0; k.deadlines.tree != nil {
		if in = k.deadlines.tree.Len(); in != timed {
			tb.Fatalf("index has %d entries for %d deadlines", in, timed)
		}
	} else if timed != 0 {
		tb.Fatalf("no index for %d deadlines", timed)
	}
}
