package boltfile

import (
	"encoding/binary"
	"errors"
	"hash/fnv"
	"io"
	"os"
)

// A database begins with two meta pages, which transactions write in turn: the newer one describes the database,
// the older one the state one transaction earlier. If the newer one is invalid bbolt silently takes the older. That
// is meant for torn writes, but it can undo an entry or a vote that was reported as stored. Here both must be
// valid. No power loss makes one invalid: what a transaction writes of it (metaSize bytes from the page's start)
// lies in one sector, which a disk writes whole or not at all. Code that makes a database must rename it into place
// only once both are on the disk.
//
// A newest write that never reached the disk, although the disk said so, cannot be detected.

const (
	metaSize  = 80 // with the page's header
	metaMagic = 0xED0CDAED
	metaForm  = 2 // bbolt's version of the file
	metaFlag  = 4 // in the page's header
)

// meta is a meta page. Its numbers are in the byte order of the machine that wrote it.
type meta [metaSize]byte

func (m *meta) uint32(at int) uint32 { return binary.NativeEndian.Uint32(m[at:]) }
func (m *meta) uint64(at int) uint64 { return binary.NativeEndian.Uint64(m[at:]) }
func (m *meta) pageSize() uint32     { return m.uint32(24) }
func (m *meta) transaction() uint64  { return m.uint64(64) }

// pages returns how many pages were ever in use: the rest of the file is only length.
func (m *meta) pages() uint64 { return m.uint64(56) }

// check compares the page with what bbolt writes: a header of 16 bytes (the page's number, flags), the magic
// number, the version, the page's contents, and a checksum from the magic number on.
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

// readMetas reads the two meta pages and returns the newer.
func readMetas(f *os.File) (*meta, error) {
	var metas [2]meta
	at := int64(0)
	for page := range metas {
		m := &metas[page]
		_, err := f.ReadAt(m[:], at)
		if errors.Is(err, io.EOF) {
			err = damaged("the file ends before meta page %d", page)
		}
		if err != nil {
			return nil, err
		}
		if err := m.check(uint64(page)); err != nil {
			return nil, damaged("meta page %d: %w", page, err)
		}
		at = int64(m.pageSize()) // the system's page size when the file was made
	}
	// Transactions are numbered consecutively, and a failed one leaves its number to the next. Any other difference
	// means that a write is missing that was not the newest.
	a, b := metas[0].transaction(), metas[1].transaction()
	if metas[0].pageSize() != metas[1].pageSize() || max(a, b)-min(a, b) != 1 {
		return nil, damaged("the meta pages do not belong together (transactions %d and %d)", a, b)
	}
	if b > a {
		return &metas[1], nil
	}
	return &metas[0], nil
}
