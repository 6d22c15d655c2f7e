package fsm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// A log entry, which is also the frame that a follower forwards, byte for byte:
//
//	0      version of the format: the highest Since of the operations in it
//	1      type (1: batch, 2: eviction)
//	2..6   CRC32C of bytes 0..2 and of all from 18 on
//	6..14  the leader's stamp, Unix milliseconds, little endian
//	14..18 CRC32C of the stamp
//	18..   of a batch: origin, incarnation, sequence, number of commands, the commands
//
// The stamp has a checksum of its own because it is the one field that the leader fills in, after the origin has
// encoded and checksummed the rest. (bbolt's data pages have no checksums: this one detects a disk that returns
// other bytes than were written.)
const (
	entryBatch = 1
	stampAt    = 6
	bodyAt     = 18
)

// MaxOrigin is the longest server id in an entry, in bytes.
const MaxOrigin = 128

// Why an entry cannot be applied.
var (
	// ErrCorrupt: the entry's bytes are not those that were proposed.
	ErrCorrupt = errors.New("corrupt log entry")
	// ErrNewer: the entry was written by a later release.
	ErrNewer = errors.New("log entry of a later release")
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Header holds what an entry says about its batch.
type Header struct {
	Origin      []byte // the server id of the node that made the batch; points into the entry
	Incarnation uint64 // increases with each start of that node's process
	Sequence    uint64 // counts that process's batches from 1
	Count       int    // commands
	Stamp       int64  // Unix milliseconds; 0 until a leader has stamped it
	Version     byte   // of the entry: what its commands mean depends on this and nothing else; 0: 1
	Eviction    bool   // it is no batch: only Version and Stamp are set
}

// AppendBatch appends an entry with count commands, each encoded by AppendCommand. The commands are the
// concatenation of parts. h.Version must be at least the Since of each of their operations.
func AppendBatch(dst []byte, h Header, parts ...[]byte) []byte {
	start := len(dst)
	dst = append(dst, max(h.Version, version1), entryBatch)
	dst = append(dst, make([]byte, bodyAt-2)...)
	dst = appendBytes(dst, h.Origin)
	dst = binary.AppendUvarint(dst, h.Incarnation)
	dst = binary.AppendUvarint(dst, h.Sequence)
	dst = binary.AppendUvarint(dst, uint64(h.Count))
	for _, p := range parts {
		dst = append(dst, p...)
	}
	entry := dst[start:]
	binary.LittleEndian.PutUint32(entry[2:], checksum(entry))
	SetStamp(entry, h.Stamp)
	return dst
}

// Renumber returns an entry made by AppendBatch as another batch of its origin. It does not read the stamp, which a
// leader may be writing into entry.
func Renumber(entry []byte, incarnation, sequence uint64) []byte {
	d := decoder{rest: entry[bodyAt:]}
	h := Header{Version: entry[0], Origin: d.bytes(), Incarnation: incarnation, Sequence: sequence}
	d.uvarint() // the old incarnation and sequence
	d.uvarint()
	h.Count = int(d.uvarint())
	return AppendBatch(nil, h, d.rest)
}

// SetStamp writes the leader's time, in Unix milliseconds, into an entry.
func SetStamp(entry []byte, stamp int64) {
	binary.LittleEndian.PutUint64(entry[stampAt:], uint64(stamp))
	binary.LittleEndian.PutUint32(entry[stampAt+8:], crc32.Checksum(entry[stampAt:stampAt+8], castagnoli))
}

func checksum(entry []byte) uint32 {
	return crc32.Update(crc32.Checksum(entry[:2], castagnoli), castagnoli, entry[bodyAt:])
}

// VersionOf returns the version of an entry, unchecked.
func VersionOf(entry []byte) int {
	if len(entry) == 0 {
		return 0
	}
	return int(entry[0])
}

// ReadEntry checks an entry and returns its header and the encoded commands, which point into
// it. The error is ErrCorrupt or ErrNewer, wrapped.
func ReadEntry(entry []byte) (Header, []byte, error) {
	if len(entry) < bodyAt {
		return Header{}, nil, tooShort(entry)
	}
	if binary.LittleEndian.Uint32(entry[2:]) != checksum(entry) {
		return Header{}, nil, fmt.Errorf("%w: checksum", ErrCorrupt)
	}
	if binary.LittleEndian.Uint32(entry[stampAt+8:]) != crc32.Checksum(entry[stampAt:stampAt+8], castagnoli) {
		return Header{}, nil, fmt.Errorf("%w: checksum of the stamp", ErrCorrupt)
	}
	if entry[0] < version1 || entry[0] > EntryVersion || entry[1] != entryBatch && !isEviction(entry) {
		return Header{}, nil, fmt.Errorf("%w: version %d, type %d; this release (%s) reads up to version %d",
			ErrNewer, entry[0], entry[1], Release, EntryVersion)
	}
	if isEviction(entry) {
		return Header{Version: entry[0], Stamp: stampOf(entry), Eviction: true}, nil, nil
	}
	return readHeader(entry)
}

func tooShort(entry []byte) error { return fmt.Errorf("%w: %d bytes", ErrCorrupt, len(entry)) }

// ReadHeader returns what an entry says about its batch, without checking it. For a corrupt entry it returns any
// header, or an error.
func ReadHeader(entry []byte) (Header, error) {
	if len(entry) < bodyAt {
		return Header{}, tooShort(entry)
	}
	if entry[1] != entryBatch {
		return Header{}, fmt.Errorf("%w: it is no batch", ErrCorrupt)
	}
	h, _, err := readHeader(entry)
	return h, err
}

func readHeader(entry []byte) (Header, []byte, error) {
	d := decoder{rest: entry[bodyAt:]}
	h := Header{Version: entry[0], Origin: d.bytes(), Incarnation: d.uvarint(), Sequence: d.uvarint()}
	count := d.uvarint()
	h.Stamp = stampOf(entry)
	// A command takes at least three bytes, so a wrong count cannot make us allocate more than that allows.
	if d.bad || len(h.Origin) == 0 || len(h.Origin) > MaxOrigin || count > uint64(len(d.rest))/3 {
		return Header{}, nil, fmt.Errorf("%w: header", ErrCorrupt)
	}
	h.Count = int(count)
	return h, d.rest, nil
}
