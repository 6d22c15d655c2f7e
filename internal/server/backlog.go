package server

import (
	"sync"

	"ciderd/internal/cache"
)

// backlog is the replies that clients have yet to take, of all sessions. Only a session whose client takes
// nothing right now is in it, so a client that reads costs nothing here. When all together are over the limit
// those that hold most are cut off, until they are not.
type backlog struct {
	mu    sync.Mutex // all below
	limit int64      // bytes
	held  map[*session]int64
	total int64
}

func newBacklog() *backlog { return &backlog{held: map[*session]int64{}} }

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
		var largest *session
		for other, n := range b.held {
			if largest == nil || n > b.held[largest] {
				largest = other
			}
		}
		b.set(largest, 0)
		largest.cutOff()
	}
}

// goesOn notes that its client has taken something.
func (b *backlog) goesOn(s *session) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.set(s, 0)
}

func (b *backlog) set(s *session, bytes int64) {
	b.total += bytes - b.held[s]
	if bytes == 0 {
		delete(b.held, s)
	} else {
		b.held[s] = bytes
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
