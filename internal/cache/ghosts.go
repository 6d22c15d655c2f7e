package cache

import "slices"

// ghosts are fingerprints of what was evicted from a table of late, about as many as it has slots: 16 bits each, in
// buckets as the table has groups, the latest first. What comes back while it is remembered begins warmer. The
// bucket follows from the fingerprint, so ghosts can be carried to a table of another size. Now and then, about one
// time in a hundred, a key is taken for another. They are the writer's only.
type ghosts [][groupSlots]uint16

// fingerprint is never 0, which is no ghost.
func fingerprint(h uint64) uint16 { return max(uint16(h>>16), 1) }

func (gs ghosts) bucket(f uint16) *[groupSlots]uint16 { return &gs[int(f)*len(gs)>>16] }

// add forgets the oldest of the bucket.
func (gs ghosts) add(f uint16) {
	b := gs.bucket(f)
	copy(b[1:], b[:])
	b[0] = f
}

// take forgets f, and reports whether it was there.
func (gs ghosts) take(f uint16) bool {
	if gs == nil {
		return false
	}
	b := gs.bucket(f)
	for i, g := range b {
		if g == f {
			copy(b[i:], b[i+1:])
			b[groupSlots-1] = 0
			return true
		}
	}
	return false
}

// evicted notes that the item of hash h has been evicted from t.
func (t *table) evicted(h uint64) { t.remembered().add(fingerprint(h)) }

// remembered returns the table's ghosts, made when there are the first.
func (t *table) remembered() ghosts {
	if t.ghosts == nil {
		t.ghosts = make(ghosts, len(t.groups))
	}
	return t.ghosts
}

// inherit adds the ghosts of a table in whose place t comes, the oldest first.
func (t *table) inherit(from ghosts) {
	for i := range from {
		for _, f := range slices.Backward(from[i][:]) {
			if f != 0 {
				t.remembered().add(f)
			}
		}
	}
}
