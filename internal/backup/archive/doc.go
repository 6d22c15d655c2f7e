// Package archive owns the format of a backup's file: how it is written to a stream, and read back from one.
//
// It promises that a file which is damaged, cut short or of no backup at all is never taken for a whole one, and that
// neither writing nor reading takes memory in proportion to the file. It never knows a cluster, a log or a disk.
//
// A file is a head, chunks, and a checksum over all:
//
//	head      "CIDERBAK", the format (one byte), the release that wrote it (length, text), CRC32C of these; the same in
//	          all future formats, so that any release can say what to install
//	chunk     length and CRC32C (four bytes each, little endian), and that many bytes of S2; a length of 0 ends them
//	checksum  SHA-256 of all that comes before it, and nothing after it
//
// A chunk holds whole records, each behind its tag; numbers are varints, and texts have their length before them:
//
//	H  cluster, node, the instant (Unix milliseconds), the version of log entries that its replies are of
//	U  name, hash, 1 if locked, quota, reserve, version counter
//	R  of the preceding user: id of ONCE, when (Unix milliseconds), kind, number
//	I  of the preceding user: key, value, deadline (Unix milliseconds; 0: none)
//	E  how many users, ids, items and bytes of keys and values there were
package archive

import (
	"errors"
	"hash/crc32"
)

const (
	magic = "CIDERBAK"
	// format is the one that is written, and the latest that is read.
	format = 1

	tagHead  = 'H'
	tagUser  = 'U'
	tagReply = 'R'
	tagItem  = 'I'
	tagEnd   = 'E'
)

// The largest fields, in bytes. They are those of the log.
const (
	maxRelease = 100
	maxText    = 1 << 10
	maxName    = 1<<15 - 1
	maxKey     = 1<<15 - 1
	maxValue   = 1 << 20
)

var (
	// ErrDamaged means that the file is not what was written, or not all of it.
	ErrDamaged = errors.New("damaged backup")
	// ErrForeign means that it was never a backup.
	ErrForeign = errors.New("this is no backup of ciderd")
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Head says what a backup is of.
type Head struct {
	Release string // that wrote it
	Format  int
	Cluster string
	Node    string // that it was made on
	Time    int64  // the instant, in Unix milliseconds of the cluster's clock
	Entries int    // the version of log entries that a node must know to restore it
}

// User is an account. Its ids of ONCE and its items follow it.
type User struct {
	Name, Hash     []byte
	Locked         bool
	Quota, Reserve int64  // bytes; 0: none of its own
	Version        uint64 // the highest that its items have had
}

// Reply is an id of ONCE with the reply to it.
type Reply struct {
	ID   []byte
	At   int64 // Unix milliseconds
	Kind uint8 // as results are numbered in the log
	N    int64
}

// Item is an item.
type Item struct {
	Key, Value []byte
	Deadline   int64 // Unix milliseconds; 0: none
}

// Totals are how much there is.
type Totals struct {
	Users, Replies, Items int64
	Bytes                 int64 // of keys and values
}
