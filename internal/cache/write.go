package cache

import "slices"

// ItemOverhead is what Bytes counts for each item beside its key and value, in
// bytes: about what the record's head, the slot and rounding take. A deadline
// takes about 50 more, which are not counted, so that the size of an item does
// not depend on EXPIRE.
const ItemOverhead = 32

// BeginCut starts a change of several keys that readers see as a whole or not at
// all. Readers of this keyspace wait until EndCut, so it must be short. Cuts do
// not nest. Within one the writer reads with Lookup: Get, MGet, Count and Freeze
// would wait for it to end. The writer's.
func (k *Keyspace) BeginCut() {
	k.begin()
	k.inCut = true
	k.cuts.Add(1)
}

// EndCut makes the changes since BeginCut visible. The writer's.
func (k *Keyspace) EndCut() {
	k.cuts.Add(1)
	k.inCut = false
	k.end()
}

func (k *Keyspace) begin() {
	if !k.inCut {
		k.mu.Lock()
		k.writes.Add(1)
	}
}

func (k *Keyspace) end() {
	if !k.inCut {
		k.writes.Add(1)
		k.mu.Unlock()
	}
}

// Set puts an item in place of whatever the key had and returns its version.
// The deadline is in Unix milliseconds; 0: none. Key and value are copied. The
// writer's.
func (k *Keyspace) Set(key, value []byte, deadline int64) (version uint64) {
	version = k.Version() + 1
	k.put(newRecord(key, value, version, deadline), version)
	return version
}

// Load puts in an item of a snapshot, with the version it had, and leaves the
// keyspace's own version alone (see SetVersion). The writer's.
func (k *Keyspace) Load(key, value []byte, version uint64, deadline int64) {
	k.put(newRecord(key, value, version, deadline), k.Version())
}

// Lookup returns the item of key as the writer sees it, also within a cut. The
// writer's.
func (k *Keyspace) Lookup(key []byte, now int64) (Item, bool) {
	return k.dir.Load().find(hashKey(key), key).item(now)
}

// SetDeadline gives the item another deadline (Unix milliseconds; 0: none) and a
// new version. It returns false if there is no such item; whether one is past
// its deadline is the caller's question (Lookup). The writer's.
func (k *Keyspace) SetDeadline(key []byte, deadline int64) bool {
	r := k.dir.Load().find(hashKey(key), key)
	if r != nil {
		k.Set(r.key(), r.value(), deadline)
	}
	return r != nil
}

// Delete removes the item of key; that is a change with a version of its own. It
// returns false, and changes nothing, if there is no such item; whether one is
// past its deadline is the caller's question (Lookup). The writer's.
func (k *Keyspace) Delete(key []byte) bool {
	h := hashKey(key)
	if k.dir.Load().find(h, key) == nil {
		return false // and nothing has been copied for it
	}
	k.begin()
	d := k.own()
	d.version.Add(1)
	t := k.ownTable(d, h)
	g, slot, r := t.locate(h, key)
	t.remove(g, slot)
	d = k.shrink(d, t, h)
	k.account(d, r, nil)
	k.end()
	return true
}

// Flush removes all items at once, in one change; on an empty keyspace it is
// none. The version goes on from where it was. The writer's.
func (k *Keyspace) Flush() {
	old := k.dir.Load()
	if old.items.Load() == 0 {
		return
	}
	k.begin()
	k.publish(newDirectory(k.store.epoch.Load(), old.version.Load()+1))
	k.store.items.Add(-old.items.Load())
	k.store.bytes.Add(-old.bytes.Load())
	k.gone.Store(k.gone.Load() + uint64(old.bytes.Load()))
	k.store.timed.Add(-int64(k.timed()))
	k.hash, k.deadlines = 0, nil
	k.reschedule()
	k.rehash()
	k.end()
}

// SetVersion sets the version counter, which a restore must do: it is part of
// the snapshot. The writer's.
func (k *Keyspace) SetVersion(v uint64) {
	k.begin()
	k.own().version.Store(v)
	k.rehash()
	k.end()
}

// put makes r the record of its key, and v the keyspace's version.
func (k *Keyspace) put(r *record, v uint64) {
	key := r.key()
	h := hashKey(key)
	k.begin()
	d := k.own()
	d.version.Store(v) // first: nobody finds an item that is ahead of the counter
	t := k.ownTable(d, h)
	g, slot, old := t.locate(h, key)
	if old != nil {
		g.slots[slot].Store(r)
	} else {
		if t.full() {
			d, t = k.grow(d, t, h)
		}
		t.add(h, r)
	}
	k.account(d, old, r)
	k.end()
}

// own returns the directory, in a copy that no view has: see "Freezing".
func (k *Keyspace) own() *directory {
	d := k.dir.Load()
	if !k.shared(d.epoch) {
		return d
	}
	return k.publish(d.resized(k.store.epoch.Load(), d.depth))
}

func (k *Keyspace) ownTable(d *directory, h uint64) *table {
	t := d.table(h)
	if k.shared(t.epoch) {
		t = t.clone(k.store.epoch.Load())
		d.put(h, t)
	}
	return t
}

// shared reports whether a view may have what was born in this epoch.
func (k *Keyspace) shared(epoch uint64) bool {
	return epoch <= max(k.frozen, k.store.frozen)
}

func (k *Keyspace) publish(d *directory) *directory {
	k.dir.Store(d)
	k.store.dirs.ReplaceOrInsert(entry{k.id, d})
	return d
}

// grow makes room in the table for h, which is full.
func (k *Keyspace) grow(d *directory, t *table, h uint64) (*directory, *table) {
	epoch := k.store.epoch.Load()
	for t.full() {
		if !t.crowded() {
			t = newTable(epoch, t.depth, t.records())
			d.put(h, t)
			continue
		}
		if t.depth == d.depth {
			d = k.publish(d.resized(epoch, d.depth+1))
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
func (k *Keyspace) shrink(d *directory, t *table, h uint64) *directory {
	if int(t.live) > len(t.groups)*groupSlots/8 {
		return d
	}
	epoch := k.store.epoch.Load()
	if buddy := d.buddy(t, h); buddy != nil && t.live+buddy.live <= maxGroups*groupSlots/4 {
		d.put(h, newTable(epoch, t.depth-1, slices.Concat(t.records(), buddy.records())))
		if t.depth == d.depth {
			d.deepest -= 2
		}
		for d.deepest == 0 {
			d = k.publish(d.resized(epoch, d.depth-1))
		}
	} else if n := groupsFor(int(t.live)); n < len(t.groups) {
		d.put(h, newTable(epoch, t.depth, t.records()))
	}
	return d
}

// buddy returns the table that t was once split from, if it is still as deep.
func (d *directory) buddy(t *table, h uint64) *table {
	if t.depth == 0 {
		return nil
	}
	b := d.table(h ^ 1<<(64-t.depth))
	if b.depth != t.depth {
		return nil
	}
	return b
}

// account brings counters, hashes and deadlines up to date after one record has
// been replaced by another; nil: none.
func (k *Keyspace) account(d *directory, old, rec *record) {
	var items, bytes int64
	if old != nil {
		items, bytes = items-1, bytes-old.cost()
		k.gone.Store(k.gone.Load() + uint64(old.cost())) // one writer: no need to lock the bus
		k.hash -= old.hash()
	}
	if rec != nil {
		items, bytes = items+1, bytes+rec.cost()
		k.hash += rec.hash()
	}
	if items != 0 {
		d.items.Add(items)
		k.store.items.Add(items)
	}
	if bytes != 0 {
		d.bytes.Add(bytes)
		k.store.bytes.Add(bytes)
	}
	k.reindex(old, rec)
	k.rehash()
}
