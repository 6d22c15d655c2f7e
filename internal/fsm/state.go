package fsm

import (
	"encoding/binary"
	"sync"
	"sync/atomic"

	"github.com/cespare/xxhash/v2"

	"ciderd/internal/cache"
)

// state is everything that the log has made. All of it is in the snapshot, and nothing in it depends on anything
// but the log. A Restore makes a new one.
type state struct {
	index   uint64 // the last entry applied
	time    int64  // the largest stamp seen, Unix milliseconds
	closed  bool   // to everything that makes it grow, as disks are full: OpClose
	entries byte   // the highest version of entries applied, from version 3 on; 0: none
	users   *users
	store   *cache.Store
	origins map[string]origin // server id -> its last batch applied
	// row is held while Raft's goroutine changes a row, and while another reads one.
	row sync.RWMutex
	sum uint64 // of the origins' and the ONCE tables' hashes, for hash

	onceBytes atomic.Int64 // of all ONCE tables, for Size
	ledger    ledger
	seed      atomic.Pointer[Seed]   // nil: there is none yet
	backup    atomic.Pointer[Backup] // the last one; nil: there was none
}

// hash covers all of the state but the index: two nodes that have applied the same entries have the same hash.
// Every change updates it, by adding and subtracting the hashes of what it replaces.
func (s *state) hash() uint64 {
	h := s.store.Hash() + s.users.sum + s.sum + hashOf(nil, uint64(s.time), s.users.last, flag(s.closed))
	if s.entries != 0 { // unchanged for releases that have no entries field
		h += hashOf([]byte("entries"), uint64(s.entries))
	}
	return h + s.ledger.hash() + s.seed.Load().hash() + s.backup.Load().hash()
}

// use notes the version of an entry and reports whether it is used for the first time.
func (s *state) use(version byte) (first bool) {
	if version < version3 || version <= s.entries {
		return false
	}
	s.entries = version
	return true
}

func flag(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

// hashOf is a hash without a seed, so that it is the same on all nodes.
func hashOf(b []byte, numbers ...uint64) uint64 {
	var buf [128]byte
	rest := buf[:0]
	for _, n := range numbers {
		rest = binary.LittleEndian.AppendUint64(rest, n)
	}
	return xxhash.Sum64(append(rest, b...))
}

func (o origin) hash(id []byte) uint64 { return hashOf(id, o.incarnation, o.sequence) }

// origin is the last batch of one server that was applied.
type origin struct {
	incarnation uint64
	sequence    uint64
}

func newState() *state {
	return &state{users: newUsers(), store: cache.New(), origins: map[string]origin{}}
}

// accept reports whether a batch is the next one of its origin, and notes it if so. This makes it harmless to send
// a batch again: of any number of copies in the log only one is applied, and only after all earlier batches of its
// origin.
func (s *state) accept(h Header) bool {
	row := s.origins[string(h.Origin)]
	next := h.Incarnation == row.incarnation && h.Sequence == row.sequence+1 ||
		h.Incarnation > row.incarnation && h.Sequence == 1
	if next {
		s.setOrigin(h.Origin, origin{h.Incarnation, h.Sequence})
	}
	return next
}

func (s *state) setOrigin(id []byte, row origin) {
	if old, known := s.origins[string(id)]; known {
		s.sum -= old.hash(id)
	}
	s.row.Lock()
	s.origins[string(id)] = row
	s.row.Unlock()
	s.sum += row.hash(id)
}

// dropOrigins drops the rows of the servers ids. A removed server never comes back under its id, so no batch of it
// can arrive that a row would have to stop. The command names the servers that are gone, not those that are left:
// it may be sent again long after, when others have joined.
func (s *state) dropOrigins(ids [][]byte) {
	for _, id := range ids {
		if row, known := s.origins[string(id)]; known {
			s.row.Lock()
			delete(s.origins, string(id))
			s.row.Unlock()
			s.sum -= row.hash(id)
		}
	}
}
