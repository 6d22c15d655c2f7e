package journal

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"time"

	"github.com/hashicorp/raft"
)

// A record is an entry: a head, the entry's extensions and data, and zeros up to a multiple of align. Numbers are little
// endian.
//
//	 0  checksum of the generation and of the rest of the head
//	 4  bytes of extensions and data
//	 8  checksum of these
//	12  checksum of the head before this one; of the file's header before the first
//	16  up to where the file was synced when this was written
//	20  bytes of the extensions
//	24  index
//	32  term
//	40  when the entry was appended, Unix nanoseconds; 0: it does not say
//	48  type
//	49  zeros
const (
	headSize = 56
	align    = 8
	maxExt   = 255
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// headSum is the checksum of b, a head or a header whose first four bytes are its own, with a generation.
func headSum(generation uint64, b []byte) uint32 {
	var seed [8]byte
	binary.LittleEndian.PutUint64(seed[:], generation)
	return crc32.Update(crc32.Checksum(seed[:], castagnoli), castagnoli, b[4:])
}

// recordSize is how many bytes an entry takes in a file.
func recordSize(l *raft.Log) int64 { return padded(int64(len(l.Extensions)) + int64(len(l.Data))) }

func padded(size int64) int64 { return headSize + (size+align-1)/align*align }

// place is where a record stands.
type place struct {
	generation uint64
	prev       uint32 // the checksum of what is before it
	synced     int64
}

// appendRecord appends an entry's record, and returns its head's checksum.
func appendRecord(b []byte, l *raft.Log, at place) ([]byte, uint32) {
	from := len(b)
	b = append(b, make([]byte, headSize)...)
	b = append(append(b, l.Extensions...), l.Data...)
	body := b[from+headSize:]
	b = append(b, make([]byte, (align-len(body)%align)%align)...)
	head := b[from : from+headSize]
	put := binary.LittleEndian
	put.PutUint32(head[4:], uint32(len(l.Extensions)+len(l.Data)))
	put.PutUint32(head[8:], crc32.Checksum(body, castagnoli))
	put.PutUint32(head[12:], at.prev)
	put.PutUint32(head[16:], uint32(at.synced))
	head[20] = byte(len(l.Extensions))
	put.PutUint64(head[24:], l.Index)
	put.PutUint64(head[32:], l.Term)
	if !l.AppendedAt.IsZero() {
		put.PutUint64(head[40:], uint64(l.AppendedAt.UnixNano()))
	}
	head[48] = byte(l.Type)
	sum := headSum(at.generation, head)
	put.PutUint32(head, sum)
	return b, sum
}

// record is one that was read.
type record struct {
	log  *raft.Log
	sum  uint32
	prev uint32
	size int64
}

// syncedOf returns up to where the file was synced when the record was written that b begins with, if it does.
func syncedOf(b []byte) int64 { return int64(binary.LittleEndian.Uint32(b[16:])) }

// readHead reads the head that b begins with; false: it is none of this generation.
func readHead(b []byte, generation uint64) (r record, ok bool) {
	if len(b) < headSize || binary.LittleEndian.Uint32(b) != headSum(generation, b[:headSize]) {
		return r, false
	}
	get := binary.LittleEndian
	r = record{
		sum: get.Uint32(b), prev: get.Uint32(b[12:]),
		log: &raft.Log{Index: get.Uint64(b[24:]), Term: get.Uint64(b[32:]), Type: raft.LogType(b[48])},
	}
	if at := int64(get.Uint64(b[40:])); at != 0 {
		r.log.AppendedAt = time.Unix(0, at)
	}
	length := int64(get.Uint32(b[4:]))
	r.size = padded(length)
	return r, int64(b[20]) <= length
}

// readRecord reads the record that b begins with; false: there is no whole one of this generation.
func readRecord(b []byte, generation uint64) (r record, ok bool) {
	if r, ok = readHead(b, generation); !ok || r.size > int64(len(b)) {
		return r, false
	}
	length := int64(binary.LittleEndian.Uint32(b[4:]))
	body := b[headSize : headSize+length]
	if crc32.Checksum(body, castagnoli) != binary.LittleEndian.Uint32(b[8:]) {
		return r, false
	}
	ext := int(b[20])
	if ext > 0 {
		r.log.Extensions = append([]byte(nil), body[:ext]...)
	}
	r.log.Data = append([]byte(nil), body[ext:]...)
	return r, true
}

// checkEntry refuses what a record cannot hold.
func checkEntry(l *raft.Log) error {
	if len(l.Extensions) > maxExt || int64(len(l.Data)) > math.MaxUint32-maxExt {
		return fmt.Errorf("entry %d does not fit into a record: %d bytes and %d of extensions", l.Index, len(l.Data), len(l.Extensions))
	}
	return nil
}
