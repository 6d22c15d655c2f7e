package cache

import (
	"bytes"

	"github.com/google/btree"
)

// treeDegree makes nodes of 39 items: half a node's array, doubled once by append,
// just holds them. With 16 (31 items) it is doubled twice, and a deadline takes
// 85 bytes instead of 50.
const treeDegree = 20

// due is an item's place in its keyspace's deadline index. The record is the
// current one: a replaced item's entry goes with it, so nothing is kept alive.
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

// reindex brings the deadline index up to date after a change of one record.
func (k *Keyspace) reindex(old, rec *record) {
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
	if was != 0 && was != is {
		k.deadlines.Delete(due{was, old})
		k.past.removed(due{was, old})
		k.store.timed.Add(-1)
	}
	if is != 0 && was != is {
		k.past.added(due{is, rec})
		k.store.timed.Add(1)
	}
	if is != 0 {
		if k.deadlines == nil {
			k.deadlines = btree.NewWithFreeListG(treeDegree, dueLess, k.store.nodes)
		}
		k.deadlines.ReplaceOrInsert(due{is, rec}) // also replaces old, if the deadline is the same
	}
	k.reschedule()
}

// reschedule brings the store's schedule up to date with this keyspace's index.
func (k *Keyspace) reschedule() {
	var next int64
	if k.deadlines != nil {
		first, ok := k.deadlines.Min()
		if next = first.at; !ok {
			k.deadlines = nil
		}
	}
	if k.deadlines == nil {
		k.past = past{}
	}
	if next == k.next {
		return
	}
	s := k.store
	if k.next != 0 {
		s.schedule.Delete(turn{k.next, k})
	}
	if next != 0 {
		s.schedule.ReplaceOrInsert(turn{next, k})
	}
	k.next = next
	first, _ := s.schedule.Min()
	s.next.Store(first.at)
}

// Expire removes items whose deadline is at or before now (Unix milliseconds),
// at most limit of them, and returns how many. It goes by deadline, keyspace id and
// key, so it removes the same ones on every node; each is a change with a version
// of its own. The writer's.
func (s *Store) Expire(now int64, limit int) int {
	n := 0
	for n < limit {
		first, ok := s.schedule.Min()
		if !ok || first.at > now {
			break
		}
		d, _ := first.ks.deadlines.Min()
		first.ks.Delete(d.rec.key())
		n++
	}
	return n
}

// NextDeadline returns the first deadline of all items, in Unix milliseconds; false
// if none has one.
func (s *Store) NextDeadline() (int64, bool) {
	at := s.next.Load()
	return at, at != 0
}
