package session

import "hash/maphash"

// walksKnown is how many pages of a user it is remembered for where they ended.
const walksKnown = 32

// walks are the pages of KEYS of one user that did not reach the end. A KEYS that goes on behind one belongs to the same
// walk: it may be served from any list that has what was there when the walk began. Any other KEYS begins one, and has
// to show all that is there. The user's one place for a KEYS protects it.
type walks struct {
	pages [walksKnown]struct {
		end   uint64 // hash of the page's last key
		since uint64 // the keyspace's version when its walk began
	}
	last int // of pages

	// The last list that did not fit in: of how many keys, and into how many bytes.
	unfit int
	most  int64
}

var walksSeed = maphash.MakeSeed()

// goesOn returns the version at which the walk began that KEYS AFTER after belongs to.
func (w *walks) goesOn(after []byte) (since uint64, ok bool) {
	if after == nil {
		return 0, false
	}
	end := maphash.Bytes(walksSeed, after)
	for i := range w.pages {
		if p := w.pages[(w.last+walksKnown-i)%walksKnown]; p.end == end { // the newest that ended there
			return p.since, true
		}
	}
	return 0, false
}

// ended notes that a page of a walk ended with a key, and not with the last one.
func (w *walks) ended(last []byte, since uint64) {
	w.last = (w.last + 1) % walksKnown
	w.pages[w.last].end, w.pages[w.last].since = maphash.Bytes(walksSeed, last), since
}

// hopeless reports whether a list of so many keys cannot fit into most bytes, as far as that is known without looking at
// them.
func (w *walks) hopeless(keys int, most int64) bool {
	return int64(keys)*(lengthBytes+1+placeBytes)+listBytes > most || w.unfit > 0 && most <= w.most && keys >= w.unfit-w.unfit/4
}
