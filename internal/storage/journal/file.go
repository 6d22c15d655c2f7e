package journal

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/hashicorp/raft"
)

// A file's header, in the sector at its start. Numbers are little endian.
//
//	 0  checksum of the rest
//	 4  version of the format: 1
//	 8  "ciderd journal\n", and a zero
//	24  the file's number among those of the journal
//	28  how many files the journal has
//	32  the file's size, bytes
//	40  generation
//	48  the index that the database has reached
const (
	headerSize = 56
	recordsAt  = 4096 // where the records begin
	version    = 1
	magic      = "ciderd journal\n\x00"
)

// Layout is how many files a journal has, and how large each is.
type Layout struct {
	Files int
	Size  int64 // bytes of each, a multiple of 4,096
}

// file is one file of the journal. Its fields are Journal.appending's, but for last, which is Journal.mu's; those of a
// file that is being renewed are whoever's renews it.
type file struct {
	File
	layout     Layout
	number     int
	generation uint64
	reached    uint64 // as in the header
	end        int64  // of the records
	prev       uint32 // the checksum of the last head, or of the header

	last uint64 // the index of the last record; 0: there is none
}

func fileName(number int) string { return fmt.Sprintf("journal.%d", number) }

// newGeneration draws a generation that no file has had.
func newGeneration() (uint64, error) {
	var b [8]byte
	_, err := rand.Read(b[:])
	return binary.LittleEndian.Uint64(b[:]), err
}

// renew empties the file, synced. The database has reached an index.
func (f *file) renew(reached uint64) error {
	generation, err := newGeneration()
	if err != nil {
		return err
	}
	b := f.header(generation, reached)
	if _, err := f.WriteAt(b, 0); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	f.generation, f.reached, f.end, f.prev = generation, reached, recordsAt, binary.LittleEndian.Uint32(b)
	return nil
}

func (f *file) header(generation, reached uint64) []byte {
	b := make([]byte, headerSize)
	put := binary.LittleEndian
	put.PutUint32(b[4:], version)
	copy(b[8:], magic)
	put.PutUint32(b[24:], uint32(f.number))
	put.PutUint32(b[28:], uint32(f.layout.Files))
	put.PutUint64(b[32:], uint64(f.layout.Size))
	put.PutUint64(b[40:], generation)
	put.PutUint64(b[48:], reached)
	put.PutUint32(b, headSum(0, b))
	return b
}

// readHeader takes over what b, the start of the file, says.
func (f *file) readHeader(b []byte) error {
	get := binary.LittleEndian
	if len(b) < recordsAt || get.Uint32(b) != headSum(0, b[:headerSize]) || string(b[8:24]) != magic {
		return damaged(fileName(f.number), "its header is not what was written")
	}
	if v := get.Uint32(b[4:]); v != version {
		return damaged(fileName(f.number), "its version is %d, and this release reads %d", v, version)
	}
	if get.Uint32(b[24:]) != uint32(f.number) || get.Uint32(b[28:]) != uint32(f.layout.Files) || get.Uint64(b[32:]) != uint64(f.layout.Size) {
		return damaged(fileName(f.number), "it is not the file that belongs there")
	}
	f.generation, f.reached, f.prev, f.end = get.Uint64(b[40:]), get.Uint64(b[48:]), get.Uint32(b), recordsAt
	return nil
}

// append writes entries behind the others, synced. On an error the file's records are the same as before.
func (f *file) append(logs []*raft.Log, buf []byte) ([]byte, error) {
	at := place{generation: f.generation, prev: f.prev, synced: f.end}
	for _, l := range logs {
		buf, at.prev = appendRecord(buf, l, at)
	}
	if _, err := f.WriteAt(buf, f.end); err != nil {
		f.erase()
		return buf, err
	}
	if err := f.Sync(); err != nil {
		return buf, err
	}
	f.end += int64(len(buf))
	f.prev = at.prev
	return buf, nil
}

// erase has what a failed append has left behind not look like a record: at the next start it would be one that was stored.
// If that fails too the entries may come back, which Raft can live with: as if the process had ended while it stored them.
func (f *file) erase() {
	if _, err := f.WriteAt(make([]byte, min(headSize, f.layout.Size-f.end)), f.end); err == nil {
		_ = f.Sync()
	}
}

// read returns the entries of the file.
func (f *file) read() (logs []*raft.Log, err error) {
	b := make([]byte, f.layout.Size)
	if n, err := f.ReadAt(b, 0); err != nil && !(errors.Is(err, io.EOF) && n == len(b)) {
		if errors.Is(err, io.EOF) {
			err = damaged(fileName(f.number), "it ends too early")
		}
		return nil, err
	}
	if err := f.readHeader(b); err != nil {
		return nil, err
	}
	for f.end < f.layout.Size {
		r, ok := readRecord(b[f.end:], f.generation)
		if !ok || r.prev != f.prev {
			break
		}
		if n := len(logs); n > 0 && r.log.Index <= logs[n-1].Index {
			return nil, damaged(fileName(f.number), "entry %d is behind %d", r.log.Index, logs[n-1].Index)
		}
		logs = append(logs, r.log)
		f.end, f.prev, f.last = f.end+r.size, r.sum, r.log.Index
	}
	return logs, f.checkEnd(b)
}

// zeros is much of what is behind the end of most files.
var zeros [4096]byte

// checkEnd looks for what would not be there if the records ended at f.end: a record behind it that was written when more
// than that was synced.
func (f *file) checkEnd(b []byte) error {
	for at := f.end + align; at+headSize <= f.layout.Size; at += align {
		if at%int64(len(zeros)) == 0 && bytes.HasPrefix(b[at:], zeros[:]) {
			at += int64(len(zeros)) - headSize // to what is not all in here
		}
		if synced := syncedOf(b[at:]); synced <= f.end || synced > at {
			continue // which costs next to nothing, and almost everything is one of these
		}
		if _, ok := readHead(b[at:], f.generation); ok {
			return damaged(fileName(f.number), "the record at %d is not what was written", f.end)
		}
	}
	return nil
}
