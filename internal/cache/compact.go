package cache

import "unsafe"

// The allocator keeps records of one size together, in pages, and can use a page for another size only once all of its
// records are gone. When items of one size have made way to those of another, a few old ones in each page keep all of
// it. Copies of those that lie in the emptiest pages fill holes in others, and the pages become free with the next
// garbage collection. Which size it is does not matter, nor why the holes are there.

const (
	// compactUpto is the largest record that is compacted, in bytes: larger ones have few neighbours in their page.
	compactUpto = 4 << 10
	// pageBytes is a page of the runtime's. Most small sizes have spans of one page.
	pageBytes = 8 << 10
	// sparseBytes: a page with less of records may be emptied. What is gained is more than half of what is copied.
	sparseBytes = pageBytes * 5 / 8
	// copiedPart: no more than this part of all records is copied at a time. Copies of more would fill the holes in the
	// very pages that are to become free.
	copiedPart = 4
	// pinned is for a page with something that cannot be copied.
	pinned = pageBytes
)

// Pages is how full of records each page of memory is. It is not safe for concurrent use.
type Pages struct {
	used   map[uintptr]uint16 // bytes
	sparse map[uintptr]bool   // those to be emptied; see Choose
}

// NewPages returns Pages that Census has yet to fill.
func NewPages() *Pages { return &Pages{used: map[uintptr]uint16{}} }

// note adds a record of n bytes.
func (p *Pages) note(page uintptr, n int) {
	p.used[page] = uint16(min(int(p.used[page])+n, pageBytes)) // one record may begin in it and end in the next
}

// Choose chooses the pages that Compact empties, the emptiest, and returns how many bytes lie unused in them.
func (p *Pages) Choose() (unused int64) {
	const step = pageBytes / 64
	var filled [pageBytes/step + 1]int64 // bytes in pages that are as full
	all := int64(0)
	for _, n := range p.used {
		filled[n/step] += int64(n)
		all += int64(n)
	}
	budget, last := all/copiedPart, 0 // last is how full pages are of which only some are emptied
	for ; last < len(filled)-1 && filled[last] <= budget; last++ {
		budget -= filled[last]
	}
	p.sparse = map[uintptr]bool{}
	for page, n := range p.used {
		level := int(n / step)
		if n >= sparseBytes || level > last || level == last && budget <= 0 {
			continue
		}
		if level == last {
			budget -= int64(n)
		}
		p.sparse[page] = true
		unused += pageBytes - int64(n)
	}
	return unused
}

// Census notes the pages of the records in about as many slots as it is told, of those that have an allocation of their
// own. It begins at a place and does not go
// beyond the end; it returns where to go on (0: it has come to the end). Any goroutine may call it.
func (c *content) Census(from Cursor, slots int, pages *Pages) (next Cursor) {
	return c.walk(from, slots, func(_ *group, _ int, r *record) {
		switch n := len(r.bytes()); {
		case n > compactUpto || r.chunk() != nil:
		case r.deadline() != 0: // the index of deadlines has its record too
			pages.note(r.page(), pinned)
		default:
			pages.note(r.page(), class(n))
		}
	})
}

// Compact copies the records in the pages that Choose has chosen, walking like Census, and returns also how many bytes it copied. No item
// changes. Any goroutine may call it, beside the writer: a copy takes its record's place only if that is still there.
// (That is so in what views hold too: it is the same item.)
func (c *content) Compact(from Cursor, slots int, pages *Pages) (next Cursor, copied int) {
	next = c.walk(from, slots, func(g *group, i int, r *record) {
		b := r.bytes()
		if len(b) > compactUpto || r.chunk() != nil || r.deadline() != 0 || !pages.sparse[r.page()] {
			return
		}
		own := ownBytes(len(b))
		copy(own, b)
		if g.slots[i].CompareAndSwap(r, recordOf(own)) {
			copied += len(b)
		}
	})
	return next, copied
}

// page returns the number of the page in which a record begins. The collector does not move objects.
func (r *record) page() uintptr { return uintptr(unsafe.Pointer(r)) / pageBytes }

func (c *content) walk(from Cursor, slots int, fn func(g *group, i int, r *record)) (next Cursor) {
	for ; slots > 0; slots -= groupSlots {
		var g *group
		g, from = c.group(from)
		for i := range g.slots {
			if r := g.slots[i].Load(); r != nil {
				fn(g, i, r)
			}
		}
		if from == 0 {
			break
		}
	}
	return from
}
