package cluster

import (
	"encoding/binary"
	"errors"
	"fmt"

	"ciderd/internal/peer"
)

// Raft's messages are msgpack, which does not say how long they are: a decoder takes memory for what each byte may
// become, and for as long as more bytes arrive. So a message is first read as bytes, up to a bound and along the
// structure that Raft's messages have; what is decoded then is complete and small.

// Bounds of one message.
const (
	// maxEntriesMessage allows the most entries, each of the largest size.
	maxEntriesMessage = maxAppendEntries*(peer.MaxFrame+1024) + 64<<10
	maxOtherMessage   = 1 << 20 // a configuration is the largest thing in one
	maxFields         = 16      // of a message or an entry; there are up to ten
	maxListed         = 2 * maxAppendEntries
	// maxDepth is the depth of a value in an entry in the list in a message.
	maxDepth = 4
)

var errShape = errors.New("no message of Raft's has that shape")

// scan reads one msgpack value from in and appends it to buf.
type scan struct {
	in    *peer.Incoming
	buf   []byte
	limit int // of all bytes
}

// message reads a whole message.
func (s *scan) message() error { return s.value(1) }

func (s *scan) value(depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("%w: too deep", errShape)
	}
	if err := s.bytes(1); err != nil {
		return err
	}
	switch b := s.buf[len(s.buf)-1]; {
	case b <= 0x7f, b >= 0xe0, b == 0xc0, b == 0xc2, b == 0xc3: // small integers, nil, false, true
		return nil
	case b <= 0x8f:
		return s.fields(depth, uint64(b&0x0f))
	case b <= 0x9f:
		return s.list(depth, uint64(b&0x0f))
	case b <= 0xbf:
		return s.bytes(uint64(b & 0x1f))
	case b >= 0xca && b <= 0xd3: // floats and integers of one to eight bytes
		return s.bytes([...]uint64{4, 8, 1, 2, 4, 8, 1, 2, 4, 8}[b-0xca])
	case b >= 0xd4 && b <= 0xd8: // extensions of a fixed size, after their type
		return s.bytes(1 + 1<<(b-0xd4))
	default:
		return s.counted(depth, b)
	}
}

// counted reads a value whose size follows in separate bytes.
func (s *scan) counted(depth int, b byte) error {
	switch b {
	case 0xc4, 0xc5, 0xc6: // bytes
		return s.sized(1<<(b-0xc4), 0, s.bytes)
	case 0xc7, 0xc8, 0xc9: // extensions
		return s.sized(1<<(b-0xc7), 1, s.bytes)
	case 0xd9, 0xda, 0xdb: // text
		return s.sized(1<<(b-0xd9), 0, s.bytes)
	case 0xdc, 0xdd:
		return s.sized(2<<(b-0xdc), 0, func(n uint64) error { return s.list(depth, n) })
	case 0xde, 0xdf:
		return s.sized(2<<(b-0xde), 0, func(n uint64) error { return s.fields(depth, n) })
	}
	return fmt.Errorf("%w: byte %#x", errShape, b)
}

// sized reads a size of width bytes, and then has read read that much, and more.
func (s *scan) sized(width int, more uint64, read func(n uint64) error) error {
	if err := s.bytes(uint64(width)); err != nil {
		return err
	}
	size := [8]byte{}
	copy(size[8-width:], s.buf[len(s.buf)-width:])
	return read(binary.BigEndian.Uint64(size[:]) + more)
}

func (s *scan) bytes(n uint64) (err error) {
	if n > uint64(s.limit-len(s.buf)) {
		return fmt.Errorf("%w: longer than %d bytes", errShape, s.limit)
	}
	s.buf, err = s.in.Append(s.buf, int(n))
	return err
}

func (s *scan) fields(depth int, n uint64) error {
	if n > maxFields {
		return fmt.Errorf("%w: %d fields", errShape, n)
	}
	return s.values(depth, 2*n)
}

// list reads the entries of a message: there is no other list.
func (s *scan) list(depth int, n uint64) error {
	if n > maxListed || depth > 2 {
		return fmt.Errorf("%w: a list of %d", errShape, n)
	}
	return s.values(depth, n)
}

func (s *scan) values(depth int, n uint64) error {
	for range n {
		if err := s.value(depth + 1); err != nil {
			return err
		}
	}
	return nil
}
