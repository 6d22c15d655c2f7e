package cache

import (
	"slices"
	"sync/atomic"
)

// content is what a keyspace has now: its current directory and what belongs to it. Readers load the directory; the
// unexported methods are the writer's.
type content struct {
	dir atomic.Pointer[directory]

	id    uint64
	store *Store

	gone   atomic.Uint64 // bytes of the items that were replaced or removed
	frozen uint64        // the epoch of the last Freeze of this keyspace; Keyspace.mu guards it
}

// ID returns the id under which the store has the keyspace.
func (c *content) ID() uint64 { return c.id }

// Len returns the number of items, those past their deadline and not yet removed
// included.
func (c *content) Len() int { return int(c.dir.Load().counts.items.Load()) }

// Bytes returns the size of all keys and values, and ItemOverhead for each item.
func (c *content) Bytes() int64 { return c.dir.Load().counts.bytes.Load() }

// Memory returns the sum of MemoryOf of all items, those past their deadline and not yet removed included.
func (c *content) Memory() int64 { return c.dir.Load().counts.memory.Load() }

// Gone returns the size, as Bytes counts it, of all items that were replaced or removed so far. While a reader
// holds items, at most as many bytes of them have left the keyspace as this has grown.
func (c *content) Gone() uint64 { return c.gone.Load() }

// Version returns the version of the last change: the number of changes so far, counted from the version that
// SetVersion set.
func (c *content) Version() uint64 { return c.dir.Load().version.Load() }

// left notes that s has left the keyspace. There is one writer: no need to lock the bus.
func (c *content) left(s size) {
	c.gone.Store(c.gone.Load() + uint64(s.bytes))
	c.store.gone.Store(c.store.gone.Load() + uint64(s.bytes))
}

// own returns the directory, or a copy of it if a view may hold it: see "Freezing".
func (c *content) own() *directory {
	d := c.dir.Load()
	if !c.shared(d.epoch) {
		return d
	}
	return c.publish(d.resized(c.store.epoch.Load(), d.depth))
}

func (c *content) ownTable(d *directory, h uint64) *table {
	t := d.table(h)
	if c.shared(t.epoch) {
		t = t.clone(c.store.epoch.Load())
		d.put(h, t)
	}
	return t
}

// shared reports whether a view may hold what was made in this epoch.
func (c *content) shared(epoch uint64) bool {
	return epoch <= max(c.frozen, c.store.frozen)
}

func (c *content) publish(d *directory) *directory {
	c.dir.Store(d)
	c.store.dirs.ReplaceOrInsert(entry{c.id, d})
	return d
}

// grow makes space in the table for h, which is full.
func (c *content) grow(d *directory, t *table, h uint64) (*directory, *table) {
	epoch := c.store.epoch.Load()
	for t.full() {
		if !t.crowded() {
			t = newTable(epoch, t.depth, t.members(), t)
			d.put(h, t)
			continue
		}
		if t.depth == d.depth {
			d = c.publish(d.resized(epoch, d.depth+1))
		}
		lo, hi := t.split(epoch)
		bit := uint64(1) << (63 - t.depth)
		d.put(h&^bit, lo)
		d.put(h|bit, hi)
		if lo.depth == d.depth {
			d.deepest += 2
		}
		t = d.table(h)
	}
	return d, t
}

// shrink joins a table that is nearly empty with its buddy, or replaces it by a
// smaller one. The thresholds are far below those of grow, so that the cost is
// spread over many deletes.
func (c *content) shrink(d *directory, t *table, h uint64) *directory {
	if int(t.live) > len(t.groups)*groupSlots/8 {
		return d
	}
	epoch := c.store.epoch.Load()
	if buddy := d.buddy(t, h); buddy != nil && t.live+buddy.live <= maxGroups*groupSlots/4 {
		d.put(h, newTable(epoch, t.depth-1, slices.Concat(t.members(), buddy.members()), buddy, t))
		if t.depth == d.depth {
			d.deepest -= 2
		}
		for d.deepest == 0 {
			d = c.publish(d.resized(epoch, d.depth-1))
		}
	} else if n := groupsFor(int(t.live)); n < len(t.groups) {
		d.put(h, newTable(epoch, t.depth, t.members(), t))
	}
	return d
}
