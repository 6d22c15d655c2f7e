package session

import (
	"container/list"
	"sync"
	"sync/atomic"
	"time"

	"ciderd/internal/cache"
)

// listsBytes is how much all lists of keys take by default.
const listsBytes = 16 << 20

// A list is kept for a minute after its last use; every second it is looked whether one is of no use any more.
const (
	listKept  = time.Minute
	listSweep = time.Second
)

// keyLists is the lists of all users of this node, each user's newest, within a bound in bytes. What is there longest
// without use goes first; whoever needs it makes it again. Its timer runs only while there are lists.
type keyLists struct {
	most atomic.Int64

	mu     sync.Mutex // protects all below, and keyList.used
	bytes  int64      // of all lists, those that are being made too
	lists  map[*user]*list.Element
	order  list.List   // of *keyList, the one used last in front
	timer  *time.Timer // nil: there is no list
	closed bool
}

// setMost bounds the lists; 0 is the default. What is over the bound goes at once.
func (k *keyLists) setMost(most int64) {
	if most == 0 {
		most = listsBytes
	}
	k.most.Store(most)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.fit(0)
}

// find returns the user's list if it is of that keyspace, as new as the version, and has what is behind after, or nil.
func (k *keyLists) find(u *user, ks *cache.Keyspace, version uint64, after []byte) *keyList {
	k.mu.Lock()
	defer k.mu.Unlock()
	e := k.lists[u]
	if e == nil {
		return nil
	}
	l := e.Value.(*keyList)
	if l.keyspace.Value() != ks || l.version < version || !l.serves(after) || l.outlived() {
		return nil
	}
	l.used = time.Now()
	k.order.MoveToFront(e)
	return l
}

// reserve counts a list that is about to be made, in place of its user's last one, and reports whether it fits in. It
// does not while others are being made that leave too little.
func (k *keyLists) reserve(l *keyList) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if e := k.lists[l.owner]; e != nil {
		k.drop(e)
	}
	if k.closed || !k.fit(l.size) {
		return false
	}
	k.bytes += l.size
	return true
}

// release takes back a reservation.
func (k *keyLists) release(l *keyList) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.bytes -= l.size
}

// keep keeps a list for which there is a reservation.
func (k *keyLists) keep(l *keyList) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		k.bytes -= l.size
		return
	}
	l.used = time.Now()
	if k.lists == nil {
		k.lists = map[*user]*list.Element{}
	}
	k.lists[l.owner] = k.order.PushFront(l)
	if k.timer == nil {
		k.timer = time.AfterFunc(listSweep, k.sweep)
	}
}

// fit drops lists until so many bytes more fit in, and reports whether they do.
func (k *keyLists) fit(more int64) bool {
	most := k.most.Load()
	for k.bytes+more > most && k.order.Len() > 0 {
		k.drop(k.order.Back())
	}
	return k.bytes+more <= most
}

func (k *keyLists) drop(e *list.Element) {
	l := k.order.Remove(e).(*keyList)
	delete(k.lists, l.owner)
	k.bytes -= l.size
}

// sweep drops the lists that are of no use any more.
func (k *keyLists) sweep() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, e := range k.lists {
		if l := e.Value.(*keyList); l.outlived() || time.Since(l.used) >= listKept {
			k.drop(e)
		}
	}
	k.timer = nil
	if len(k.lists) > 0 {
		k.timer = time.AfterFunc(listSweep, k.sweep)
	}
}

// close drops all lists. None is kept any more.
func (k *keyLists) close() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.closed = true
	for _, e := range k.lists {
		k.drop(e)
	}
	if k.timer != nil {
		k.timer.Stop()
	}
}
