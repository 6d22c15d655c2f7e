package fsm

import (
	"encoding/binary"
	"sync"
	"sync/atomic"

	"github.com/cespare/xxhash/v2"

	"ciderd/internal/cache"
)

// state is everything that the log has made: all of it is in the snapshot, and nothing in it
// depends on anything but the log. A Restore makes a new one.
type state struct {
	index   uint64 // the last entry applied
	time    int64  // the largest stamp seen, Unix milliseconds
	closed  bool   // to whatever makes it grow, for want of disks: OpClose
	entries byte   // the highest version of entries applied, from version 3 on; 0: none
	users   *users
	store   *cache.Store
	origins map[string]origin // server id -> what of it has been applied
	// row is held while a row is changed, by Raft's goroutine, and while one is read by another.
	row sync.RWMutex
	sum uint64 // of the origins' and the ONCE tables' hashes, for hash

	onceBytes atomic.Int64 // of all ONCE tables, for Size
}

// hash stands for all of the state but the index: two nodes that have applied the same entries have
// the same. Every change keeps it up, by adding and subtracting the hashes of what it replaces.
func (s *state) hash() uint64 {
	h := s.store.Hash() + s.users.sum + s.sum + hashOf(nil, uint64(s.time), s.users.last, flag(s.closed))
	if s.entries != 0 { // as before for the releases that know no such thing
		h += hashOf([]byte("entries"), uint64(s.entries))
	}
	return h
}

// use notes the version of an entry, and tells whether it is one that has not been used before.
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

// hashOf is a hash without a seed, so that all nodes agree on it.
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

// accept tells whether a batch is the next one of its origin, and notes it if so. It is what makes
// sending a batch again harmless: of any number of copies in the log, one is applied, and only
// after all that its origin had sent before it.
func (s *state) accept(h Header) bool {
	row := s.origins[string(h.Origin)]
	next := h.Incarnation == row.incarnation && h.Sequence == row.sequence+1 ||
		h.Incarnation > row.incarnation && h.Sequence == 1
	if next || plantNoOrigin {
		s.setOrigin(h.Origin, origin{h.Incarnation, h.Sequence})
	}
	return next || plantNoOrigin
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

// dropOrigins drops the rows of the servers ids. A server that is gone never comes back under its
// id, so nothing of it can arrive any more that a row would have to stop. Who is gone is named, and
// not who is left: this command may be sent again long after, when others have come.
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
