package cache

import "slices"

// When chunks are emptied.
const (
	// deadPart is the part of what is live, and deadLeast what besides, in bytes, that may lie unused in a keyspace's
	// chunks before any is emptied.
	deadPart  = 16
	deadLeast = 256 << 10
	// Emptied chunks that are still there may take a part of what is live, heldPart, and a part of what lies unused: the
	// more there is to gain, the more may be held for it.
	heldPart, heldUnused = 16, 4
	// forcePart is the part of what is live that must lie unused before a collection is worth forcing.
	forcePart = 4
	// fullest is how full a chunk may be that is emptied, in 64ths: what is gained is more than half of what is copied. (With
	// 48, three items were copied for each that came to a full cache, a fifth of what a follower did.)
	// It is fullestMuch while more than a part of what is live, muchPart, lies unused.
	fullest, fullestMuch, muchPart = 40, 50, 4
)

// Defrag empties the chunks of one keyspace that have little in them. It is for one goroutine, which may be any, and there
// is one at a time for a keyspace.
type Defrag struct {
	Of     *Keyspace
	Copied int // bytes so far
	// Held reports that there is more to empty, once a collection has freed what was emptied.
	Held bool

	filling filling
	next    []*record // of the chunk that is being emptied
}

// Next empties the emptiest chunks, as many as it is told, if enough can be gained, and returns how many bytes of them the
// collector can have, and whether there is more to do now. No item changes. It works beside the writer: a copy takes its
// record's place only if that is still there. (That is so in what views hold too: it is the same item.)
//
// Chunks that were emptied and are still there wait for the collector, or a view holds them: while they are many nothing
// is emptied, as more copies would only take more memory. They are looked at once more: a table that the writer was just
// replacing may have taken over a record whose copy took its place in the old one.
func (f *Defrag) Next(most int) (gain int64, more bool) {
	s := f.survey()
	if s.held > deadLeast+s.live/heldPart+s.dead/heldUnused {
		f.Held = s.dead > s.live/forcePart
		for _, c := range s.emptied[:min(most, len(s.emptied))] {
			f.empty(c)
		}
		return 0, false
	}
	enough := s.dead - deadLeast - s.live/deadPart
	for _, c := range s.sparse[:min(most, len(s.sparse))] {
		if enough <= 0 {
			break
		}
		n := int64(c.size() - f.empty(c))
		gain, enough = gain+n, enough-n
	}
	return gain, gain > 0 && enough > 0 && len(s.sparse) > most
}

// survey is what a keyspace's chunks hold, in bytes.
type survey struct {
	live, dead int64        // dead: of those that were not emptied
	held       int64        // by those that were
	sparse     []*chunkPage // those that may be emptied, the emptiest first
	emptied    []*chunkPage // and not checked
}

func (f *Defrag) survey() (s survey) {
	for _, c := range f.Of.chunks.there() {
		n, size := int64(max(c.live.Load(), 0)), int64(c.size())
		s.live += n
		switch c.state.Load() {
		case chunkEmptied:
			s.emptied = append(s.emptied, c)
			s.held += size
		case chunkChecked:
			s.held += size
		case chunkFilled:
			s.dead += size - n
			s.sparse = append(s.sparse, c)
		}
	}
	full := fullest
	if s.dead > s.live/muchPart {
		full = fullestMuch
	}
	s.sparse = slices.DeleteFunc(s.sparse, func(c *chunkPage) bool { return int(c.live.Load())*64 >= c.size()*full })
	slices.SortFunc(s.sparse, func(a, b *chunkPage) int {
		return int(a.live.Load())*int(b.pages) - int(b.live.Load())*int(a.pages)
	})
	return s
}

// Unused returns how many bytes of the keyspace's chunks hold nothing that is live.
func (f *Defrag) Unused() (bytes int64) {
	for _, c := range f.Of.chunks.there() {
		bytes += int64(c.size()) - int64(c.live.Load())
	}
	return bytes
}

// empty copies what is live in a chunk, and returns how many bytes that was.
func (f *Defrag) empty(c *chunkPage) (copied int) {
	for i := range int(c.pages) {
		for at, p := chunkPhase, c.page(i); at+headSize <= len(p.space); {
			r := recordOf(p.space[at:])
			n := len(r.bytes())
			if n == headSize { // no key: nothing more was written here
				break
			}
			if f.next = append(f.next, r); len(f.next) == WarmAtOnce {
				copied += f.move()
			}
			at += spaceFor(n)
		}
	}
	copied += f.move()
	c.state.Store(min(c.state.Load()+1, chunkChecked))
	f.Copied += copied
	return copied
}

// move puts copies in the places of the next records, those that have one, and returns how many bytes it copied. Their
// places lie anywhere: they are fetched all at once.
func (f *Defrag) move() (copied int) {
	var hashes, ctrls [WarmAtOnce]uint64
	d := f.Of.dir.Load()
	for i, r := range f.next {
		hashes[i] = hashKey(r.key())
		t := d.table(hashes[i])
		ctrls[i] = t.groups[t.home(hashes[i])].ctrl.Load()
	}
	for i, r := range f.next {
		gone := matches(ctrls[i], ctrlFor(hashes[i])) == 0 && empties(ctrls[i]) != 0
		if !gone && f.replace(hashes[i], r) {
			copied += len(r.bytes())
		}
	}
	f.next = f.next[:0]
	return copied
}

// replace puts a copy in the record's place, if it has one.
func (f *Defrag) replace(h uint64, r *record) bool {
	g, slot, found := f.Of.dir.Load().table(h).place(h, r)
	if !found {
		return false
	}
	b := r.bytes()
	own := f.filling.alloc(len(b), &f.Of.chunks, f.Of.Memory())
	copy(own, b)
	other := recordOf(own)
	if !g.slots[slot].CompareAndSwap(r, other) {
		other.left()
		return false
	}
	r.left()
	return true
}

// End gives up what has not been filled. It is called once all is copied.
func (f *Defrag) End() { f.filling.end() }
