package fsm

import (
	"encoding/binary"
	"errors"
	"fmt"

	"ciderd/internal/cache"
)

// Command is one write as it is stored in a log entry. The operations say which fields an Op uses. Byte slices
// point into the entry that was decoded.
type Command struct {
	Op      Op
	Flags   uint8
	User    uint64 // the user's id, from SIGNUP; ids are never reused
	TTL     int64  // milliseconds; 0: no deadline
	At      int64  // the deadline itself, in Unix milliseconds; 0: there is none
	N       int64
	Version uint64
	Limit   int64
	Once    []byte // the caller's id of ONCE; nil: not wrapped
	Name    []byte
	Key     []byte
	Value   []byte
	Arg     []byte
	Words   [][]byte
	Exec    *Transaction // of OpExec, and never nil there
}

var errCommand = errors.New("malformed command")

// AppendCommand appends c in its encoding in a batch.
func AppendCommand(dst []byte, c *Command) []byte {
	flags := c.Flags
	if len(c.Once) > 0 {
		flags |= flagOnce
	}
	dst = append(dst, byte(c.Op), flags)
	dst = binary.AppendUvarint(dst, c.User)
	if len(c.Once) > 0 {
		dst = appendBytes(dst, c.Once)
	}
	return c.appendFields(dst)
}

func (c *Command) appendFields(dst []byte) []byte {
	for _, f := range operations[c.Op].fields {
		dst = c.appendField(dst, f)
	}
	return dst
}

func appendBytes(dst, b []byte) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(b))), b...)
}

// The largest fields that are accepted, in bytes. The sessions refuse far smaller ones. These are the limits of the
// cache and of the snapshot reader: no entry, whatever its source, can stop every node that applies it or lead to a
// snapshot that cannot be restored.
const (
	maxValue = 1 << 20
	maxName  = cache.MaxKeySize // of every field that is not a value
)

// decode reads one command of an entry of that version from the front of b into c and returns the rest of b. It
// reuses the memory of c.Words.
func (c *Command) decode(b []byte, version byte) ([]byte, error) {
	words := c.Words[:0]
	*c = Command{}
	if len(b) < 2 || !readable(Op(b[0]), version) || operations[b[0]].only {
		return nil, fmt.Errorf("%w: operation", errCommand)
	}
	d := decoder{rest: b[2:]}
	c.Op, c.Flags, c.Words = Op(b[0]), b[1]&^flagOnce, words
	c.User = d.uvarint()
	if b[1]&flagOnce != 0 {
		c.Once = d.name()
	}
	return c.decodeFields(&d, version)
}

// readable reports whether an entry of that version may hold an operation.
func readable(op Op, version byte) bool {
	return op > opNone && op < opEnd && operations[op].since <= version
}

func (c *Command) decodeFields(d *decoder, version byte) ([]byte, error) {
	for _, f := range operations[c.Op].fields {
		c.readField(d, f, version)
	}
	if d.bad {
		return nil, fmt.Errorf("%w: operation %d: a field is cut short or too long", errCommand, c.Op)
	}
	return d.rest, nil
}

// decoder reads fields from the front of rest; bad stays set after the first field that did not fit.
type decoder struct {
	rest []byte
	bad  bool
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.rest)
	if n <= 0 {
		d.bad, d.rest = true, nil
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.rest)
	if n <= 0 {
		d.bad, d.rest = true, nil
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

// words appends a list of names, or of alternating keys and values, to dst.
func (d *decoder) words(dst [][]byte, pairs bool) [][]byte {
	n := d.uvarint()
	for i := uint64(0); i < n && !d.bad; i++ {
		switch {
		case !pairs:
			dst = append(dst, d.name())
		case i%2 == 0:
			dst = append(dst, d.key())
		default:
			dst = append(dst, d.value())
		}
	}
	return dst
}

func (d *decoder) name() []byte  { return d.upTo(maxName) }
func (d *decoder) value() []byte { return d.upTo(maxValue) }

func (d *decoder) key() []byte {
	b := d.upTo(maxName)
	d.bad = d.bad || len(b) == 0
	return b
}

func (d *decoder) bytes() []byte { return d.upTo(uint64(len(d.rest))) }

func (d *decoder) exactly(n int) []byte {
	if n > len(d.rest) {
		d.bad, d.rest = true, nil
		return nil
	}
	b := d.rest[:n:n]
	d.rest = d.rest[n:]
	return b
}

func (d *decoder) upTo(limit uint64) []byte {
	n := d.uvarint()
	if n > limit || n > uint64(len(d.rest)) {
		d.bad, d.rest = true, nil
		return nil
	}
	return d.exactly(int(n))
}
