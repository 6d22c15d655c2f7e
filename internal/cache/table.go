package cache

import (
	"hash/maphash"
	"math/bits"
	"sync/atomic"
)

const (
	groupSlots = 8
	maxGroups  = 118 // x 80 bytes + the allocator's 8: just within 9,472 bytes, a size class of the runtime's
	groupLoad  = 7   // slots in use of a group's 8, on average, at most

	low1s  = 0x0101010101010101
	low4s  = 0x0f0f0f0f0f0f0f0f
	high1s = 0x8080808080808080

	ctrlTombstone = 0x01 // 0x00: empty; 0x80 and up: full, with 7 bits of the hash
)

// seed is per process: clients cannot choose keys that collide.
var seed = maphash.MakeSeed()

// hashKey's bits are used from the top for the directory, 38 down to 32 for the
// control byte, and the low 32 for the place in the table.
func hashKey(key []byte) uint64 { return maphash.Bytes(seed, key) }

// A group is eight slots, their control bytes, slot i's being byte i of ctrl, and their heat.
type group struct {
	ctrl  atomic.Uint64
	heats heats
	slots [groupSlots]atomic.Pointer[record]
}

func ctrlFor(h uint64) uint64 { return 0x80 | h>>32&0x7f }

// matches returns ctrl's bytes that equal c, marked by their top bits. Now and then it marks one that does not:
// callers compare keys anyway.
func matches(ctrl, c uint64) uint64 {
	x := ctrl ^ low1s*c
	return (x - low1s) &^ x & high1s
}

// empties returns ctrl's empty bytes, marked by their top bits.
func empties(ctrl uint64) uint64 { return ^(ctrl | ctrl<<7) & high1s }

func (g *group) setCtrl(i int, c uint64) {
	shift := uint(i) * 8
	g.ctrl.Store(g.ctrl.Load()&^(0xff<<shift) | c<<shift)
}

// A table holds the items whose hashes share their top depth bits. Only the
// groups are for readers; the counts and ghosts are the writer's.
type table struct {
	epoch  uint64 // of its birth
	groups []group
	depth  uint8
	live   int32 // items
	used   int32 // items and tombstones: at most groupLoad * len(groups)
	ghosts ghosts
}

// groupsFor returns the number of groups for n items and some more: up to about 13/16 full.
func groupsFor(n int) int {
	for g := 1; g <= 64; g *= 2 {
		if 2*(n+1) <= 13*g {
			return g
		}
	}
	return maxGroups
}

// A member is what a table has of an item.
type member struct {
	rec  *record
	heat heat
}

// newTable returns a table of these items, with the ghosts of the tables in whose place it comes.
func newTable(epoch uint64, depth uint8, items []member, old ...*table) *table {
	t := &table{epoch: epoch, depth: depth, groups: make([]group, groupsFor(len(items)))}
	for _, m := range items {
		t.add(hashKey(m.rec.key()), m)
	}
	for _, o := range old {
		t.inherit(o.ghosts)
	}
	return t
}

func (t *table) home(h uint64) int {
	return int(uint64(uint32(h)) * uint64(len(t.groups)) >> 32)
}

// locate returns the record of key and its slot; nil if there is none.
func (t *table) locate(h uint64, key []byte) (g *group, slot int, r *record) {
	c, at := ctrlFor(h), t.home(h)
	for range t.groups {
		g = &t.groups[at]
		ctrl := g.ctrl.Load()
		for m := matches(ctrl, c); m != 0; m &= m - 1 {
			slot = bits.TrailingZeros64(m) / 8
			// nil: deleted since ctrl was loaded.
			if r = g.slots[slot].Load(); r != nil && r.hasKey(key) {
				return g, slot, r
			}
		}
		if empties(ctrl) != 0 {
			break
		}
		if at++; at == len(t.groups) {
			at = 0
		}
	}
	return nil, 0, nil
}

// place returns where a record is. It looks at no record, not even at this one: what took its place lies elsewhere.
func (t *table) place(h uint64, r *record) (g *group, slot int, found bool) {
	c, at := ctrlFor(h), t.home(h)
	for range t.groups {
		g = &t.groups[at]
		ctrl := g.ctrl.Load()
		for m := matches(ctrl, c); m != 0; m &= m - 1 {
			if slot = bits.TrailingZeros64(m) / 8; g.slots[slot].Load() == r {
				return g, slot, true
			}
		}
		if empties(ctrl) != 0 {
			break
		}
		if at++; at == len(t.groups) {
			at = 0
		}
	}
	return nil, 0, false
}

func (t *table) full() bool { return int(t.used) >= groupLoad*len(t.groups) }

// add puts in an item whose key is not in the table, which is not full.
func (t *table) add(h uint64, m member) {
	at := t.home(h)
	for {
		g := &t.groups[at]
		ctrl := g.ctrl.Load()
		if free := ^ctrl & high1s; free != 0 {
			i := bits.TrailingZeros64(free) / 8
			if ctrl>>(8*i)&0xff != ctrlTombstone {
				t.used++
			}
			t.live++
			g.setCtrl(i, ctrlFor(h)) // first: see invariant 1
			g.heats.set(i, m.heat)
			g.slots[i].Store(m.rec)
			return
		}
		if at++; at == len(t.groups) {
			at = 0
		}
	}
}

// remove empties a slot. A group that has an empty slot was never full, so no
// probe passes it, and it needs no tombstone.
func (t *table) remove(g *group, slot int) {
	g.slots[slot].Swap(nil).left() // Defrag may have put a copy there
	t.live--
	if empties(g.ctrl.Load()) != 0 {
		g.setCtrl(slot, 0)
		t.used--
		return
	}
	g.setCtrl(slot, ctrlTombstone)
}

// each calls fn with every record until fn returns false. It reports whether fn never did.
func (t *table) each(fn func(*record) bool) bool {
	for g := range t.groups {
		for i := range t.groups[g].slots {
			if r := t.groups[g].slots[i].Load(); r != nil && !fn(r) {
				return false
			}
		}
	}
	return true
}

func (t *table) members() []member {
	items := make([]member, 0, t.live)
	for g := range t.groups {
		for i := range t.groups[g].slots {
			if r := t.groups[g].slots[i].Load(); r != nil {
				items = append(items, member{r, t.groups[g].heats.at(i)})
			}
		}
	}
	return items
}

// clone returns a copy of t with another epoch. Readers may change the heat of t meanwhile, and Compact its records for
// copies of them. The ghosts move on to it.
func (t *table) clone(epoch uint64) *table {
	c := *t
	c.epoch, c.groups = epoch, make([]group, len(t.groups))
	for i := range t.groups {
		from, to := &t.groups[i], &c.groups[i]
		to.ctrl.Store(from.ctrl.Load())
		to.heats.word.Store(from.heats.word.Load())
		for s := range from.slots {
			if r := from.slots[s].Load(); r != nil {
				to.slots[s].Store(r)
			}
		}
	}
	return &c
}

// crowded reports whether a full table must be split rather than replaced by a
// larger one or by one without tombstones.
func (t *table) crowded() bool {
	return len(t.groups) == maxGroups && t.live > maxGroups*groupSlots*3/4
}

// split divides t's items by the hash bit after its depth.
func (t *table) split(epoch uint64) (lo, hi *table) {
	items, zeros := t.members(), 0
	for i, m := range items {
		if hashKey(m.rec.key())>>(63-t.depth)&1 == 0 {
			items[zeros], items[i] = m, items[zeros]
			zeros++
		}
	}
	return newTable(epoch, t.depth+1, items[:zeros], t), newTable(epoch, t.depth+1, items[zeros:], t)
}
