package cache

import "sync/atomic"

// A directory is the whole content of a keyspace at one point of its history,
// and what a View holds: the tables by the top bits of the hash, and the
// counters that must freeze with them.
type directory struct {
	epoch   uint64 // of its birth
	depth   uint8  // len(tables) == 1<<depth
	deepest int    // tables as deep as the directory: at 0 it can halve
	tables  []atomic.Pointer[table]

	version atomic.Uint64
	counts  counts
}

func newDirectory(epoch, version uint64) *directory {
	d := &directory{epoch: epoch, deepest: 1, tables: make([]atomic.Pointer[table], 1)}
	d.tables[0].Store(newTable(epoch, 0, nil))
	d.version.Store(version)
	return d
}

// table returns the table for a hash. (A shift by 64 is 0 in Go: depth 0 works.)
func (d *directory) table(h uint64) *table { return d.tables[h>>(64-d.depth)].Load() }

func (d *directory) find(h uint64, key []byte) *record {
	_, _, r := d.table(h).locate(h, key)
	return r
}

// put makes t the table of all hashes that share h's top t.depth bits.
func (d *directory) put(h uint64, t *table) {
	span := d.depth - t.depth
	first := h >> (64 - t.depth) << span
	for i := range uint64(1) << span {
		d.tables[first+i].Store(t)
	}
}

// resized returns a copy of d with another epoch and depth. If the depth is less, no table may be deeper.
func (d *directory) resized(epoch uint64, depth uint8) *directory {
	n := &directory{epoch: epoch, depth: depth, tables: make([]atomic.Pointer[table], 1<<depth)}
	for i := range n.tables {
		n.tables[i].Store(d.tables[i<<d.depth>>depth].Load())
	}
	switch {
	case depth == d.depth:
		n.deepest = d.deepest
	case depth < d.depth:
		n.each(func(t *table) bool {
			if t.depth == depth {
				n.deepest++
			}
			return true
		})
	}
	n.version.Store(d.version.Load())
	n.counts.store(d.counts.load())
	return n
}

// each calls fn with every table once, until it returns false.
func (d *directory) each(fn func(*table) bool) {
	for i := 0; i < len(d.tables); {
		t := d.tables[i].Load()
		if !fn(t) {
			return
		}
		i += 1 << (d.depth - t.depth)
	}
}

// buddy returns the table that t was once split from, if it is still as deep.
func (d *directory) buddy(t *table, h uint64) *table {
	if t.depth == 0 {
		return nil
	}
	b := d.table(h ^ 1<<(64-t.depth))
	if b.depth != t.depth {
		return nil
	}
	return b
}
