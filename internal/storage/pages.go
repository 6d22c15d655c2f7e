package storage

import (
	"encoding/binary"
	"fmt"
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

// tree is a database file whose pages are looked at as they are.
type tree struct {
	f        *os.File
	pageSize int64
	pages    uint64 // in the file that are in use at most
}

// checkPages goes through all pages that hold something and compares each one's count of elements with
// where the first element's key lies, which is right behind the last element. With a smaller count
// bbolt would do without the last keys of a page: the end of the log.
func checkPages(f *os.File, newest *meta) error {
	t := tree{f, int64(newest.pageSize()), newest.uint64(56)}
	return t.page(newest.uint64(32), 0, true)
}

const deepest = 64 // pages, one below the other; a dozen would fill any disk

// page checks a page and those below it. Only the leaves of the root have buckets.
func (t *tree) page(id uint64, depth int, root bool) error {
	if depth > deepest || id < 2 || id >= t.pages {
		return fmt.Errorf("%w: page %d is out of place", ErrDamaged, id)
	}
	b := make([]byte, pageHeader+pageElement)
	if _, err := t.f.ReadAt(b, int64(id)*t.pageSize); err != nil {
		return fmt.Errorf("%w: page %d: %w", ErrDamaged, id, err)
	}
	flags, overflow := binary.NativeEndian.Uint16(b[8:]), binary.NativeEndian.Uint32(b[12:])
	if binary.NativeEndian.Uint64(b) != id || flags != branchFlag && flags != leafFlag ||
		uint64(overflow) >= t.pages-id {
		return fmt.Errorf("%w: the header of page %d is wrong", ErrDamaged, id)
	}
	if flags == leafFlag && !root {
		return checkCount(id, b)
	}
	b = make([]byte, (1+int64(overflow))*t.pageSize)
	if _, err := t.f.ReadAt(b, int64(id)*t.pageSize); err != nil {
		return fmt.Errorf("%w: page %d: %w", ErrDamaged, id, err)
	}
	if err := checkCount(id, b); err != nil {
		return err
	}
	for i := range int(binary.NativeEndian.Uint16(b[10:])) {
		if err := t.element(b, pageHeader+i*pageElement, flags, depth, root); err != nil {
			return err
		}
	}
	return nil
}

// element checks what is below the element at b[at:]; what lies outside of b is a panic.
func (t *tree) element(b []byte, at int, flags uint16, depth int, root bool) error {
	e := b[at : at+pageElement]
	if flags == branchFlag {
		return t.page(binary.NativeEndian.Uint64(e[8:]), depth+1, root)
	}
	if binary.NativeEndian.Uint32(e) != bucketFlag {
		return fmt.Errorf("%w: the root has something that is no bucket", ErrDamaged)
	}
	key := at + int(binary.NativeEndian.Uint32(e[4:]))
	value := key + int(binary.NativeEndian.Uint32(e[8:]))
	bucket := b[value : value+int(binary.NativeEndian.Uint32(e[12:]))]
	if id := binary.NativeEndian.Uint64(bucket); id != 0 {
		return t.page(id, depth+1, false)
	}
	inside := bucket[16:] // a small one's only page, behind its number and its sequence
	if binary.NativeEndian.Uint16(inside[8:]) != leafFlag {
		return fmt.Errorf("%w: bucket %q has the wrong kind of page", ErrDamaged, b[key:value])
	}
	return checkCount(0, inside)
}

// checkCount checks the count of a page that begins with b. An empty one has nothing behind its header.
func checkCount(id uint64, b []byte) error {
	at := pageHeader + 4 // where the first element says how far from it its key is
	if binary.NativeEndian.Uint16(b[8:]) == branchFlag {
		at = pageHeader
	}
	count, first := uint32(binary.NativeEndian.Uint16(b[10:])), uint32(0)
	if len(b) >= pageHeader+pageElement {
		first = binary.NativeEndian.Uint32(b[at:])
	}
	if first != count*pageElement {
		return fmt.Errorf("%w: page %d has %d elements, or more", ErrDamaged, id, count)
	}
	return nil
}
