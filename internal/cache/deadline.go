package cache

import (
	"bytes"

	"github.com/google/btree"
)

// treeDegree makes nodes of 39 items: half a node's array, doubled once by append, just holds them. With 16 (31
// items) it is doubled twice, and a deadline takes 85 bytes instead of 50.
const treeDegree = 20

// due is an item's entry in its keyspace's deadline index. The record is the current one: when an item is replaced
// its entry is too, so nothing is kept alive.
type due struct {
	at  int64
	rec *record
}

func dueLess(a, b due) bool {
	if a.at != b.at {
		return a.at < b.at
	}
	return bytes.Compare(a.rec.key(), b.rec.key()) < 0
}

// turn is a keyspace's place in the store's schedule: its first deadline.
type turn struct {
	at int64
	ks *Keyspace
}

func turnLess(a, b turn) bool {
	if a.at != b.at {
		return a.at < b.at
	}
	return a.ks.id < b.ks.id
}

// deadlines is a keyspace's index of its items that have a deadline. Keyspace.mu guards it; only the writer changes it.
type deadlines struct {
	of   *Keyspace
	tree *btree.BTreeG[due] // nil if no item has one
	past past
	next int64 // the first, as the store's schedule has it; 0: none
}

// len returns how many items have a deadline.
func (x *deadlines) len() int {
	if x.tree == nil {
		return 0
	}
	return x.tree.Len()
}

// update follows a change of one record.
func (x *deadlines) update(old, rec *record) {
	var was, is int64
	if old != nil {
		was = old.deadline()
	}
	if rec != nil {
		is = rec.deadline()
	}
	if was == 0 && is == 0 {
		return
	}
	timed := &x.of.store.timed
	if was != 0 && was != is {
		x.tree.Delete(due{was, old})
		x.past.removed(due{was, old})
		timed.Add(-1)
	}
	if is != 0 && was != is {
		x.past.added(due{is, rec})
		timed.Add(1)
	}
	if is != 0 {
		if x.tree == nil {
			x.tree = btree.NewWithFreeListG(treeDegree, dueLess, x.of.store.nodes)
		}
		x.tree.ReplaceOrInsert(due{is, rec}) // also replaces old, if the deadline is the same
	}
	x.reschedule()
}

// clear takes all out, in O(1).
func (x *deadlines) clear() {
	x.of.store.timed.Add(-int64(x.len()))
	x.tree = nil
	x.reschedule()
}

// reschedule brings the store's schedule up to date with this index.
func (x *deadlines) reschedule() {
	var next int64
	if x.tree != nil {
		first, ok := x.tree.Min()
		if next = first.at; !ok {
			x.tree = nil
		}
	}
	if x.tree == nil {
		x.past = past{}
	}
	if next == x.next {
		return
	}
	s := x.of.store
	if x.next != 0 {
		s.schedule.Delete(turn{x.next, x.of})
	}
	if next != 0 {
		s.schedule.ReplaceOrInsert(turn{next, x.of})
	}
	x.next = next
	first, _ := s.schedule.Min()
	s.next.Store(first.at)
}

// Expire removes items whose deadline is at or before now (Unix milliseconds), at most limit of them, and returns
// how many. The order is deadline, keyspace id, key, so every node removes the same ones. Each removal is a change
// with its own version. The writer's.
func (s *Store) Expire(now int64, limit int) int {
	n := 0
	for n < limit {
		first, ok := s.schedule.Min()
		if !ok || first.at > now {
			break
		}
		d, _ := first.ks.deadlines.tree.Min()
		first.ks.Delete(d.rec.key())
		n++
	}
	return n
}
