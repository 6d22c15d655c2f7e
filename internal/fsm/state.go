package fsm

import (
	"slices"

	"ciderd/internal/cache"
)

// state is everything that the log has made: all of it is in the snapshot, and nothing in it
// depends on anything but the log. A Restore makes a new one.
type state struct {
	index   uint64 // the last entry applied
	time    int64  // the largest stamp seen, Unix milliseconds
	users   *users
	store   *cache.Store
	origins map[string]origin // server id -> what of it has been applied
}

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
	if next {
		s.origins[string(h.Origin)] = origin{h.Incarnation, h.Sequence}
	}
	return next
}

// keepOrigins drops the rows of servers that are not in ids. A server that is gone never comes
// back under its id, so nothing of it can arrive any more that a row would have to stop.
func (s *state) keepOrigins(ids [][]byte) {
	for id := range s.origins {
		if !slices.ContainsFunc(ids, func(b []byte) bool { return string(b) == id }) {
			delete(s.origins, id)
		}
	}
}
