package server

import (
	"sync"

	"ciderd/internal/cache"
)

// backlog is the replies that clients have yet to take, of all sessions. Only a session whose client takes
// nothing right now is in it, so a client that reads costs nothing here. When all together are over the limit
// the user whose sessions hold most loses the one of them that holds most, until they are not: many connections that
// hold little each put nobody else's out.
type backlog struct {
	mu    sync.Mutex // all below
	limit int64      // bytes
	held  map[*session]holding
	users map[owner]int64
	total int64
}

// holding is what a session holds, and whose that is.
type holding struct {
	owner owner
	bytes int64
}

func newBacklog() *backlog { return &backlog{held: map[*session]holding{}, users: map[owner]int64{}} }

func (b *backlog) setLimit(bytes int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.limit = bytes
}

// waits notes that a session holds so many bytes while its client takes none.
func (b *backlog) waits(s *session, bytes int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.set(s, bytes)
	for b.total > b.limit {
		largest := b.largest()
		b.set(largest, 0)
		largest.cutOff()
	}
}

// largest is the session that holds most of those of the user whose sessions do.
func (b *backlog) largest() (largest *session) {
	var most owner
	for o, n := range b.users {
		if n > b.users[most] {
			most = o
		}
	}
	for s, h := range b.held {
		if h.owner == most && (largest == nil || h.bytes > b.held[largest].bytes) {
			largest = s
		}
	}
	return largest
}

// goesOn notes that its client has taken something.
func (b *backlog) goesOn(s *session) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.set(s, 0)
}

func (b *backlog) set(s *session, bytes int64) {
	h, there := b.held[s]
	if !there {
		if bytes == 0 {
			return
		}
		h.owner = s.holder()
	}
	b.total += bytes - h.bytes
	if b.users[h.owner] += bytes - h.bytes; b.users[h.owner] == 0 {
		delete(b.users, h.owner)
	}
	if h.bytes = bytes; bytes == 0 {
		delete(b.held, s)
	} else {
		b.held[s] = h
	}
}

// pinned is what a reply that is being sent keeps in memory beside the output buffer.
type pinned struct {
	bytes int64
	// ks has the items that they are of; nil: they are copies. Items that are still in the cache take no
	// memory of the reply's, and of those that have gone since then there are at most as many bytes as have
	// gone in all.
	ks   *cache.Keyspace
	gone uint64
}

// pin notes the values of ks that a reply is to print.
func pin(ks *cache.Keyspace, bytes int) pinned {
	return pinned{bytes: int64(bytes), ks: ks, gone: ks.Gone()}
}

func (p *pinned) held() int64 {
	if p.ks == nil {
		return p.bytes
	}
	return min(p.bytes, int64(p.ks.Gone()-p.gone))
}

// sent takes off what has been printed.
func (p *pinned) sent(bytes int) { p.bytes = max(0, p.bytes-int64(bytes)) }
