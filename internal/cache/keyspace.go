package cache

import (
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/google/btree"
)

// Keyspace is one user's items. Its readers' methods are here; write.go has the
// writer's.
type Keyspace struct {
	dir  atomic.Pointer[directory]
	cuts atomic.Uint64 // odd while several keys are being changed

	id    uint64
	store *Store

	gone   atomic.Uint64 // bytes of what has been replaced or removed
	writes atomic.Uint64 // odd while anything is being changed
	mu     sync.Mutex    // held during a change; guards frozen, deadlines and past
	frozen uint64        // the epoch of the last Freeze of this keyspace

	deadlines *btree.BTreeG[due] // nil if no item has one
	past      past

	// The writer's only:
	inCut bool
	next  int64  // the first deadline, as the store's schedule has it; 0: none
	hash  uint64 // sum of the items' hashes
	mixed uint64 // this keyspace's part of the store's hash
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
			r := k.dir.Load().find(h, key)
			if k.cuts.Load() == cut {
				return r.item(now)
			}
		}
		runtime.Gosched() // the writer may be waiting for a processor
	}
	return k.Freeze().dir.find(h, key).item(now)
}

// MGet calls begin with the bytes of all values, and then fn for each of keys, in
// order, with what one consistent cut of the keyspace has for it. No lock is held during fn, however long that takes, and
// nothing of that cut is kept but the items asked for, each until fn has
// returned.
func (k *Keyspace) MGet(keys [][]byte, now int64, begin func(bytes int), fn func(i int, it Item, ok bool)) {
	var few [64]*record
	recs := few[:]
	if len(keys) > len(few) {
		recs = make([]*record, len(keys))
	}
	k.collect(keys, recs)
	if begin != nil {
		begin(valueBytes(recs[:len(keys)]))
	}
	for i := range keys {
		it, ok := recs[i].item(now)
		recs[i] = nil
		fn(i, it, ok)
	}
}

func valueBytes(recs []*record) (n int) {
	for _, r := range recs {
		if r != nil {
			_, value, _ := r.layout()
			n += value
		}
	}
	return n
}

func (k *Keyspace) collect(keys [][]byte, recs []*record) {
	for lookups := 0; lookups <= mgetLookups; lookups += len(keys) + 1 {
		if w := k.writes.Load(); w&1 == 0 {
			k.dir.Load().collect(keys, recs)
			if k.writes.Load() == w {
				return
			}
		}
		runtime.Gosched()
	}
	k.Freeze().dir.collect(keys, recs)
}

func (d *directory) collect(keys [][]byte, recs []*record) {
	for i, key := range keys {
		recs[i] = d.find(hashKey(key), key)
	}
}

// Freeze returns a view of the keyspace as it is now, in O(1). Any goroutine may
// call it, but the writer not within a cut.
func (k *Keyspace) Freeze() *View {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.frozen = k.store.epoch.Add(1) - 1
	return &View{dir: k.dir.Load()}
}

// ID returns the id under which the store has the keyspace.
func (k *Keyspace) ID() uint64 { return k.id }

// Len returns the number of items, those past their deadline and not yet removed
// included.
func (k *Keyspace) Len() int { return int(k.dir.Load().items.Load()) }

// Bytes returns the size of all keys and values, and ItemOverhead for each item.
func (k *Keyspace) Bytes() int64 { return k.dir.Load().bytes.Load() }

// Gone returns the size of all items that have been replaced or removed so far, as
// Bytes counts it: of the items that a reader has got, no more can have left the
// keyspace meanwhile than what this has grown by.
func (k *Keyspace) Gone() uint64 { return k.gone.Load() }

// Version returns the version of the last change: the number of changes made so
// far, counted on from where SetVersion has put it.
func (k *Keyspace) Version() uint64 { return k.dir.Load().version.Load() }
