package session

import "ciderd/internal/cache"

// pinFrom is from where on a value is noted as kept in memory while it is sent: a smaller one is copied.
const pinFrom = 16 << 10

// pinned is what a reply that is being sent keeps in memory beside the connection's buffers.
type pinned struct {
	bytes  int64
	copies int64 // of small items, until all is sent
	// ks has the items that they are of; nil: they are copies. Items that are still in the cache take no
	// memory of the reply's, and of those that have gone since then there are at most as many bytes as have
	// gone in all.
	ks   *cache.Keyspace
	gone uint64
}

// pin notes the values of ks that a reply is to send.
func pin(ks *cache.Keyspace, bytes int) pinned {
	return pinned{bytes: int64(bytes), ks: ks, gone: ks.Gone()}
}

func (p *pinned) held() int64 {
	if p.ks == nil {
		return p.bytes
	}
	return p.copies + min(p.bytes, int64(p.ks.Gone()-p.gone))
}

// sent takes off what has been sent.
func (p *pinned) sent(bytes int) { p.bytes = max(0, p.bytes-int64(bytes)) }
