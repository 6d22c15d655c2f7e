package session

import "hash/maphash"

// walksKnown is how many pages of a user it is remembered for where they ended.
const walksKnown = 32

// walks are the pages of KEYS, or of SCAN, of one user that did not reach the end. A KEYS that goes on behind one belongs
// to the same walk: it may be served from any list that has what was there when the walk began. Any other KEYS begins one,
// and has to show all that is there. The user's one place for a KEYS protects it.
type walks struct {
	pages [walksKnown]struct {
		end   uint64 // hash of the page's last key, or of the cursor behind it
		since uint64 // the keyspace's version when its walk began
	}
	last int // of pages
}

var walksSeed = maphash.MakeSeed()

// goesOn returns the version at which the walk began that KEYS AFTER after belongs to: of those with a page that ended
// there the one that began last, as what was there then is to be shown to whichever it is.
func (w *walks) goesOn(after []byte) (since uint64, ok bool) {
	if after == nil {
		return 0, false
	}
	end := maphash.Bytes(walksSeed, after)
	for i := range w.pages {
		if p := &w.pages[i]; p.end == end {
			since, ok = max(since, p.since), true
		}
	}
	return since, ok
}

// ended notes that a page of a walk ended with a key, and not with the last one.
func (w *walks) ended(last []byte, since uint64) {
	w.last = (w.last + 1) % walksKnown
	w.pages[w.last].end, w.pages[w.last].since = maphash.Bytes(walksSeed, last), since
}
