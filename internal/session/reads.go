package session

import (
	"ciderd/internal/cache"
	"ciderd/internal/clock"
	"ciderd/internal/fsm"
	"ciderd/internal/protocol"
)

// nowLasts is how many reads of a burst go by one look at the clock. All of them had arrived before
// that look, so each may be taken to have happened then.
const nowLasts = 32

// reads answers from this node's copy of the user's cache.
type reads struct {
	answers *answers
	clock   *clock.Clock
	reader  *fsm.Reader // nil: nobody is logged in
	now     int64       // the time for reads; 0: look again
	nowUses int         // reads that now was good for
	pinned  pinned      // by the reply that is being sent

	hits, misses uint64 // since they were published
}

// time is the time for reads, in Unix milliseconds.
func (r *reads) time() int64 {
	if r.now == 0 || r.nowUses >= nowLasts {
		r.now, r.nowUses = r.clock.Now(), 0
	}
	r.nowUses++
	return r.now
}

// timePasses has the next read look at the clock.
func (r *reads) timePasses() { r.now = 0 }

// keyspace is the user's cache. Without one the session is at its end: the account is gone.
func (r *reads) keyspace() *cache.Keyspace {
	ks := r.reader.Keyspace()
	if ks == nil {
		r.answers.finish(protocol.SessionEnded, Ended)
	}
	return ks
}

// item reads a key and counts that. It answers NOT_FOUND itself.
func (r *reads) item(key []byte) (it cache.Item, ok bool) {
	ks := r.keyspace()
	if ks == nil {
		return it, false
	}
	if it, ok = ks.Get(key, r.time()); !ok {
		r.misses++
		r.answers.Word(protocol.NotFound)
		return it, false
	}
	r.hits++
	return it, true
}

func (r *reads) get(key []byte) {
	it, ok := r.item(key)
	switch {
	case !ok:
	case len(it.Value) > pinFrom:
		r.large(it.Value)
	default:
		r.answers.Value(it.Value)
	}
}

// large answers with a value that is not copied.
func (r *reads) large(v []byte) {
	r.pin(len(v))
	defer r.unpin()
	r.answers.Value(v)
}

func (r *reads) getV(key []byte) {
	it, ok := r.item(key)
	if !ok {
		return
	}
	seconds := uint64(0)
	if it.Deadline != 0 {
		seconds = secondsLeft(it.Deadline, r.now)
	}
	r.pin(len(it.Value))
	defer r.unpin()
	r.answers.Versioned(it.Version, seconds, it.Value)
}

// pin notes a value that is about to be sent: it is kept in memory until the client has taken it. A small one
// is copied.
func (r *reads) pin(bytes int) {
	if bytes <= pinFrom {
		return
	}
	if ks := r.reader.Keyspace(); ks != nil {
		r.pinned = pin(ks, bytes)
	}
}

func (r *reads) unpin() { r.pinned = pinned{} }

func (r *reads) has(key []byte) {
	ks := r.keyspace()
	if ks == nil {
		return
	}
	if _, ok := ks.Get(key, r.time()); !ok {
		r.misses++
		r.answers.Word(protocol.False)
		return
	}
	r.hits++
	r.answers.Word(protocol.True)
}

func (r *reads) ttl(key []byte) {
	switch it, ok := r.item(key); {
	case !ok:
	case it.Deadline == 0:
		r.answers.Word(protocol.NoTTL)
	default:
		r.answers.Int(int64(secondsLeft(it.Deadline, r.now)))
	}
}

// secondsLeft is rounded up: an item that can be read has at least one.
func secondsLeft(deadline, now int64) uint64 {
	left := uint64(max(deadline-now, 1))
	return (left-1)/1000 + 1
}

func (r *reads) mget(keys [][]byte) {
	ks := r.keyspace()
	if ks == nil {
		return
	}
	r.answers.Begin(len(keys))
	r.mgetOf(ks, keys, func(it cache.Item, there bool) {
		if !there {
			r.answers.Word(protocol.NotFound)
			return
		}
		r.answers.Value(it.Value)
	})
	r.answers.End()
}

// mgetOf calls each with the item of each key, in order, while somebody may see that, and counts them.
func (r *reads) mgetOf(ks *cache.Keyspace, keys [][]byte, each func(it cache.Item, there bool)) {
	r.pinned = pin(ks, 0)
	defer r.unpin()
	begin := func(kept, copies int) { r.pinned.bytes, r.pinned.copies = int64(kept), int64(copies) }
	ks.MGet(keys, r.time(), begin, func(_ int, it cache.Item, there bool) {
		if r.answers.gone {
			return
		}
		if !there {
			r.misses++
		} else {
			r.hits++
		}
		each(it, there)
		if there && len(it.Value) > cache.CopiedUpto {
			r.pinned.sent(len(it.Value))
		}
	})
}

func (r *reads) countKeys() {
	if ks := r.keyspace(); ks != nil {
		r.answers.Int(int64(ks.Count(r.time())))
	}
}

// warm has the cache look at keys that are about to be read (see cache.Keyspace.Warm): most of a pipelined
// GET is waiting for memory.
func (r *reads) warm(keys [][]byte) bool {
	if r.reader == nil || len(keys) < 2 {
		return false
	}
	ks := r.reader.Keyspace()
	if ks == nil {
		return false
	}
	ks.Warm(keys)
	return true
}
