package cache

import (
	"encoding/binary"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/cespare/xxhash/v2"
	"github.com/google/btree"
)

// Store holds all keyspaces by id. Methods that change it are the writer's, and so are Freeze and Hash; the others
// may be called from any goroutine.
type Store struct {
	mu     sync.RWMutex // guards spaces against readers: held for map operations only
	spaces map[uint64]*Keyspace

	epoch atomic.Uint64 // increases with every freeze
	totals
	chunkFrom int64 // see there; less in tests

	_         [64]byte // every read looks at it: not beside what each change writes
	heatEpoch atomic.Uint64
	_         [56]byte

	// The writer's only:
	dirs     *btree.BTreeG[entry] // every keyspace's current directory, by id
	frozen   uint64               // the epoch of the last Freeze
	schedule *btree.BTreeG[turn]  // the keyspaces that have deadlines, by the first
	nodes    *btree.FreeListG[due]
	hash     uint64
}

type entry struct {
	id  uint64
	dir *directory
}

// New returns an empty store.
func New() *Store {
	s := &Store{
		spaces:   make(map[uint64]*Keyspace),
		dirs:     btree.NewG(treeDegree, func(a, b entry) bool { return a.id < b.id }),
		schedule: btree.NewG(treeDegree, turnLess),
		nodes:    btree.NewFreeListG[due](btree.DefaultFreeListSize),

		chunkFrom: chunkFrom,
	}
	s.epoch.Store(1) // so that nothing is born in epoch 0, "never frozen"
	return s
}

// Keyspace returns the keyspace of id, or nil.
func (s *Store) Keyspace(id uint64) *Keyspace {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.spaces[id]
}

// Create returns the keyspace of id, a new one if there is none. The writer's.
func (s *Store) Create(id uint64) *Keyspace {
	if k := s.spaces[id]; k != nil {
		return k
	}
	k := &Keyspace{content: content{id: id, store: s}}
	k.deadlines.of = k
	k.publish(newDirectory(s.epoch.Load(), 0))
	k.rehash()
	s.mu.Lock()
	s.spaces[id] = k
	s.mu.Unlock()
	return k
}

// Drop removes the keyspace of id, with its version, and reports whether there was one. Readers that still hold it
// see it empty; the writer must not change it any more. The writer's.
func (s *Store) Drop(id uint64) bool {
	k := s.spaces[id]
	if k == nil {
		return false
	}
	k.Flush() // also takes it out of the totals and the schedule
	s.hash -= k.mixed
	s.dirs.Delete(entry{id: id})
	s.mu.Lock()
	delete(s.spaces, id)
	s.mu.Unlock()
	return true
}

// Freeze returns a view of all keyspaces as they are now, in O(1). It must not be
// called within a cut. The writer's.
func (s *Store) Freeze() *StoreView {
	s.frozen = s.epoch.Add(1) - 1
	return &StoreView{dirs: s.dirs.Clone(), size: s.counts.load()}
}

// Keyspaces returns the number of keyspaces.
func (s *Store) Keyspaces() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.spaces)
}

// DueBy returns how many items are past their deadline at the time now (Unix milliseconds), which must be about to
// come.
func (s *Store) DueBy(now int64) (n int) {
	s.mu.RLock()
	spaces := slices.Collect(maps.Values(s.spaces))
	s.mu.RUnlock()
	for _, k := range spaces {
		n += k.Len() - k.Count(now)
	}
	return n
}

// Hash returns a hash of the whole content: of every keyspace's id and version, and every item's key, value,
// version and deadline. Two stores with the same content have the same hash, whatever their histories. It is for
// finding nodes whose states differ. It does not protect against forged items, and it depends on the record's
// layout, so on the release. The writer's.
func (s *Store) Hash() uint64 { return s.hash }

// rehash brings the store's hash up to date with this keyspace's.
func (k *Keyspace) rehash() {
	var b [24]byte
	binary.LittleEndian.PutUint64(b[0:], k.id)
	binary.LittleEndian.PutUint64(b[8:], k.Version())
	binary.LittleEndian.PutUint64(b[16:], k.hash)
	mixed := xxhash.Sum64(b[:])
	k.store.hash += mixed - k.mixed
	k.mixed = mixed
}
