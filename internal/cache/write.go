package cache

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

// FreezeInCut is Freeze within a cut: the view has the changes of the cut so far. The writer's.
func (k *Keyspace) FreezeInCut() *View {
	k.frozen = k.store.epoch.Add(1) - 1
	return &View{dir: k.dir.Load()}
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

// Set stores an item in place of whatever the key had and returns its version. The deadline is in Unix
// milliseconds; 0: none. Key and value are copied. The writer's.
func (k *Keyspace) Set(key, value []byte, deadline int64) (version uint64) {
	version = k.Version() + 1
	k.put(k.newRecord(key, value, version, deadline), version)
	return version
}

// Load stores an item of a snapshot, with the version it had, and leaves the keyspace's own version unchanged (see
// SetVersion). The writer's.
func (k *Keyspace) Load(key, value []byte, version uint64, deadline int64) {
	k.put(k.newRecord(key, value, version, deadline), k.Version())
}

// newRecord returns a record: in a chunk if it may lie in one, and the keyspace is not small.
func (k *Keyspace) newRecord(key, value []byte, version uint64, deadline int64) *record {
	n := recordSize(key, value, deadline)
	if n > chunkUpto || deadline != 0 || k.Memory() < k.store.chunkFrom {
		return newRecord(key, value, version, deadline)
	}
	return write(k.filling.alloc(n, &k.chunks, k.Memory()), key, value, version, 0)
}

// Lookup returns the item of key as the writer sees it, also within a cut. The
// writer's.
func (k *Keyspace) Lookup(key []byte, now int64) (Item, bool) {
	return k.dir.Load().find(hashKey(key), key).item(now)
}

// SetDeadline gives the item another deadline (Unix milliseconds; 0: none) and a new version. It returns false if
// there is no such item. It does not check whether the item is past its deadline (see Lookup). The writer's.
func (k *Keyspace) SetDeadline(key []byte, deadline int64) bool {
	r := k.dir.Load().find(hashKey(key), key)
	if r != nil {
		k.Set(r.key(), r.value(), deadline)
	}
	return r != nil
}

// Delete removes the item of key, as a change with its own version. If there is no such item it returns false and
// changes nothing. It does not check whether the item is past its deadline (see Lookup). The writer's.
func (k *Keyspace) Delete(key []byte) bool {
	h := hashKey(key)
	if k.dir.Load().find(h, key) == nil {
		return false // without copying anything
	}
	k.remove(h, key, false)
	return true
}

// Evict is Delete for the item of key if it has exactly this version, and returns false if it has not. The writer's.
func (k *Keyspace) Evict(key []byte, version uint64) bool {
	h := hashKey(key)
	if r := k.dir.Load().find(h, key); r == nil || r.version() != version {
		return false
	}
	k.remove(h, key, true)
	return true
}

// Peek returns what the item of key counts for in Memory, and whether there is one. It does not check whether the
// item is past its deadline, and is no use of the item. Any goroutine may call it; within a cut it sees half of one.
func (k *Keyspace) Peek(key []byte) (memory int64, there bool) {
	r := k.dir.Load().find(hashKey(key), key)
	return r.size().memory, r != nil
}

// remove takes the item of key out, which must be there.
func (k *Keyspace) remove(h uint64, key []byte, evict bool) {
	k.begin()
	d := k.own()
	d.version.Add(1)
	t := k.ownTable(d, h)
	g, slot, r := t.locate(h, key)
	t.remove(g, slot)
	if evict {
		t.evicted(h)
	}
	d = k.shrink(d, t, h)
	k.account(d, r, nil)
	k.end()
}

// Flush removes all items in one change; on an empty keyspace it changes nothing. The version continues from where
// it was. The writer's.
func (k *Keyspace) Flush() {
	old := k.dir.Load()
	all := old.counts.load()
	if all.items == 0 {
		return
	}
	k.begin()
	k.publish(newDirectory(k.store.epoch.Load(), old.version.Load()+1))
	k.store.counts.add(size{}.minus(all))
	k.store.occupied.Add(-1)
	k.left(all)
	k.hash = 0
	k.deadlines.clear()
	k.filling = filling{}
	k.chunks.forget()
	k.rehash()
	k.end()
}

// SetVersion sets the version counter. A restore needs it: the counter is part of the snapshot. The writer's.
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
	d.version.Store(v) // first: no reader finds an item that is ahead of the counter
	t := k.ownTable(d, h)
	g, slot, old := t.locate(h, key)
	if old != nil {
		g.heats.use(slot, k.store.HeatEpoch(), 0)
		g.slots[slot].Swap(r).left() // Defrag may have put a copy there
	} else {
		if t.full() {
			d, t = k.grow(d, t, h)
		}
		back := t.ghosts.take(fingerprint(h))
		t.add(h, member{r, newcomer(back, k.store.HeatEpoch())})
	}
	k.account(d, old, r)
	k.end()
}

// account updates counters, hashes and deadlines after one record has been replaced by another; nil: none.
func (k *Keyspace) account(d *directory, old, rec *record) {
	was, is := old.size(), rec.size()
	change := is.minus(was)
	d.counts.add(change)
	k.store.counts.add(change)
	if now := d.counts.items.Load(); change.items > 0 && now == 1 || change.items < 0 && now == 0 {
		k.store.occupied.Add(change.items)
	}
	if old != nil {
		k.left(was)
		k.hash -= old.hash()
	}
	if rec != nil {
		k.hash += rec.hash()
	}
	k.deadlines.update(old, rec)
	k.rehash()
}
