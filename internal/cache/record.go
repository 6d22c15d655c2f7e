package cache

import (
	"encoding/binary"
	"unsafe"

	"github.com/cespare/xxhash/v2"
)

// MaxKeySize is the largest key in bytes that a record can hold. The protocol's limit is far lower; a longer key is
// a caller's bug and panics. A value must be shorter than 4 GiB.
const MaxKeySize = 1<<15 - 1

const (
	headSize     = 14
	deadlineSize = 8
	deadlineFlag = 1 << 15
)

// A record is one item:
//
//	version uint64 | value length uint32 | key length uint16 (top bit: deadline)
//	key | value | deadline int64 (only if there is one)
//
// all little-endian on every machine, because the hash is taken over it. The
// type covers the head only; the rest follows it in the same allocation.
//
// Why unsafe: a struct of slices would be 56 bytes of header with two pointers
// for the garbage collector to follow; a []byte in the slot would be 24 bytes a
// slot and could not be replaced atomically. A pointer to the first byte is 8.
// Why it is sound: a *record always points at the start of a []byte of at least
// headSize bytes made by newRecord or inChunk, which is never written afterwards; the
// head has alignment 1; and every slice is cut from one that has exactly the
// record's length, so no pointer leaves it.
type record struct{ head [headSize]byte }

// newRecord returns a record with an allocation of its own.
func newRecord(key, value []byte, version uint64, deadline int64) *record {
	n := recordSize(key, value, deadline)
	return write(ownBytes(n), key, value, version, deadline)
}

// ownBytes returns n bytes that begin at a multiple of recordAlign. The runtime packs what is smaller than 16 bytes.
func ownBytes(n int) []byte { return make([]byte, max(n, 16))[:n:n] }

func recordSize(key, value []byte, deadline int64) int {
	if len(key) > MaxKeySize {
		panic("cache: key too long")
	}
	n := headSize + len(key) + len(value)
	if deadline != 0 {
		n += deadlineSize
	}
	return n
}

// write writes a record into bytes of its size.
func write(b, key, value []byte, version uint64, deadline int64) *record {
	n, flags := len(b), uint16(0)
	if deadline != 0 {
		flags = deadlineFlag
	}
	binary.LittleEndian.PutUint64(b, version)
	binary.LittleEndian.PutUint32(b[8:], uint32(len(value)))
	binary.LittleEndian.PutUint16(b[12:], uint16(len(key))|flags)
	copy(b[headSize:], key)
	copy(b[headSize+len(key):], value)
	if deadline != 0 {
		binary.LittleEndian.PutUint64(b[n-deadlineSize:], uint64(deadline))
	}
	return recordOf(b)
}

// recordOf returns the record whose bytes are b, which nothing else is in and which are never changed from here on.
func recordOf(b []byte) *record { return (*record)(unsafe.Pointer(unsafe.SliceData(b))) }

// layout returns the lengths of the key, the value and the deadline.
func (r *record) layout() (key, value, deadline int) {
	k := binary.LittleEndian.Uint16(r.head[12:])
	if k&deadlineFlag != 0 {
		deadline = deadlineSize
	}
	return int(k &^ deadlineFlag), int(binary.LittleEndian.Uint32(r.head[8:])), deadline
}

func (r *record) bytes() []byte {
	k, v, d := r.layout()
	return unsafe.Slice((*byte)(unsafe.Pointer(r)), headSize+k+v+d)
}

func (r *record) version() uint64 { return binary.LittleEndian.Uint64(r.head[:]) }

func (r *record) key() []byte {
	k, _, _ := r.layout()
	return r.bytes()[headSize : headSize+k : headSize+k]
}

func (r *record) value() []byte {
	k, v, _ := r.layout()
	return r.bytes()[headSize+k : headSize+k+v : headSize+k+v]
}

// deadline is in Unix milliseconds; 0: none.
func (r *record) deadline() int64 {
	if b := r.bytes(); r.head[13]&(deadlineFlag>>8) != 0 {
		return int64(binary.LittleEndian.Uint64(b[len(b)-deadlineSize:]))
	}
	return 0
}

func (r *record) hasKey(key []byte) bool { return string(r.key()) == string(key) }

// hidden reports whether the deadline has passed; a nil record is hidden.
func (r *record) hidden(now int64) bool {
	if r == nil {
		return true
	}
	d := r.deadline()
	return d != 0 && d <= now
}

// hash is the same on every node for the same key, value, version and deadline.
// The lengths are in the head, so two different items cannot have equal bytes.
func (r *record) hash() uint64 { return xxhash.Sum64(r.bytes()) }

// Item is what a reader sees of an item.
type Item struct {
	Value    []byte // part of the store: must not be modified
	Version  uint64
	Deadline int64 // Unix milliseconds; 0: none
}

// item returns r as seen at the time now; false if it is hidden.
func (r *record) item(now int64) (Item, bool) {
	if r.hidden(now) {
		return Item{}, false
	}
	return Item{Value: r.value(), Version: r.version(), Deadline: r.deadline()}, true
}
