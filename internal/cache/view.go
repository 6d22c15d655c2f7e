package cache

import (
	"bytes"
	"slices"

	"github.com/google/btree"
)

// View is a keyspace as it was when it was frozen. Any number of goroutines may use it, for any time; the garbage
// collector frees what it holds.
type View struct{ dir *directory }

// Len returns the number of items, those past their deadline and not yet removed
// included.
func (v *View) Len() int { return int(v.dir.counts.items.Load()) }

// Bytes returns Keyspace.Bytes as of the freeze.
func (v *View) Bytes() int64 { return v.dir.counts.bytes.Load() }

// Memory returns Keyspace.Memory as of the freeze.
func (v *View) Memory() int64 { return v.dir.counts.memory.Load() }

// Version returns Keyspace.Version as of the freeze.
func (v *View) Version() uint64 { return v.dir.version.Load() }

// Range calls fn with every item, in no order, until it returns false; items past
// their deadline and not yet removed are included. Key and value must not be
// modified. The deadline is in Unix milliseconds; 0: none.
func (v *View) Range(fn func(key, value []byte, version uint64, deadline int64) bool) {
	v.dir.each(func(t *table) bool {
		return t.each(func(r *record) bool {
			return fn(r.key(), r.value(), r.version(), r.deadline())
		})
	})
}

// Drain is Range, and lets go of what has been passed: the view keeps a table, and what was replaced in it since, only
// until its items have been seen. The view is empty after that.
func (v *View) Drain(fn func(key, value []byte, version uint64, deadline int64) bool) {
	tables := make([]*table, 0, len(v.dir.tables))
	v.dir.each(func(t *table) bool {
		tables = append(tables, t)
		return true
	})
	v.dir = newDirectory(v.dir.epoch, v.dir.version.Load())
	for i, t := range tables {
		tables[i] = nil
		if !t.each(func(r *record) bool { return fn(r.key(), r.value(), r.version(), r.deadline()) }) {
			return
		}
	}
}

// yieldEvery is in slots: a few tables, some tens of microseconds.
const yieldEvery = 4096

// Keys returns, in byte order, the first limit keys after the key after (nil: from the start) that are visible at
// the time now and that match (nil: all) accepts, and whether there are more. A limit below one returns none. The
// keys must not be modified. It reads every item; yield (may be nil) is called every few thousand slots, and if it
// returns false Keys stops and returns no keys.
func (v *View) Keys(now int64, match func(key []byte) bool, after []byte, limit int, yield func() bool) (keys [][]byte, more bool) {
	if limit < 1 {
		return nil, false
	}
	low, slots, stopped := lowest{limit: limit}, 0, false
	v.dir.each(func(t *table) bool {
		t.each(func(r *record) bool {
			key := r.key()
			if low.wants(key) && (after == nil || bytes.Compare(key, after) > 0) &&
				!r.hidden(now) && (match == nil || match(key)) {
				low.add(key)
			}
			return true
		})
		if slots += len(t.groups) * groupSlots; slots >= yieldEvery && yield != nil {
			stopped = !yield()
			slots = 0
		}
		return !stopped
	})
	if stopped {
		return nil, false
	}
	low.cut()
	return low.keys, low.more
}

// lowest keeps the limit lowest keys that are added. It collects up to twice as many, then sorts and drops the
// rest: twice the memory of a heap, for a tenth of the code.
type lowest struct {
	limit int
	keys  [][]byte
	bound []byte // the highest of limit keys, once something was dropped
	more  bool   // something was dropped
}

func (l *lowest) wants(key []byte) bool {
	return !l.more || bytes.Compare(key, l.bound) < 0
}

func (l *lowest) add(key []byte) {
	l.keys = append(l.keys, key)
	if len(l.keys)-l.limit >= max(l.limit, 64) {
		l.cut()
	}
}

func (l *lowest) cut() {
	slices.SortFunc(l.keys, bytes.Compare)
	if len(l.keys) > l.limit {
		clear(l.keys[l.limit:])
		l.keys = l.keys[:l.limit]
		l.bound, l.more = l.keys[l.limit-1], true
	}
}

// StoreView is a store as it was when it was frozen, for any goroutine.
type StoreView struct {
	dirs *btree.BTreeG[entry]
	size size
}

// Each calls fn with every keyspace in ascending order of id until it returns
// false.
func (v *StoreView) Each(fn func(id uint64, version uint64, v *View) bool) {
	v.dirs.Ascend(func(e entry) bool {
		return fn(e.id, e.dir.version.Load(), &View{dir: e.dir})
	})
}

// Drain is Each, and takes each keyspace out of the view before fn is called with it.
func (v *StoreView) Drain(fn func(id uint64, version uint64, v *View) bool) {
	for more := true; more; {
		e, ok := v.dirs.DeleteMin()
		more = ok && fn(e.id, e.dir.version.Load(), &View{dir: e.dir})
	}
}

// Keyspaces returns the number of keyspaces.
func (v *StoreView) Keyspaces() int { return v.dirs.Len() }

// Len returns the number of items in all keyspaces.
func (v *StoreView) Len() int { return int(v.size.items) }

// Bytes returns Store.Bytes as of the freeze.
func (v *StoreView) Bytes() int64 { return v.size.bytes }

// Memory returns Store.Memory as of the freeze.
func (v *StoreView) Memory() int64 { return v.size.memory }
