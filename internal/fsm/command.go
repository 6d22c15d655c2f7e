package fsm

import (
	"encoding/binary"
	"errors"
	"fmt"

	"ciderd/internal/cache"
)

// Op is what a command does. The values are in the log: append only. A release takes one that it does not
// know for a malformed command, so an entry that holds a new one says so in its version.
type Op uint8

// The operations.
const (
	opNone       Op = iota
	OpSignup        // Name, Value: bcrypt hash, Limit: limits.max_users of the node that asks (0: none)
	OpPasswd        // User, Value: new hash, Arg: the hash that the old password was verified against
	OpUnregister    // User, Arg: the hash that the password was verified against
	OpSet           // User, Key, Value, Flags, TTL
	OpDelete        // User, Words: keys
	OpIncr          // User, Key, N: delta
	OpAppend        // User, Key, Value, Limit: the largest value in bytes
	OpExpire        // User, Key, TTL
	OpPersist       // User, Key
	OpCAS           // User, Key, Value, Version
	OpMSet          // User, Words: key, value, key, value, …
	OpFlush         // User
	OpSweep         // nothing: its entry's stamp is what removes what is due
	OpGone          // Words: ids of servers that have left the configuration; their origins' rows are dropped
	OpClose         // N: 1 closes the state to whatever makes it grow, 0 opens it again
	OpRefuse        // User: stands for a command that RefuseGrowth took out; KindMemoryFull
	opEnd
)

// The flags of OpSet, and the one that marks a command wrapped in ONCE.
const (
	FlagNX   = 1 << 0
	FlagXX   = 1 << 1
	flagOnce = 1 << 7
)

// Command is one write as it stands in a log entry. Which fields an Op uses is said beside it;
// byte slices point into the entry that was decoded.
type Command struct {
	Op      Op
	Flags   uint8
	User    uint64 // the user's id, from SIGNUP; ids are never used again
	TTL     int64  // milliseconds; 0: no deadline
	N       int64
	Version uint64
	Limit   int64
	Once    []byte // the caller's id of ONCE; nil: not wrapped
	Name    []byte
	Key     []byte
	Value   []byte
	Arg     []byte
	Words   [][]byte
}

var errCommand = errors.New("malformed command")

// AppendCommand appends c as it goes into a batch.
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
	switch c.Op {
	case OpSignup:
		dst = appendBytes(appendBytes(dst, c.Name), c.Value)
		dst = binary.AppendVarint(dst, c.Limit)
	case OpPasswd:
		dst = appendBytes(appendBytes(dst, c.Value), c.Arg)
	case OpUnregister:
		dst = appendBytes(dst, c.Arg)
	case OpSet:
		dst = appendBytes(appendBytes(dst, c.Key), c.Value)
		dst = binary.AppendVarint(dst, c.TTL)
	case OpIncr:
		dst = binary.AppendVarint(appendBytes(dst, c.Key), c.N)
	case OpAppend:
		dst = appendBytes(appendBytes(dst, c.Key), c.Value)
		dst = binary.AppendVarint(dst, c.Limit)
	case OpExpire:
		dst = binary.AppendVarint(appendBytes(dst, c.Key), c.TTL)
	case OpClose:
		dst = binary.AppendVarint(dst, c.N)
	case OpPersist:
		dst = appendBytes(dst, c.Key)
	case OpCAS:
		dst = appendBytes(appendBytes(dst, c.Key), c.Value)
		dst = binary.AppendUvarint(dst, c.Version)
	case OpDelete, OpMSet, OpGone:
		dst = binary.AppendUvarint(dst, uint64(len(c.Words)))
		for _, w := range c.Words {
			dst = appendBytes(dst, w)
		}
	}
	return dst
}

func appendBytes(dst, b []byte) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(b))), b...)
}

// The largest fields that are taken, in bytes. The sessions refuse far smaller ones; these are what
// the cache and the reader of snapshots can hold, so that no entry, whoever made it, can end every
// node that applies it, or lead to a snapshot that none can restore.
const (
	maxValue = 1 << 20
	maxName  = cache.MaxKeySize // of everything that is no value
)

// decode reads one command from the front of b into c and returns what is left of b. It keeps
// c.Words' memory from call to call.
func (c *Command) decode(b []byte) ([]byte, error) {
	words := c.Words[:0]
	*c = Command{}
	if len(b) < 2 || Op(b[0]) <= opNone || Op(b[0]) >= opEnd {
		return nil, fmt.Errorf("%w: operation", errCommand)
	}
	d := decoder{rest: b[2:]}
	c.Op, c.Flags = Op(b[0]), b[1]&^flagOnce
	c.User = d.uvarint()
	if b[1]&flagOnce != 0 {
		c.Once = d.name()
	}
	switch c.Op {
	case OpSignup:
		c.Name, c.Value, c.Limit = d.name(), d.name(), d.varint()
	case OpPasswd:
		c.Value, c.Arg = d.name(), d.name()
	case OpUnregister:
		c.Arg = d.name()
	case OpSet:
		c.Key, c.Value, c.TTL = d.key(), d.value(), d.varint()
	case OpIncr:
		c.Key, c.N = d.key(), d.varint()
	case OpClose:
		c.N = d.varint()
	case OpAppend:
		c.Key, c.Value, c.Limit = d.key(), d.value(), d.varint()
	case OpExpire:
		c.Key, c.TTL = d.key(), d.varint()
	case OpPersist:
		c.Key = d.key()
	case OpCAS:
		c.Key, c.Value, c.Version = d.key(), d.value(), d.uvarint()
	case OpDelete, OpMSet, OpGone:
		words = d.words(words, c.Op == OpMSet)
	}
	c.Words = words
	if d.bad {
		return nil, fmt.Errorf("%w: operation %d: a field is cut short or too long", errCommand, c.Op)
	}
	return d.rest, nil
}

// decoder reads fields from the front of rest; bad stays set after the first that did not fit.
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

// words appends a list of names, or of keys and values in turn, to dst.
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

func (d *decoder) upTo(limit uint64) []byte {
	n := d.uvarint()
	if n > limit || n > uint64(len(d.rest)) {
		d.bad, d.rest = true, nil
		return nil
	}
	b := d.rest[:n:n]
	d.rest = d.rest[n:]
	return b
}
