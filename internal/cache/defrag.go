package cache

// When chunks are emptied.
const (
	// deadPart is the part of a keyspace's chunks, and deadLeast what besides, in bytes, that may hold nothing live before
	// any is emptied.
	deadPart  = 8
	deadLeast = 256 << 10
	// sparseLevel is how full a chunk may be that is emptied: what is gained is more than a third of what is copied.
	sparseLevel = levels * 3 / 4
	// emptiedPart: chunks with no more than this part of all that is live are emptied at a time.
	emptiedPart = 4
	// levels is how many are distinguished of how full a chunk is.
	levels = 128
)

// level is how full a chunk is: up to levels.
func (p *chunkPage) level() int {
	size := p.size()
	return min(max(int(p.live.Load()), 0), size) * levels / size
}

// emptied reports whether all that was live has been copied.
func (p *chunkPage) emptied() bool { return p.sparse.Load() != 0 && p.level() == 0 }

// Defrag empties the chunks of one keyspace that have little in them. It is for one goroutine, which may be any, and there
// is one at a time for a keyspace.
type Defrag struct {
	Of     *Keyspace
	Copied int // bytes so far

	filling filling
}

// Choose marks the emptiest chunks, which Step is to empty, if enough can be gained. It returns how many bytes lie unused
// in those, and in all that have not been emptied. What was emptied and is still there waits for the collector, or a view
// holds it: while that is much nothing is chosen, as more copies would only take more memory.
func (f *Defrag) Choose() (gain, dead int64) {
	chunks := f.Of.chunks.there()
	var full [levels + 1]int64 // bytes live in chunks that are as full
	live, waiting := int64(0), int64(0)
	for _, c := range chunks {
		n := int64(min(max(int(c.live.Load()), 0), c.size()))
		live += n
		if c.emptied() {
			waiting += int64(c.size()) - n
			continue
		}
		full[c.level()] += n
		dead += int64(c.size()) - n
	}
	part := deadLeast + live/deadPart
	if dead < part || waiting > part {
		return 0, dead
	}
	budget, last := live/emptiedPart, 0 // last is how full chunks are of which only some are emptied
	for ; last < sparseLevel && full[last] <= budget; last++ {
		budget -= full[last]
	}
	for _, c := range chunks {
		n, level := int64(c.live.Load()), c.level()
		if c.emptied() || level > min(last, sparseLevel-1) || level == last && budget <= 0 {
			continue
		}
		if level == last {
			budget -= n
		}
		c.sparse.Store(1)
		gain += int64(c.size()) - n
	}
	return gain, dead
}

// Step copies the records in the chunks that were chosen, in about as many slots as it is told, and returns where to go on
// (0: it has come to the end). No item changes. It works beside the writer: a copy takes its record's place only if that
// is still there. (That is so in what views hold too: it is the same item.)
//
// What is live in a chunk is then not exact: a table that the writer is just replacing may take over a record whose copy
// has taken its place in the old one.
func (f *Defrag) Step(from Cursor, slots int) (next Cursor) {
	return f.Of.walk(from, slots, func(g *group, i int, r *record) {
		if c := r.chunk(); c == nil || c.sparse.Load() == 0 {
			return
		}
		b := r.bytes()
		own := f.filling.alloc(len(b), &f.Of.chunks, f.Of.Memory())
		copy(own, b)
		if other := recordOf(own); g.slots[i].CompareAndSwap(r, other) {
			f.Copied += len(b)
			r.left()
		} else {
			other.left()
		}
	})
}

// End gives up what has not been filled. It is called once all is copied.
func (f *Defrag) End() { f.filling.end() }
