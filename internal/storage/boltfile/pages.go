package boltfile

import (
	"encoding/binary"
	"os"
)

// The layout of bbolt's pages, as far as checkPages reads them: a header (number, flags, count of
// elements, count of pages that follow), then the elements, then the keys and values that they point to.
const (
	pageHeader  = 16
	pageElement = 16
	branchFlag  = 1
	leafFlag    = 2
	bucketFlag  = 1 // of an element
)

// tree is a database file whose pages are read raw.
type tree struct {
	f        *os.File
	pageSize int64
	used     []bool // pages, of all that there are
}

// checkPages walks all pages in use, and requires each one's keys and values to be where bbolt puts them: in order,
// without gaps, the first directly after the last element. With too small a count bbolt would lose the last keys of
// a page, the end of the log. With too large a size, or a position outside, it would read beyond the file's end in
// memory, which is not always a fault that can be caught.
func checkPages(f *os.File, newest *meta) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	pages := newest.pages()
	if all := info.Size() / int64(newest.pageSize()); pages > uint64(all) {
		return damaged("the file has %d pages of %d", all, pages)
	}
	t := tree{f, int64(newest.pageSize()), make([]bool, pages)}
	return t.page(newest.uint64(32), true)
}

// page checks a page and those below it. Only the leaves of the root have buckets.
func (t *tree) page(id uint64, root bool) error {
	pages := uint64(len(t.used))
	if id < 2 || id >= pages {
		return damaged("page %d is out of place", id)
	}
	b := make([]byte, pageHeader+pageElement)
	if _, err := t.f.ReadAt(b, int64(id)*t.pageSize); err != nil {
		return damaged("page %d: %w", id, err)
	}
	flags, overflow := binary.NativeEndian.Uint16(b[8:]), binary.NativeEndian.Uint32(b[12:])
	if binary.NativeEndian.Uint64(b) != id || flags != branchFlag && flags != leafFlag ||
		uint64(overflow) >= pages-id {
		return damaged("the header of page %d is wrong", id)
	}
	for of := id; of <= id+uint64(overflow); of++ {
		if t.used[of] {
			return damaged("page %d is there twice", of)
		}
		t.used[of] = true
	}
	size := (1 + int64(overflow)) * t.pageSize
	elements := pageHeader + pageElement*int64(binary.NativeEndian.Uint16(b[10:]))
	if flags == branchFlag || root {
		b = make([]byte, size)
	} else if elements > int64(len(b)) { // what its entries hold is not needed
		b = make([]byte, min(elements, size))
	}
	if _, err := t.f.ReadAt(b, int64(id)*t.pageSize); err != nil {
		return damaged("page %d: %w", id, err)
	}
	if err := checkElements(id, b, size, root); err != nil || flags == leafFlag && !root {
		return err
	}
	for at := int64(pageHeader); at < elements; at += pageElement {
		if err := t.element(b, at, flags, root); err != nil {
			return err
		}
	}
	return nil
}

// element checks what is below the element at b[at:].
func (t *tree) element(b []byte, at int64, flags uint16, root bool) error {
	e := b[at : at+pageElement]
	if flags == branchFlag {
		return t.page(binary.NativeEndian.Uint64(e[8:]), root)
	}
	number := func(i int) int64 { return int64(binary.NativeEndian.Uint32(e[i:])) }
	value := at + number(4) + number(8)
	bucket := b[value : value+number(12)]
	if len(bucket) < pageHeader {
		return damaged("a bucket of %d bytes", len(bucket))
	}
	if id := binary.NativeEndian.Uint64(bucket); id != 0 {
		return t.page(id, false)
	}
	inside := bucket[16:] // a small one's only page, after its number and its sequence
	if len(inside) < pageHeader || binary.NativeEndian.Uint16(inside[8:]) != leafFlag {
		return damaged("a bucket has the wrong kind of page")
	}
	return checkElements(0, inside, int64(len(inside)), false)
}

// checkElements checks the elements of a page of size bytes that begins with b. An empty page has nothing after its
// header. The leaves of the root have only buckets; others have none.
func checkElements(id uint64, b []byte, size int64, root bool) error {
	branch := binary.NativeEndian.Uint16(b[8:]) == branchFlag
	count := int64(binary.NativeEndian.Uint16(b[10:]))
	end := pageHeader + count*pageElement // of what is placed so far
	if count == 0 && (branch || int64(len(b)) >= pageHeader+pageElement && binary.NativeEndian.Uint32(b[pageHeader+4:]) != 0) ||
		end > int64(len(b)) {
		return damaged("page %d does not have %d elements", id, count)
	}
	for at := int64(pageHeader); at < pageHeader+count*pageElement; at += pageElement {
		number := func(i int64) int64 { return int64(binary.NativeEndian.Uint32(b[at+i:])) }
		var place, length int64
		if branch {
			place, length = number(0), number(4)
		} else {
			place, length = number(4), number(8)+number(12)
			if kind := number(0); kind > bucketFlag || (kind == bucketFlag) != root {
				return damaged("page %d has an element of the wrong kind", id)
			}
		}
		if at+place != end || end+length > size {
			return damaged("page %d has an element out of place", id)
		}
		end += length
	}
	return nil
}
