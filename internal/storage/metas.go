package storage

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
)

// A database begins with two meta pages, which transactions write in turn: the newer one says what is
// in the database, the older one what was there a transaction before. bbolt takes the older without a
// word when the newer makes no sense. That is for torn writes, and takes an entry or a vote back that
// was said to be stored. Here both must be right. No power loss makes one wrong: what a transaction
// writes of it (metaSize bytes from the page's start) lies in one sector, which a disk writes whole or
// not at all, and a database gets its name once both are on the disk (see initialize).
//
// What nobody can tell is the newest write that never reached the disk, and was said to.

const (
	metaSize  = 80 // with the page's header
	metaMagic = 0xED0CDAED
	metaForm  = 2 // bbolt's version of the file
	metaFlag  = 4 // in the page's header
)

// meta is a meta page, of which numbers are in the order of the machine that wrote it.
type meta [metaSize]byte

func (m *meta) uint32(at int) uint32 { return binary.NativeEndian.Uint32(m[at:]) }
func (m *meta) uint64(at int) uint64 { return binary.NativeEndian.Uint64(m[at:]) }
func (m *meta) pageSize() uint32     { return m.uint32(24) }
func (m *meta) transaction() uint64  { return m.uint64(64) }

// pages is how many pages were ever in use: the rest of the file is only length.
func (m *meta) pages() uint64 { return m.uint64(56) }

// check compares the page with what bbolt writes: a header of 16 bytes (the page's number, flags), the
// magic number, the version, what the page says, and a checksum from the magic number on.
func (m *meta) check(page uint64) error {
	h := fnv.New64a()
	h.Write(m[16:72])
	switch {
	case m.uint64(0) != page || binary.NativeEndian.Uint16(m[8:]) != metaFlag:
		return errors.New("its header is wrong")
	case m.uint32(16) != metaMagic || m.uint32(20) != metaForm:
		return errors.New("it is not of a database of this kind")
	case m.uint64(72) != h.Sum64():
		return errors.New("its checksum is wrong")
	case m.transaction()%2 != page:
		return errors.New("it belongs elsewhere")
	}
	return nil
}

// checkMetas reads the meta pages of a database that this process has locked, and returns the newer.
func checkMetas(f *os.File) (*meta, error) {
	var metas [2]meta
	at := int64(0)
	for page := range metas {
		m := &metas[page]
		_, err := f.ReadAt(m[:], at)
		if errors.Is(err, io.EOF) {
			err = fmt.Errorf("%w: the file ends before meta page %d", ErrDamaged, page)
		}
		if err != nil {
			return nil, err
		}
		if err := m.check(uint64(page)); err != nil {
			return nil, fmt.Errorf("%w: meta page %d: %w", ErrDamaged, page, err)
		}
		at = int64(m.pageSize()) // the system's when the file was made
	}
	// Each transaction has the number after the last, and one that failed leaves its number to the next.
	// With another distance a write is missing that was not the newest.
	a, b := metas[0].transaction(), metas[1].transaction()
	if metas[0].pageSize() != metas[1].pageSize() || max(a, b)-min(a, b) != 1 {
		return nil, fmt.Errorf("%w: the meta pages do not belong together (transactions %d and %d)", ErrDamaged, a, b)
	}
	if b > a {
		return &metas[1], nil
	}
	return &metas[0], nil
}
