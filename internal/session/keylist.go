package session

import (
	"bytes"
	"encoding/binary"
	"slices"
	"time"
	"weak"

	"ciderd/internal/cache"
)

// keyList is the keys of a user in byte order, as they were at a version of the keyspace: what a walk through them in
// pages is served from. If there is no room for all of them it has those of a window. It never changes, and it has
// copies, so it keeps no item in memory. Whether a key is still there has to be looked up.
type keyList struct {
	window
	listHead
	text keyText
	keys []uint32 // where in text each begins, in byte order of the keys
}

// listHead is what every list has, in whatever order its keys are.
type listHead struct {
	owner    *user
	keyspace weak.Pointer[cache.Keyspace] // a restore replaces it: then the list is of no use, and must not keep it alive
	version  uint64
	size     int64 // bytes that it is counted with
	used     time.Time
}

func (h *listHead) head() *listHead { return h }

// keyText is keys, each behind its length.
type keyText []byte

func (t keyText) add(key []byte) keyText {
	return append(binary.LittleEndian.AppendUint16(t, uint16(len(key))), key...)
}

// at returns the key that begins at place.
func (t keyText) at(place uint32) []byte {
	n := uint32(binary.LittleEndian.Uint16(t[place:]))
	place += lengthBytes
	return t[place : place+n : place+n]
}

const (
	lengthBytes = 2       // of a key's length in keyText
	placeBytes  = 4       // of an element of keyList.keys
	listBytes   = 1 << 10 // of the list itself, generously
)

// page returns the keys behind after that are in the view and match, as View.Keys does, unless the list ends before that
// is known: then whole is false. looked is called for each key that is looked at; if it returns false page stops and
// returns no keys.
func (l *keyList) page(v *cache.View, now int64, match func([]byte) bool, after []byte, limit int, looked func() bool) (keys [][]byte, more, whole bool) {
	for _, place := range l.keys[l.behind(after):] {
		if !looked() {
			return nil, false, true
		}
		key := l.text.at(place)
		if match != nil && !match(key) {
			continue
		}
		if _, ok := v.Get(key, now); !ok {
			continue
		}
		if len(keys) == limit {
			return keys, true, true
		}
		keys = append(keys, key)
	}
	return keys, false, l.to == nil
}

// behind returns where in keys the first one behind after is.
func (l *keyList) behind(after []byte) int {
	if after == nil {
		return 0
	}
	at, found := slices.BinarySearchFunc(l.keys, after, func(place uint32, after []byte) int {
		return bytes.Compare(l.text.at(place), after)
	})
	if found {
		at++
	}
	return at
}

func (l *keyList) length() int    { return len(l.keys) }
func (l *keyList) ordered() order { return byKey }

// listHead is that of a list of a view, of so many bytes of keys.
func (sc *scan) listHead(ks *cache.Keyspace, v *cache.View, bytes int64) listHead {
	return listHead{owner: sc.user, keyspace: weak.Make(ks), version: v.Version(), size: bytes + listBytes}
}

// makeList makes the list of a view, or of a window of it in which the pages behind after lie; nil if less than two pages
// fit in, or the scan has been given up. It takes slices of time as any scan does.
func (sc *scan) makeList(ks *cache.Keyspace, v *cache.View, after []byte, limit int) *keyList {
	lists := &sc.all.lists
	w := sc.window(v, after, limit, lists.room())
	if w == nil {
		return nil
	}
	l := &keyList{window: *w, listHead: sc.listHead(ks, v, w.bytes)}
	if !lists.reserve(l) {
		return nil
	}
	l.text, l.keys = make([]byte, 0, w.bytes-placeBytes*int64(w.count)), make([]uint32, 0, w.count)
	v.Range(func(key, _ []byte, _ uint64, _ int64) bool {
		if w.has(key) {
			l.keys = append(l.keys, uint32(len(l.text)))
			l.text = l.text.add(key)
		}
		return sc.looked()
	})
	sortWithin(sc, l.keys, func(a, b uint32) int { return bytes.Compare(l.text.at(a), l.text.at(b)) })
	if sc.err != nil {
		lists.release(l)
		return nil
	}
	lists.keep(l)
	return l
}

// sortWithin sorts what a list is made of. The comparisons end the slices, as nothing else is called meanwhile; once the
// scan is given up all are equal, so that it comes to its end.
func sortWithin[E any](sc *scan, all []E, compare func(a, b E) int) {
	compared := 0
	slices.SortFunc(all, func(a, b E) int {
		if compared++; compared%sliceKeys == 0 {
			sc.next()
		}
		if sc.err != nil {
			return 0
		}
		return compare(a, b)
	})
}
