package session

import (
	"bytes"
	"encoding/binary"
	"math"
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
	owner    *user
	keyspace weak.Pointer[cache.Keyspace] // a restore replaces it: then the list is of no use, and must not keep it alive
	version  uint64
	text     []byte   // each key behind its length, in the keyspace's order
	keys     []uint32 // where in text each begins, in byte order of the keys
	size     int64    // bytes that it is counted with
	used     time.Time
}

const (
	lengthBytes = 2       // of a key's length in keyList.text
	placeBytes  = 4       // of an element of keyList.keys
	listBytes   = 1 << 10 // of the list itself, generously
)

func (l *keyList) key(place uint32) []byte {
	n := uint32(binary.LittleEndian.Uint16(l.text[place:]))
	place += lengthBytes
	return l.text[place : place+n : place+n]
}

// page returns the keys behind after that are in the view and match, as View.Keys does, unless the list ends before that
// is known: then whole is false. looked is called for each key that is looked at; if it returns false page stops and
// returns no keys.
func (l *keyList) page(v *cache.View, now int64, match func([]byte) bool, after []byte, limit int, looked func() bool) (keys [][]byte, more, whole bool) {
	for _, place := range l.keys[l.behind(after):] {
		if !looked() {
			return nil, false, true
		}
		key := l.key(place)
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
		return bytes.Compare(l.key(place), after)
	})
	if found {
		at++
	}
	return at
}

// outlived reports whether more than half of the keys have gone since, as after a FLUSH, or the whole keyspace.
func (l *keyList) outlived() bool {
	ks := l.keyspace.Value()
	return ks == nil || ks.Len() < len(l.keys)/2
}

// makeList makes the list of a view, or of a window of it in which the pages behind after lie; nil if less than two pages
// fit in, or the scan has been given up. It takes slices of time as any scan does.
func (sc *scan) makeList(ks *cache.Keyspace, v *cache.View, after []byte, limit int) *keyList {
	lists := &sc.all.lists
	w := sc.window(v, after, limit, min(lists.most.Load()-listBytes, math.MaxUint32))
	if w == nil {
		return nil
	}
	l := &keyList{window: *w, owner: sc.user, keyspace: weak.Make(ks), version: v.Version(), size: w.bytes + listBytes}
	if !lists.reserve(l) {
		return nil
	}
	l.text, l.keys = make([]byte, 0, w.bytes-placeBytes*int64(w.count)), make([]uint32, 0, w.count)
	v.Range(func(key, _ []byte, _ uint64, _ int64) bool {
		if w.has(key) {
			l.keys = append(l.keys, uint32(len(l.text)))
			l.text = binary.LittleEndian.AppendUint16(l.text, uint16(len(key)))
			l.text = append(l.text, key...)
		}
		return sc.looked()
	})
	sc.sort(l)
	if sc.err != nil {
		lists.release(l)
		return nil
	}
	lists.keep(l)
	return l
}

// sort sorts the list's keys. The comparisons end the slices, as nothing else is called meanwhile; once the scan is
// given up all keys are equal, so that it comes to its end.
func (sc *scan) sort(l *keyList) {
	compared := 0
	slices.SortFunc(l.keys, func(a, b uint32) int {
		if compared++; compared%sliceKeys == 0 {
			sc.next()
		}
		if sc.err != nil {
			return 0
		}
		return bytes.Compare(l.key(a), l.key(b))
	})
}
