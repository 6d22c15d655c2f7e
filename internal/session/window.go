package session

import (
	"bytes"
	"math/rand/v2"
	"slices"

	"ciderd/internal/cache"
)

// window is the part of a user's keys that a list has: those behind after, and up to the key to.
type window struct {
	after, to []byte // nil: from the first, to the last
	count     int    // keys
	bytes     int64  // what a list takes for them
}

func keyBytes(key []byte) int64 { return lengthBytes + int64(len(key)) + placeBytes }

func (w *window) has(key []byte) bool {
	return (w.after == nil || bytes.Compare(key, w.after) > 0) && (w.to == nil || bytes.Compare(key, w.to) <= 0)
}

// serves reports whether what comes next behind a key is in the window.
func (w *window) serves(after []byte) bool {
	if after == nil {
		return w.after == nil
	}
	return (w.after == nil || bytes.Compare(after, w.after) >= 0) && (w.to == nil || bytes.Compare(after, w.to) < 0)
}

func (w *window) add(key []byte) {
	w.count++
	w.bytes += keyBytes(key)
}

// windowSample is how many keys the end of a window is estimated from.
const windowSample = 1 << 11

// window returns the largest window of which a list takes at most most bytes: all keys, or those behind after as far as
// they fit. It is nil if less than two pages fit, or the scan has been given up.
func (sc *scan) window(v *cache.View, after []byte, limit int, most int64) *window {
	if most < int64(min(2*limit, v.Len()))*keyBytes(nil) {
		return nil
	}
	all, behind, sample := sc.sample(v, after)
	switch {
	case sc.err != nil:
		return nil
	case all.bytes <= most:
		return &all
	case behind.bytes <= most:
		return &behind
	}
	// A tenth less than would fit by the sample: keys are not as long everywhere.
	last := int(float64(len(sample)) * 0.9 * float64(most) / float64(behind.bytes))
	for ; last > 0; last = last * 3 / 4 {
		w := sc.measure(v, window{after: after, to: sample[last-1]})
		if sc.err != nil || w.count < 2*limit {
			return nil
		}
		if w.bytes <= most {
			w.after, w.to = bytes.Clone(after), bytes.Clone(w.to)
			return &w
		}
	}
	return nil
}

// sample counts all keys and those behind after, and returns some of these in order, each with the same chance.
func (sc *scan) sample(v *cache.View, after []byte) (all, behind window, some [][]byte) {
	behind.after = bytes.Clone(after)
	v.Range(func(key, _ []byte, _ uint64, _ int64) bool {
		if all.add(key); behind.has(key) {
			behind.add(key)
			if len(some) < windowSample {
				some = append(some, key)
			} else if i := rand.IntN(behind.count); i < len(some) {
				some[i] = key
			}
		}
		return sc.looked()
	})
	slices.SortFunc(some, bytes.Compare)
	return all, behind, some
}

// measure counts a window's keys.
func (sc *scan) measure(v *cache.View, w window) window {
	v.Range(func(key, _ []byte, _ uint64, _ int64) bool {
		if w.has(key) {
			w.add(key)
		}
		return sc.looked()
	})
	return w
}
