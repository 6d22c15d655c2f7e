package session

import (
	"cmp"
	"slices"

	"ciderd/internal/cache"
	"ciderd/internal/fsm"
)

// scanList is the keys of a user in the order of their positions, as they were at a version of the keyspace: what a SCAN
// in pages is served from. If there is no room for all of them it has those of a span. Else it is like a keyList.
type scanList struct {
	span
	listHead
	text keyText
	keys []placed
}

// placed is where a key is: its position, and where it begins in the text.
type placed struct {
	position uint64
	place    uint32
}

const placedBytes = 16 // of a placed

func (l *scanList) length() int    { return len(l.keys) }
func (l *scanList) ordered() order { return byPosition }

// findScan is find for SCAN: of a list that has what comes from a position on.
func (k *keyLists) findScan(u *user, ks *cache.Keyspace, version, from uint64) *scanList {
	l, _ := k.lookup(listOf{u, byPosition}, ks, version, func(l anyList) bool { return l.(*scanList).has(from) }).(*scanList)
	return l
}

// page returns the first count keys from a position on, all that share the last one's position too, and where to go on;
// 0: nowhere. If the list ends before, these are fewer keys.
func (l *scanList) page(from uint64, count int) (keys []placed, next uint64) {
	first, _ := slices.BinarySearchFunc(l.keys, from, func(p placed, from uint64) int { return cmp.Compare(p.position, from) })
	keys = l.keys[first:]
	if len(keys) <= count {
		return keys, l.to % fsm.Positions
	}
	for count < len(keys) && keys[count].position == keys[count-1].position {
		count++
	}
	if count == len(keys) {
		return keys, l.to % fsm.Positions
	}
	return keys[:count], keys[count-1].position + 1
}

// makeScanList makes the list of a view, or of a span of it that begins with from; nil if less than two pages fit in, or
// the scan has been given up. It takes slices of time as any scan does.
func (sc *scan) makeScanList(ks *cache.Keyspace, v *cache.View, seed *fsm.Seed, from uint64, count int) *scanList {
	lists := &sc.all.lists
	s := sc.span(v, seed, from, count, lists.room())
	if s == nil {
		return nil
	}
	l := &scanList{span: *s, listHead: sc.listHead(ks, v, s.bytes)}
	if !lists.reserve(l) {
		return nil
	}
	l.text, l.keys = make([]byte, 0, s.bytes-placedBytes*int64(s.count)), make([]placed, 0, s.count)
	v.Range(func(key, _ []byte, _ uint64, _ int64) bool {
		if position := seed.Position(key); l.has(position) {
			l.keys = append(l.keys, placed{position, uint32(len(l.text))})
			l.text = l.text.add(key)
		}
		return sc.looked()
	})
	sortWithin(sc, l.keys, func(a, b placed) int { return cmp.Compare(a.position, b.position) })
	if sc.err != nil {
		lists.release(l)
		return nil
	}
	lists.keep(l)
	return l
}
