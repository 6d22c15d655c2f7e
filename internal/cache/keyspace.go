package cache

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// Keyspace holds one user's items. The readers' methods are here; write.go has the writer's.
type Keyspace struct {
	content
	cuts   atomic.Uint64 // odd while several keys are being changed
	writes atomic.Uint64 // odd while anything is being changed
	mu     sync.Mutex    // held during a change; guards frozen and deadlines

	deadlines deadlines
	chunks    chunkList

	// The writer's only:
	inCut   bool
	filling filling
	hash    uint64 // sum of the items' hashes
	mixed   uint64 // this keyspace's part of the store's hash
}

// How often a read that met a change tries again before it takes a view, which
// waits for the lock and makes the writer copy a table or two.
const (
	getTries    = 64
	mgetLookups = 256 // in all tries together: many keys are unlikely to succeed
)

// Get returns the item of key unless its deadline is at or before now (Unix
// milliseconds). It allocates nothing and waits for nothing but a multi-key
// change that is under way in this keyspace.
func (k *Keyspace) Get(key []byte, now int64) (Item, bool) {
	h := hashKey(key)
	for range getTries {
		if cut := k.cuts.Load(); cut&1 == 0 {
			g, slot, r := k.dir.Load().table(h).locate(h, key)
			if k.cuts.Load() == cut {
				it, ok := r.item(now)
				if ok {
					g.heats.use(slot, k.store.HeatEpoch(), heatDirty)
				}
				return it, ok
			}
		}
		runtime.Gosched() // the writer may be waiting for a processor
	}
	return k.Freeze().dir.find(h, key).item(now)
}

// MGet calls fn for each of keys, in order, with its item in one consistent cut of the keyspace. No lock is held during
// fn, however long it takes. Only the items asked for are kept alive, each until its fn returns; of small ones there are
// copies until the end. Before that begin is called with the size of the values that are kept, and of the copies.
func (k *Keyspace) MGet(keys [][]byte, now int64, begin func(kept, copies int), fn func(i int, it Item, ok bool)) {
	var few [64]*record
	recs := few[:]
	if len(keys) > len(few) {
		recs = make([]*record, len(keys))
	}
	k.collect(keys, recs, now)
	kept, copies := takeOut(recs[:len(keys)])
	if begin != nil {
		begin(kept, copies)
	}
	for i := range keys {
		it, ok := recs[i].item(now)
		recs[i] = nil
		fn(i, it, ok)
	}
}

// takeOut puts copies in the place of records that lie in chunks: one would keep all of its chunk. It returns the size of
// the other values, and of the copies.
func takeOut(recs []*record) (kept, copies int) {
	for _, r := range recs {
		switch {
		case r == nil:
		case r.chunk() != nil:
			copies += spaceFor(len(r.bytes()))
		default:
			_, value, _ := r.layout()
			kept += value
		}
	}
	if copies == 0 {
		return kept, 0
	}
	space := make([]byte, copies)
	for i, r := range recs {
		if r != nil && r.chunk() != nil {
			n := copy(space, r.bytes())
			recs[i], space = recordOf(space[:n:n]), space[spaceFor(n):]
		}
	}
	return kept, copies
}

func (k *Keyspace) collect(keys [][]byte, recs []*record, now int64) {
	epoch := k.store.HeatEpoch()
	for lookups := 0; lookups <= mgetLookups; lookups += len(keys) + 1 {
		if w := k.writes.Load(); w&1 == 0 {
			k.dir.Load().collect(keys, recs, now, epoch)
			if k.writes.Load() == w {
				return
			}
		}
		runtime.Gosched()
	}
	k.Freeze().dir.collect(keys, recs, now, epoch)
}

// collect finds the records of keys, and raises the heat of those that are visible.
func (d *directory) collect(keys [][]byte, recs []*record, now int64, epoch uint64) {
	for i, key := range keys {
		h := hashKey(key)
		g, slot, r := d.table(h).locate(h, key)
		if recs[i] = r; !r.hidden(now) {
			g.heats.use(slot, epoch, heatDirty)
		}
	}
}

// Freeze returns a view of the keyspace as it is now, in O(1). Any goroutine may call it, except that the writer
// must not within a cut (see FreezeInCut).
func (k *Keyspace) Freeze() *View {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.FreezeInCut()
}
