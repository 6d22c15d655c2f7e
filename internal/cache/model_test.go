package cache

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"ciderd/test/norace"
)

// The model is the store as plain maps. The promises that the tests in this file
// hold it to, after any history:
//
//   - Get, MGet, Count, Keys and Range answer as the model does;
//   - every view equals the model's copy from the time of its freeze;
//   - Expire removes the same items as sorting all of them would;
//   - Memory is the sum over the items, and Occupied a count, after every step;
//   - a store rebuilt from a view has the same Hash, Bytes and NextDeadline;
//   - the structure's own invariants hold (checkStructure, checkChunks).

type mitem struct {
	value    string
	version  uint64
	deadline int64
}

type mspace struct {
	version uint64
	items   map[string]mitem
}

func (m *mspace) set(key, value string, deadline int64) {
	m.version++
	m.items[key] = mitem{value, m.version, deadline}
}

func (m *mspace) delete(key string) bool {
	_, ok := m.items[key]
	if ok {
		m.version++
		delete(m.items, key)
	}
	return ok
}

func (it mitem) memory(key string) int64 { return MemoryOf(len(key), len(it.value), it.deadline != 0) }

func (m *mspace) memory() (sum int64) {
	for key, it := range m.items {
		sum += it.memory(key)
	}
	return sum
}

func (m *mspace) clone() *mspace { return &mspace{m.version, maps.Clone(m.items)} }

func (m *mspace) count(now int64) int {
	n := 0
	for _, it := range m.items {
		if it.deadline == 0 || it.deadline > now {
			n++
		}
	}
	return n
}

type model map[uint64]*mspace

func (m model) clone() model {
	c := model{}
	for id, s := range m {
		c[id] = s.clone()
	}
	return c
}

func (m model) expire(now int64, limit int) int {
	type victim struct {
		at  int64
		id  uint64
		key string
	}
	var due []victim
	for id, s := range m {
		for key, it := range s.items {
			if it.deadline != 0 && it.deadline <= now {
				due = append(due, victim{it.deadline, id, key})
			}
		}
	}
	slices.SortFunc(due, func(a, b victim) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.id, b.id), cmp.Compare(a.key, b.key))
	})
	due = due[:min(limit, len(due))]
	for _, v := range due {
		m[v.id].delete(v.key)
	}
	return len(due)
}

func (m model) nextDeadline() (at int64, ok bool) {
	for _, s := range m {
		for _, it := range s.items {
			if it.deadline != 0 && (!ok || it.deadline < at) {
				at, ok = it.deadline, true
			}
		}
	}
	return at, ok
}

// size returns the memory of all, and how many have any item.
func (m model) size() (memory int64, occupied int) {
	for _, s := range m {
		memory += s.memory()
		if len(s.items) > 0 {
			occupied++
		}
	}
	return memory, occupied
}

// frozen pairs a view with the model's copy from the same time.
type frozen struct {
	store  *StoreView
	view   *View
	model  model
	mspace *mspace
}

// machine applies the same operations to a store and to the model.
type machine struct {
	tb    testing.TB
	s     *Store
	m     model
	now   int64
	views []frozen
}

func newMachine(tb testing.TB) *machine { return &machine{tb: tb, s: New(), m: model{}} }

const opSize = 6

// step decodes one operation: code, keyspace, key (2), argument (2).
func (x *machine) step(op []byte, keys int) {
	id := uint64(op[1] % 3)
	n := int(binary.LittleEndian.Uint16(op[2:])) % keys
	arg := binary.LittleEndian.Uint16(op[4:])
	key := fmt.Sprintf("k%d", n)
	k, m := x.s.Create(id), x.m[id]
	if m == nil {
		m = &mspace{items: map[string]mitem{}}
		x.m[id] = m
	}
	value := fmt.Sprintf("%0*d", int(arg%40), arg)
	switch code := op[0] % 32; {
	case code < 12:
		x.set(k, m, key, value, 0)
	case code < 15:
		x.set(k, m, key, value, x.now+1+int64(arg%50))
	case code < 17:
		x.evict(k, m, key, arg)
	case code < 24:
		if got, want := k.Delete([]byte(key)), m.delete(key); got != want {
			x.tb.Fatalf("Delete(%q) = %v, want %v", key, got, want)
		}
	case code < 26:
		x.setDeadline(k, m, key, int64(arg%3)*int64(arg))
	case code < 28:
		x.cut(k, m, n, value)
	case code == 28:
		x.freeze(k, m, arg)
	case code == 29:
		x.now += int64(arg % 20)
		limit := int(arg % 7)
		if got, want := x.s.Expire(x.now, limit), x.m.expire(x.now, limit); got != want {
			x.tb.Fatalf("Expire(%d, %d) = %d, want %d", x.now, limit, got, want)
		}
	case code == 30 && arg%16 == 0:
		x.flush(k, m)
	case code == 30 && arg%16 == 1:
		emptyAll(k)
	case code == 31 && arg%32 == 0:
		if !x.s.Drop(id) || k.Len() != 0 {
			x.tb.Fatalf("Drop(%d) left %d items", id, k.Len())
		}
		delete(x.m, id)
	default:
		x.get(k, m, key)
	}
}

func (x *machine) set(k *Keyspace, m *mspace, key, value string, deadline int64) {
	m.set(key, value, deadline)
	if v := k.Set([]byte(key), []byte(value), deadline); v != m.version {
		x.tb.Fatalf("Set(%q) = version %d, want %d", key, v, m.version)
	}
}

func (x *machine) setDeadline(k *Keyspace, m *mspace, key string, deadline int64) {
	it, want := m.items[key]
	if want {
		m.set(key, it.value, deadline)
	}
	if got := k.SetDeadline([]byte(key), deadline); got != want {
		x.tb.Fatalf("SetDeadline(%q) = %v, want %v", key, got, want)
	}
}

func (x *machine) cut(k *Keyspace, m *mspace, n int, value string) {
	k.BeginCut()
	for i := range 3 {
		x.set(k, m, fmt.Sprintf("k%d", n+i), value, 0)
	}
	if n%4 == 0 { // a view in the middle of it
		x.keep(frozen{view: k.FreezeInCut(), mspace: m.clone()}, n)
	}
	if k.Delete(fmt.Appendf(nil, "k%d", n+1)) != m.delete(fmt.Sprintf("k%d", n+1)) {
		x.tb.Fatal("Delete within a cut differs")
	}
	if it, ok := k.Lookup(fmt.Appendf(nil, "k%d", n), x.now); !ok || string(it.Value) != value {
		x.tb.Fatal("Lookup within a cut does not see the cut's own Set")
	}
	k.EndCut()
}

// evict tries the item's version, or one beside it.
func (x *machine) evict(k *Keyspace, m *mspace, key string, arg uint16) {
	it, there := m.items[key]
	want := int64(0)
	if there {
		want = it.memory(key)
	}
	if memory, found := k.Peek([]byte(key)); memory != want || found != there {
		x.tb.Fatalf("Peek(%q) = %d %v, want %d %v", key, memory, found, want, there)
	}
	version := it.version + uint64(arg%4/3)
	if there && version == it.version {
		m.delete(key)
	} else {
		there = false
	}
	if got := k.Evict([]byte(key), version); got != there {
		x.tb.Fatalf("Evict(%q, %d) = %v, want %v", key, version, got, there)
	}
}

func (x *machine) flush(k *Keyspace, m *mspace) {
	if len(m.items) != 0 {
		m.version++
	}
	clear(m.items)
	k.Flush()
}

func (x *machine) freeze(k *Keyspace, m *mspace, arg uint16) {
	if arg%2 == 0 {
		x.keep(frozen{view: k.Freeze(), mspace: m.clone()}, int(arg))
	} else {
		x.keep(frozen{store: x.s.Freeze(), model: x.m.clone()}, int(arg))
	}
}

// keep keeps a view, and forgets some, so that histories overlap.
func (x *machine) keep(f frozen, which int) {
	if len(x.views) == 8 {
		i := which % 8
		x.checkFrozen(x.views[i])
		x.views = slices.Delete(x.views, i, i+1)
	}
	x.views = append(x.views, f)
}

func (x *machine) get(k *Keyspace, m *mspace, key string) {
	want, ok := m.items[key]
	if want.deadline != 0 && want.deadline <= x.now {
		want, ok = mitem{}, false
	}
	check := func(how string, it Item, found bool) {
		if found != ok || string(it.Value) != want.value || it.Version != want.version || it.Deadline != want.deadline {
			x.tb.Fatalf("%s(%q) = %v %v, want %v %v", how, key, it, found, want, ok)
		}
	}
	it, found := k.Get([]byte(key), x.now)
	check("Get", it, found)
	it, found = k.Lookup([]byte(key), x.now)
	check("Lookup", it, found)
	k.MGet([][]byte{[]byte(key), []byte(key)}, x.now, nil, func(_ int, it Item, found bool) { check("MGet", it, found) })
}

func TestModel(t *testing.T) {
	norace.Alone(t)
	for seed := range uint64(6) {
		x := newMachine(t)
		rnd := rand.New(rand.NewPCG(seed, 1))
		keys := []int{4, 40, 3000}[seed%3]
		if seed >= 3 {
			x.s.chunkFrom = 500
		}
		op := make([]byte, opSize)
		for i := range 8000 {
			for j := range op {
				op[j] = byte(rnd.Uint32())
			}
			x.step(op, keys)
			if memory, occupied := x.m.size(); keys < 100 && (x.s.Memory() != memory || x.s.Occupied() != occupied) {
				t.Fatalf("step %d: Memory %d, Occupied %d; want %d, %d", i, x.s.Memory(), x.s.Occupied(), memory, occupied)
			}
			if i%2000 == 0 {
				x.check()
			}
		}
		x.check()
	}
}

// TestGrowAndShrink takes one keyspace through several directory sizes and back,
// with a view held at each turn.
func TestGrowAndShrink(t *testing.T) {
	norace.Alone(t)
	x := newMachine(t)
	k, m := x.s.Create(1), &mspace{items: map[string]mitem{}}
	x.m[1] = m
	const n = 12000
	for i := range n {
		x.set(k, m, fmt.Sprint(i), fmt.Sprint(-i), 0)
		if i%4000 == 0 {
			x.freeze(k, m, uint16(i/4000))
		}
	}
	x.check()
	if d := k.dir.Load(); d.depth < 4 {
		t.Fatalf("directory depth %d after %d items", d.depth, n)
	}
	for i := range n {
		if i%4000 == 0 {
			x.freeze(k, m, uint16(i/4000))
		}
		if !k.Delete(fmt.Append(nil, i)) || !m.delete(fmt.Sprint(i)) {
			t.Fatalf("key %d is not there", i)
		}
	}
	x.check()
	if d := k.dir.Load(); d.depth != 0 || len(d.tables[0].Load().groups) != 1 {
		t.Fatalf("an empty keyspace keeps a directory of depth %d", d.depth)
	}
}

// TestTombstones replaces keys at a constant size: the table must be cleaned, not grow.
func TestTombstones(t *testing.T) {
	k := New().Create(1)
	for i := range 20000 {
		k.Set(fmt.Append(nil, i), []byte("v"), 0)
		if i >= 500 {
			k.Delete(fmt.Append(nil, i-500))
		}
	}
	checkStructure(t, k)
	if d := k.dir.Load(); d.depth > 1 {
		t.Fatalf("500 items after 20,000 replacements: directory depth %d", d.depth)
	}
}

func FuzzOperations(f *testing.F) {
	rnd := rand.New(rand.NewPCG(7, 7))
	for _, n := range []int{1, 30, 300} {
		ops := make([]byte, n*opSize)
		for i := range ops {
			ops[i] = byte(rnd.Uint32())
		}
		f.Add(ops)
	}
	f.Add(bytes.Repeat([]byte{13, 0, 1, 0, 9, 0, 29, 0, 0, 0, 19, 0}, 10)) // deadlines that pass
	f.Fuzz(func(t *testing.T, ops []byte) {
		x := newMachine(t)
		for ; len(ops) >= opSize; ops = ops[opSize:] {
			x.step(ops[:opSize], 64)
		}
		x.check()
	})
}
