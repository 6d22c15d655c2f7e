package cache

import (
	"hash/maphash"
	"math/bits"
	"sync/atomic"
)

const (
	groupSlots = 8
	maxGroups  = 113 // x 72 bytes + the allocator's 8 = 8 KiB
	groupLoad  = 7   // of 8 slots, on average, may be in use

	low1s  = 0x0101010101010101
	high1s = 0x8080808080808080

	ctrlTombstone = 0x01 // 0x00: empty; 0x80 and up: full, with 7 bits of the hash
)

// seed is of this process: nobody outside can choose keys that collide.
var seed = maphash.MakeSeed()

// hashKey's bits are used from the top for the directory, 38 down to 32 for the
// control byte, and the low 32 for the place in the table.
func hashKey(key []byte) uint64 { return maphash.Bytes(seed, key) }

// A group is eight slots and their control bytes, slot i's being byte i of ctrl.
type group struct {
	ctrl  atomic.Uint64
	slots [groupSlots]atomic.Pointer[record]
}

func ctrlFor(h uint64) uint64 { return 0x80 | h>>32&0x7f }

// matches has the top bit set of every byte of ctrl that equals c, and now and
// then of one that does not: callers compare keys anyway.
func matches(ctrl, c uint64) uint64 {
	x := ctrl ^ low1s*c
	return (x - low1s) &^ x & high1s
}

// empties has the top bit set of every byte of ctrl that is empty.
func empties(ctrl uint64) uint64 { return ^(ctrl | ctrl<<7) & high1s }

func (g *group) setCtrl(i int, c uint64) {
	shift := uint(i) * 8
	g.ctrl.Store(g.ctrl.Load()&^(0xff<<shift) | c<<shift)
}

// A table holds the items whose hashes share their top depth bits. Only the
// groups are for readers; the counts are the writer's.
type table struct {
	epoch  uint64 // of its birth
	groups []group
	depth  uint8
	live   int32 // items
	used   int32 // items and tombstones: at most groupLoad * len(groups)
}

// groupsFor returns the number of groups for n items and some more to come: up
// to about 13/16 full.
func groupsFor(n int) int {
	for g := 1; g <= 64; g *= 2 {
		if 2*(n+1) <= 13*g {
			return g
		}
	}
	return maxGroups
}

func newTable(epoch uint64, depth uint8, recs []*record) *table {
	t := &table{epoch: epoch, depth: depth, groups: make([]group, groupsFor(len(recs)))}
	for _, r := range recs {
		t.add(hashKey(r.key()), r)
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

func (t *table) full() bool { return int(t.used) >= groupLoad*len(t.groups) }

// add puts in a record whose key is not in the table, which is not full.
func (t *table) add(h uint64, r *record) {
	at := t.home(h)
	for {
		g := &t.groups[at]
		ctrl := g.ctrl.Load()
		if m := ^ctrl & high1s; m != 0 {
			i := bits.TrailingZeros64(m) / 8
			if ctrl>>(8*i)&0xff != ctrlTombstone {
				t.used++
			}
			t.live++
			g.setCtrl(i, ctrlFor(h)) // first: see invariant 1
			g.slots[i].Store(r)
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
	g.slots[slot].Store(nil)
	t.live--
	if empties(g.ctrl.Load()) != 0 {
		g.setCtrl(slot, 0)
		t.used--
		return
	}
	g.setCtrl(slot, ctrlTombstone)
}

// each calls fn with every record until it returns false, and reports whether
// it never did.
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

func (t *table) records() []*record {
	recs := make([]*record, 0, t.live)
	t.each(func(r *record) bool { recs = append(recs, r); return true })
	return recs
}

// clone is t with another epoch. Nobody else sees it yet, so a plain copy does.
func (t *table) clone(epoch uint64) *table {
	c := *t
	c.epoch, c.groups = epoch, make([]group, len(t.groups))
	copy(c.groups, t.groups)
	return &c
}

// crowded reports whether a full table must be split rather than replaced by a
// larger one or by one without tombstones.
func (t *table) crowded() bool {
	return len(t.groups) == maxGroups && t.live > maxGroups*groupSlots*3/4
}

// split divides t's records by the hash bit behind its depth.
func (t *table) split(epoch uint64) (lo, hi *table) {
	var parts [2][]*record
	t.each(func(r *record) bool {
		bit := hashKey(r.key()) >> (63 - t.depth) & 1
		parts[bit] = append(parts[bit], r)
		return true
	})
	return newTable(epoch, t.depth+1, parts[0]), newTable(epoch, t.depth+1, parts[1])
}
