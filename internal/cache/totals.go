package cache

import "sync/atomic"

// totals are a store's numbers, over all keyspaces.
type totals struct {
	counts   counts
	occupied atomic.Int64 // keyspaces that have items
	timed    atomic.Int64 // items with a deadline
	next     atomic.Int64 // the earliest deadline; 0: none
	gone     atomic.Uint64
}

// Len returns the number of items in all keyspaces.
func (t *totals) Len() int { return int(t.counts.items.Load()) }

// Bytes returns the sum of Bytes of all keyspaces.
func (t *totals) Bytes() int64 { return t.counts.bytes.Load() }

// Memory returns the sum of Memory of all keyspaces.
func (t *totals) Memory() int64 { return t.counts.memory.Load() }

// Gone returns the sum of Gone of all keyspaces, those that are no longer there included.
func (t *totals) Gone() uint64 { return t.gone.Load() }

// Occupied returns the number of keyspaces that have at least one item.
func (t *totals) Occupied() int { return int(t.occupied.Load()) }

// Deadlines returns how many items have a deadline, those past it and not yet removed included.
func (t *totals) Deadlines() int { return int(t.timed.Load()) }

// NextDeadline returns the earliest deadline of all items, in Unix milliseconds; false if no item has one.
func (t *totals) NextDeadline() (int64, bool) {
	at := t.next.Load()
	return at, at != 0
}
