package cache

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"weak"
)

func TestRecord(t *testing.T) {
	for _, tc := range []struct {
		key, value string
		deadline   int64
	}{
		{"k", "", 0},
		{"k", "v", 1},
		{"k", "v", -1},
		{strings.Repeat("k", 18), "", 0}, // fills its size class: no pointer may leave it
		{strings.Repeat("k", 1024), strings.Repeat("v", 1<<20), 1 << 60},
		{strings.Repeat("k", MaxKeySize), "v", 1},
	} {
		r := newRecord([]byte(tc.key), []byte(tc.value), 1<<63+5, tc.deadline)
		if string(r.key()) != tc.key || string(r.value()) != tc.value || r.version() != 1<<63+5 || r.deadline() != tc.deadline {
			t.Errorf("%d-byte key, %d-byte value, deadline %d: got %d, %d, %d",
				len(tc.key), len(tc.value), tc.deadline, len(r.key()), len(r.value()), r.deadline())
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("a key that does not fit did not panic")
		}
	}()
	newRecord(make([]byte, MaxKeySize+1), nil, 1, 0)
}

// TestItemIsACopy: the caller's buffers are its own again after Set.
func TestItemIsACopy(t *testing.T) {
	k := New().Create(1)
	key, value := []byte("key"), []byte("value")
	k.Set(key, value, 0)
	key[0], value[0] = 'X', 'X'
	if it, ok := k.Get([]byte("key"), 0); !ok || string(it.Value) != "value" {
		t.Fatalf("got %q %v", it.Value, ok)
	}
}

func TestDeadlineHides(t *testing.T) {
	k := New().Create(1)
	key := []byte("k")
	k.Set(key, nil, 100)
	for _, tc := range []struct {
		now  int64
		want bool
	}{{99, true}, {100, false}, {101, false}} {
		_, got := k.Get(key, tc.now)
		keys, _ := k.Freeze().Keys(tc.now, nil, nil, 10, nil)
		if got != tc.want || (k.Count(tc.now) == 1) != tc.want || (len(keys) == 1) != tc.want {
			t.Errorf("at %d: Get %v, Count %d, %d keys", tc.now, got, k.Count(tc.now), len(keys))
		}
	}
	if k.Len() != 1 {
		t.Error("hiding removed the item")
	}
}

// TestExpireOrder: a store with a history and one rebuilt from its snapshot
// remove the same items, step by step.
func TestExpireOrder(t *testing.T) {
	s := New()
	rnd := rand.New(rand.NewPCG(3, 3))
	for range 5000 {
		k := s.Create(rnd.Uint64N(5))
		key := fmt.Append(nil, rnd.IntN(400))
		switch rnd.IntN(4) {
		case 0:
			k.Delete(key)
		default:
			k.Set(key, key, 1+rnd.Int64N(30)) // many of the same deadline
		}
	}
	r := checkRebuilt(t, s)
	for now := int64(0); s.Len() > 0; now += rnd.Int64N(3) {
		limit := rnd.IntN(40)
		if a, b := s.Expire(now, limit), r.Expire(now, limit); a != b || s.Hash() != r.Hash() {
			t.Fatalf("Expire(%d, %d): %d and %d removed", now, limit, a, b)
		}
	}
	if _, ok := s.NextDeadline(); ok || s.Bytes() != 0 || s.schedule.Len() != 0 {
		t.Fatal("something is left")
	}
}

func TestExpireGoesByDeadlineIDKey(t *testing.T) {
	s := New()
	type who struct {
		id  uint64
		key string
	}
	order := []who{{2, "z"}, {1, "a"}, {1, "b"}, {3, "a"}, {1, "c"}}
	for i, at := range []int64{1, 2, 2, 2, 3} {
		s.Create(order[i].id).Set([]byte(order[i].key), nil, at)
	}
	for _, w := range order {
		if _, ok := s.Keyspace(w.id).Get([]byte(w.key), 0); !ok || s.Expire(3, 1) != 1 {
			t.Fatalf("%v: not there, or nothing removed", w)
		}
		if _, ok := s.Keyspace(w.id).Get([]byte(w.key), 0); ok {
			t.Fatalf("%v was not the next", w)
		}
	}
}

// TestHashSeesEveryDifference: one for each thing that a state consists of.
func TestHashSeesEveryDifference(t *testing.T) {
	base := func(change func(s *Store, k *Keyspace)) uint64 {
		s := New()
		k := s.Create(1)
		k.Load([]byte("ab"), []byte("cd"), 1, 10)
		k.Load([]byte("x"), []byte("y"), 2, 0)
		k.SetVersion(2)
		change(s, k)
		return s.Hash()
	}
	same := base(func(*Store, *Keyspace) {})
	seen := map[uint64]string{same: "nothing"}
	for name, change := range map[string]func(s *Store, k *Keyspace){
		"value":          func(_ *Store, k *Keyspace) { k.Load([]byte("x"), []byte("z"), 2, 0) },
		"version":        func(_ *Store, k *Keyspace) { k.Load([]byte("x"), []byte("y"), 1, 0) },
		"deadline":       func(_ *Store, k *Keyspace) { k.Load([]byte("ab"), []byte("cd"), 1, 11) },
		"no deadline":    func(_ *Store, k *Keyspace) { k.Load([]byte("ab"), []byte("cd"), 1, 0) },
		"one more":       func(_ *Store, k *Keyspace) { k.Load([]byte("q"), nil, 2, 0) },
		"one less":       func(_ *Store, k *Keyspace) { k.Delete([]byte("x")); k.SetVersion(2) },
		"counter":        func(_ *Store, k *Keyspace) { k.SetVersion(3) },
		"flush":          func(_ *Store, k *Keyspace) { k.Flush() },
		"empty keyspace": func(s *Store, _ *Keyspace) { s.Create(2) },
		"drop":           func(s *Store, _ *Keyspace) { s.Drop(1) },
		"where it splits": func(_ *Store, k *Keyspace) {
			k.Delete([]byte("ab"))
			k.Load([]byte("abc"), []byte("d"), 1, 10)
			k.SetVersion(2)
		},
		"other keyspace": func(s *Store, k *Keyspace) {
			k.Delete([]byte("x"))
			k.SetVersion(2)
			s.Create(2).Load([]byte("x"), []byte("y"), 2, 0)
		},
	} {
		h := base(change)
		if other, dup := seen[h]; dup {
			t.Errorf("%s and %s have the same hash", name, other)
		}
		seen[h] = name
	}
	back := base(func(s *Store, k *Keyspace) {
		s.Create(2).Set([]byte("x"), nil, 5)
		s.Drop(2)
		k.Set([]byte("x"), []byte("else"), 0)
		k.Load([]byte("x"), []byte("y"), 2, 0)
		k.SetVersion(2)
	})
	if back != same {
		t.Error("there and back again is another hash")
	}
}

// TestVersions: one counter for each keyspace, one for each change, for ever.
func TestVersions(t *testing.T) {
	s := New()
	k := s.Create(1)
	key := []byte("k")
	s.Create(2).Set(key, nil, 0)
	for i, change := range []func(){
		func() { k.Set(key, nil, 0) },
		func() { k.SetDeadline(key, 5) },
		func() { k.Delete(key) },
		func() { k.Set(key, nil, 7) },
		func() { s.Expire(7, 9) },
		func() { k.Set(key, nil, 0) },
		func() { k.Flush() },
	} {
		if change(); k.Version() != uint64(i+1) {
			t.Fatalf("change %d: version %d", i, k.Version())
		}
	}
	k.Flush()
	k.Delete(key)
	if k.SetDeadline(key, 1) || k.Version() != 7 {
		t.Fatalf("changes of nothing: version %d", k.Version())
	}
}

func TestCreateAndDrop(t *testing.T) {
	s := New()
	k := s.Create(1)
	if s.Create(1) != k || s.Keyspace(1) != k || s.Keyspace(2) != nil || k.ID() != 1 {
		t.Fatal("Create and Keyspace disagree")
	}
	k.Set([]byte("k"), []byte("v"), 5)
	if !s.Drop(1) || s.Drop(1) || s.Keyspace(1) != nil {
		t.Fatal("Drop")
	}
	if _, ok := k.Get([]byte("k"), 0); ok {
		t.Error("a dropped keyspace still answers")
	}
	if at, ok := s.NextDeadline(); ok || s.Bytes() != 0 || s.Memory() != 0 || s.Occupied() != 0 || s.Len() != 0 || s.Hash() != 0 || s.Keyspaces() != 0 {
		t.Errorf("left behind: deadline %d, %d bytes, hash %x", at, s.Bytes(), s.Hash())
	}
	if again := s.Create(1); again == k || again.Version() != 0 {
		t.Error("a keyspace created again is the old one")
	}
}

// TestNothingSupersededIsKept: neither slots nor the deadline index keep an old
// record reachable, nor the store a flushed keyspace's old directory.
func TestNothingSupersededIsKept(t *testing.T) {
	s := New()
	k := s.Create(1)
	fill := func() {
		for i := range 300 {
			k.Set(fmt.Append(nil, i), make([]byte, 100), int64(1000+i%7))
		}
	}
	fill()
	for _, step := range []struct {
		name      string
		supersede func() // every item
	}{
		{"the same deadlines", fill},
		{"other deadlines", func() {
			for i := range 300 {
				k.SetDeadline(fmt.Append(nil, i), int64(1+i))
			}
		}},
		{"expire and delete", func() {
			s.Expire(200, 1000)
			for i := range 300 {
				k.Delete(fmt.Append(nil, i))
			}
			fill()
		}},
		{"flush", func() {
			for id := range uint64(200) { // so that the store's nodes split
				s.Create(id)
			}
			k.Flush()
		}},
	} {
		var old []weak.Pointer[record]
		k.Freeze().dir.each(func(t *table) bool {
			return t.each(func(r *record) bool { old = append(old, weak.Make(r)); return true })
		})
		step.supersede()
		runtime.GC()
		kept := len(slices.DeleteFunc(slices.Clone(old), func(p weak.Pointer[record]) bool { return p.Value() == nil }))
		if len(old) != 300 || kept != 0 {
			t.Errorf("%s: %d of %d superseded records are still reachable", step.name, kept, len(old))
		}
	}
	runtime.KeepAlive(s)
}

// TestFreezeIsLazy: a change after a freeze copies one table, not the keyspace.
func TestFreezeIsLazy(t *testing.T) {
	s := New()
	k := s.Create(1)
	for i := range 10000 {
		k.Set(fmt.Append(nil, i), nil, 0)
	}
	tables := func() map[*table]bool {
		m := map[*table]bool{}
		k.dir.Load().each(func(t *table) bool { m[t] = true; return true })
		return m
	}
	before := tables()
	for _, freeze := range []func(){func() { k.Freeze() }, func() { s.Freeze() }} {
		freeze()
		if !maps.Equal(tables(), before) {
			t.Fatal("the freeze itself copied")
		}
		k.Set([]byte("1"), nil, 0)
		k.Set([]byte("1"), nil, 0)
		after := tables()
		maps.DeleteFunc(before, func(t *table, _ bool) bool { return after[t] })
		if len(before) != 1 {
			t.Fatalf("a change copied %d tables", len(before))
		}
		before = after
	}
}

func TestKeysYields(t *testing.T) {
	k := New().Create(1)
	for i := range 20000 {
		k.Set(fmt.Append(nil, i), nil, 0)
	}
	yields := 0
	keys, more := k.Freeze().Keys(0, func(key []byte) bool { return bytes.HasPrefix(key, []byte("199")) }, nil, 3, func() bool { yields++; return true })
	if !more || !slices.EqualFunc(keys, []string{"199", "1990", "19900"}, func(a []byte, b string) bool { return string(a) == b }) {
		t.Errorf("%q %v", keys, more)
	}
	if yields < 3 || yields > 20000/1000 {
		t.Errorf("%d yields in 20,000 items", yields)
	}
	yields = 0
	keys, more = k.Freeze().Keys(0, nil, nil, 30000, func() bool { yields++; return yields < 2 })
	if yields != 2 || len(keys) > 0 || more {
		t.Errorf("stopped at the second yield: %d yields, %d keys, %v", yields, len(keys), more)
	}
}

func TestRangeStops(t *testing.T) {
	s := New()
	for id := range uint64(3) {
		for i := range 2000 {
			s.Create(id).Set(fmt.Append(nil, i), nil, 0)
		}
	}
	items, spaces := 0, 0
	s.Freeze().Each(func(_, _ uint64, v *View) bool {
		spaces++
		v.Range(func([]byte, []byte, uint64, int64) bool { items++; return items%5 != 0 })
		return spaces < 2
	})
	if items != 10 || spaces != 2 {
		t.Errorf("%d items of %d keyspaces", items, spaces)
	}
}

func TestReadsDoNotAllocate(t *testing.T) {
	k := New().Create(1)
	keys := [][]byte{[]byte("a"), []byte("b"), []byte("missing")}
	k.Set(keys[0], []byte("v"), 9)
	found := 0
	for name, read := range map[string]func(){
		"Get":   func() { k.Get(keys[0], 1) },
		"miss":  func() { k.Get(keys[2], 1) },
		"Count": func() { k.Count(1) },
		"MGet": func() {
			k.MGet(keys, 1, nil, func(_ int, _ Item, ok bool) {
				if ok {
					found++
				}
			})
		},
	} {
		if n := testing.AllocsPerRun(100, read); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}

// What is due is counted in parts, so that a Count never takes long.
func TestCountIsBounded(t *testing.T) {
	defer func(n int) { countMost = n }(countMost)
	countMost = 4 * countAtOnce
	due := countMost + 1000
	k := New().Create(1)
	for i := range due {
		k.Set(binary.LittleEndian.AppendUint32(nil, uint32(i)), nil, 1)
	}
	if n := k.Count(2); n != due-countMost {
		t.Errorf("%d are visible after the first count, want %d", n, due-countMost)
	}
	if n := k.Count(2); n != 0 {
		t.Errorf("%d are visible after the second", n)
	}
}
