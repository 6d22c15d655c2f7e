package cache

import (
	"slices"
	"sync"
	"sync/atomic"
	"unsafe"
	"weak"
)

// Small items of a keyspace that has many lie in chunks, one behind the other. The garbage collector then has one object
// where it had thousands, which it finds quickly: with millions of small items most of a node's time went into that. A
// chunk belongs to one keyspace, so it goes as a whole when the keyspace is flushed. The space of an item that has gone
// is not used again; when there is much of it, Defrag copies the rest of the emptiest chunks.
//
// Items with a deadline have an allocation of their own: their index refers to them too, so they cannot be copied.
const (
	// chunkUpto is the largest record that lies in a chunk, in bytes: larger ones would leave more of it unused.
	chunkUpto = 512
	// CopiedUpto is the size from which on a value is no copy of MGet's, in bytes.
	CopiedUpto = chunkUpto
	// chunkFrom is what a keyspace must count for before it gets chunks, in bytes.
	chunkFrom = 64 << 10
	// chunkPages is the most pages of a chunk, and chunkPart the part of the keyspace's Memory that one may be.
	chunkPages = 32
	chunkPart  = 64
	// chunkPhase is where records in chunks begin, beyond a multiple of recordAlign. All others begin at a multiple: that
	// tells them apart.
	chunkPhase  = 4
	recordAlign = 8

	pageHead = 16
)

// chunkPage is a page of a chunk, and of the runtime's: an object of one or several begins at a multiple of pageBytes.
// What is behind the head is written once, by the one who has the chunk from chunkList.add.
type chunkPage struct {
	index uint32 // in the chunk
	pages uint32 // the chunk's
	// Of the chunk, in its first page:
	live  atomic.Int32  // bytes of records that are items', about, and of what has not been given out
	state atomic.Uint32 // chunkFilling, …
	space [pageBytes - pageHead]byte
}

// The states of a chunk, one after the other.
const (
	chunkFilling = iota
	chunkFilled
	chunkEmptied // by Defrag
	chunkChecked // that nothing that is live was left in it
)

// size returns the bytes that a chunk has for records.
func (p *chunkPage) size() int { return int(p.pages) * len(p.space) }

// page returns another page of the chunk whose first one this is.
func (p *chunkPage) page(i int) *chunkPage {
	return (*chunkPage)(unsafe.Add(unsafe.Pointer(p), i*pageBytes))
}

// chunk returns the first page of the chunk in which a record lies; nil: it has an allocation of its own.
func (r *record) chunk() *chunkPage {
	if uintptr(unsafe.Pointer(r))%recordAlign != chunkPhase {
		return nil
	}
	p := (*chunkPage)(unsafe.Pointer(uintptr(unsafe.Pointer(r)) &^ (pageBytes - 1)))
	return p.page(-int(p.index))
}

// spaceFor is what a record of n bytes takes in a chunk.
func spaceFor(n int) int { return roundUp(n, recordAlign) }

// left notes that a record is no item's any more; nil: there was none.
func (r *record) left() {
	if r == nil {
		return
	}
	if c := r.chunk(); c != nil {
		c.live.Add(-int32(spaceFor(len(r.bytes()))))
	}
}

// filling is the chunk that is being filled. It is for one goroutine.
type filling struct {
	chunk *chunkPage // nil: none
	page  *chunkPage
	used  int // of the page's space
	given int // of the chunk, to records
}

// alloc returns n bytes, of a new chunk of the list's if need be. memory is the keyspace's.
func (f *filling) alloc(n int, list *chunkList, memory int64) []byte {
	switch {
	case f.chunk != nil && f.used+n <= len(f.page.space):
	case f.chunk != nil && f.page.index+1 < f.chunk.pages:
		f.page, f.used = f.chunk.page(int(f.page.index)+1), chunkPhase
	default:
		f.end()
		f.chunk = list.add(int(min(max(memory/chunkPart/pageBytes, 1), chunkPages)))
		f.page, f.used, f.given = f.chunk, chunkPhase, 0
	}
	b := f.page.space[f.used : f.used+n : f.used+n]
	f.used += spaceFor(n)
	f.given += spaceFor(n)
	return b
}

// end gives no more of the chunk.
func (f *filling) end() {
	if f.chunk != nil {
		f.chunk.live.Add(int32(f.given - f.chunk.size()))
		f.chunk.state.Store(chunkFilled)
		*f = filling{}
	}
}

// chunkList is the chunks of a keyspace. It keeps none of them alive. Any goroutine may use it.
type chunkList struct {
	mu    sync.Mutex
	all   []weak.Pointer[chunkPage]
	prune int // at this length those that are gone are taken out
}

// add makes a chunk.
func (l *chunkList) add(pages int) *chunkPage {
	all := make([]chunkPage, pages)
	for i := range all {
		all[i].index, all[i].pages = uint32(i), uint32(pages)
	}
	c := &all[0]
	if uintptr(unsafe.Pointer(c))%pageBytes != 0 {
		panic("cache: this runtime does not align large objects to pages of 8 KiB")
	}
	c.live.Store(int32(c.size()))
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.all) >= l.prune {
		l.all = slices.DeleteFunc(l.all, func(w weak.Pointer[chunkPage]) bool { return w.Value() == nil })
		l.prune = 2*len(l.all) + 64
	}
	l.all = append(l.all, weak.Make(c))
	return c
}

// there returns the chunks that are there.
func (l *chunkList) there() []*chunkPage {
	l.mu.Lock()
	all := slices.Clone(l.all)
	l.mu.Unlock()
	chunks := make([]*chunkPage, 0, len(all))
	for _, w := range all {
		if c := w.Value(); c != nil {
			chunks = append(chunks, c)
		}
	}
	return chunks
}

// forget takes all chunks out.
func (l *chunkList) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all, l.prune = nil, 0
}
