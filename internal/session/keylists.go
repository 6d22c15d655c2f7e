package session

import (
	"container/list"
	"math"
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

// anyList is a list in whatever order.
type anyList interface {
	head() *listHead
	length() int // keys
	// ordered tells the kind of list: each user has one of each.
	ordered() order
}

// order is in what order a list's keys are.
type order uint8

const (
	byKey      order = iota // of KEYS
	byPosition              // of SCAN
)

// listOf is what there is one list of.
type listOf struct {
	user  *user
	order order
}

func slotOf(l anyList) listOf { return listOf{l.head().owner, l.ordered()} }

// outlived reports whether more than half of the keys have gone since, as after a FLUSH, or the whole keyspace.
func outlived(l anyList) bool {
	ks := l.head().keyspace.Value()
	return ks == nil || ks.Len() < l.length()/2
}

// keyLists is the lists of all users of this node, the newest of each kind, within a bound in bytes. What is there longest
// without use goes first; whoever needs it makes it again. Its timer runs only while there are lists.
type keyLists struct {
	most atomic.Int64

	mu     sync.Mutex // protects all below, and listHead.used
	bytes  int64      // of all lists, those that are being made too
	lists  map[listOf]*list.Element
	order  list.List   // of anyList, the one used last in front
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

// find returns the user's list of KEYS if it is of that keyspace, as new as the version, and has what is behind after, or
// nil.
func (k *keyLists) find(u *user, ks *cache.Keyspace, version uint64, after []byte) *keyList {
	l, _ := k.lookup(listOf{u, byKey}, ks, version, func(l anyList) bool { return l.(*keyList).serves(after) }).(*keyList)
	return l
}

func (k *keyLists) lookup(of listOf, ks *cache.Keyspace, version uint64, serves func(anyList) bool) anyList {
	k.mu.Lock()
	defer k.mu.Unlock()
	e := k.lists[of]
	if e == nil {
		return nil
	}
	l := e.Value.(anyList)
	if h := l.head(); h.keyspace.Value() != ks || h.version < version || !serves(l) || outlived(l) {
		return nil
	}
	l.head().used = time.Now()
	k.order.MoveToFront(e)
	return l
}

// room returns how many bytes the keys of one list may take.
func (k *keyLists) room() int64 { return min(k.most.Load()-listBytes, math.MaxUint32) }

// reserve counts a list that is about to be made, in place of its user's last one, and reports whether it fits in. It
// does not while others are being made that leave too little.
func (k *keyLists) reserve(l anyList) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if e := k.lists[slotOf(l)]; e != nil {
		k.drop(e)
	}
	if k.closed || !k.fit(l.head().size) {
		return false
	}
	k.bytes += l.head().size
	return true
}

// release takes back a reservation.
func (k *keyLists) release(l anyList) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.bytes -= l.head().size
}

// keep keeps a list for which there is a reservation.
func (k *keyLists) keep(l anyList) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		k.bytes -= l.head().size
		return
	}
	l.head().used = time.Now()
	if k.lists == nil {
		k.lists = map[listOf]*list.Element{}
	}
	k.lists[slotOf(l)] = k.order.PushFront(l)
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
	l := k.order.Remove(e).(anyList)
	delete(k.lists, slotOf(l))
	k.bytes -= l.head().size
}

// sweep drops the lists that are of no use any more.
func (k *keyLists) sweep() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, e := range k.lists {
		if l := e.Value.(anyList); outlived(l) || time.Since(l.head().used) >= listKept {
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
