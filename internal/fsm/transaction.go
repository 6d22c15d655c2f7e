package fsm

import (
	"encoding/binary"
	"fmt"
)

// The bounds of one transaction.
const (
	// MaxInExec is the most commands in a transaction, and the most conditions.
	MaxInExec = 16384
	// MaxViews is the most views that a transaction takes. After each, the next change of a table copies it.
	MaxViews = 16
)

// Transaction is what an OpExec does: its commands, if all of its conditions hold. The zero value has none of both; Watch
// and Add build one. It is kept encoded:
//
//	number of conditions, for each: key, version
//	number of commands, for each: operation, flags, fields as in a batch, without user and ONCE
type Transaction struct {
	conditions []byte
	watched    int
	commands   []byte
	count      int
	views      int
	since      byte // the highest of its commands
	grows      bool // one of its commands can make the state larger
}

// Watch adds a condition: the item of key has this version; 0: there is none.
func (t *Transaction) Watch(key []byte, version uint64) {
	t.conditions = binary.AppendUvarint(appendBytes(t.conditions, key), version)
	t.watched++
}

// Add adds a command. Its User and Once do not count: they are those of the OpExec. It must be an operation of one user's
// cache, and no OpExec (see operations); Check refuses an entry with any other, and with more than MaxInExec of them.
func (t *Transaction) Add(c *Command) {
	t.commands = c.appendFields(append(t.commands, byte(c.Op), c.Flags))
	t.count++
	t.note(c.Op)
}

// Count returns how many commands there are.
func (t *Transaction) Count() int { return t.count }

// Conditions returns how many conditions there are.
func (t *Transaction) Conditions() int { return t.watched }

// Size returns about how many bytes it takes in an entry.
func (t *Transaction) Size() int { return len(t.conditions) + len(t.commands) }

func (t *Transaction) note(op Op) {
	t.since = max(t.since, operations[op].since)
	t.grows = t.grows || operations[op].grows
	if op == OpView {
		t.views++
	}
}

func (t *Transaction) append(dst []byte) []byte {
	dst = append(binary.AppendUvarint(dst, uint64(t.watched)), t.conditions...)
	return append(binary.AppendUvarint(dst, uint64(t.count)), t.commands...)
}

// transaction reads one of an entry of that version.
func (d *decoder) transaction(version byte) *Transaction {
	t := &Transaction{watched: d.countTo(MaxInExec)}
	from := d.rest
	for i := 0; i < t.watched && !d.bad; i++ {
		d.key()
		d.uvarint()
	}
	t.conditions = from[:len(from)-len(d.rest)]
	t.count = d.countTo(MaxInExec)
	from = d.rest
	var c Command
	for i := 0; i < t.count && !d.bad; i++ {
		rest, err := c.decodeInside(d.rest, version)
		t.note(c.Op)
		d.rest, d.bad = rest, err != nil || t.views > MaxViews
	}
	t.commands = from[:len(from)-len(d.rest)]
	return t
}

// countTo reads a number of things that follow, each of at least two bytes.
func (d *decoder) countTo(limit int) int {
	n := d.uvarint()
	if n > uint64(limit) || n > uint64(len(d.rest))/2 {
		d.bad, d.rest = true, nil
		return 0
	}
	return int(n)
}

// decodeInside is decode for a command of a transaction.
func (c *Command) decodeInside(b []byte, version byte) ([]byte, error) {
	words := c.Words[:0]
	*c = Command{}
	if len(b) < 2 || !readable(Op(b[0]), version) || !operations[b[0]].inside || b[1]&flagOnce != 0 {
		return nil, fmt.Errorf("%w: operation in a transaction", errCommand)
	}
	c.Op, c.Flags, c.Words = Op(b[0]), b[1], words
	return c.decodeFields(&decoder{rest: b[2:]}, version)
}

// eachCondition calls fn with each condition until it returns false.
func (t *Transaction) eachCondition(fn func(key []byte, version uint64) bool) {
	d := decoder{rest: t.conditions}
	for range t.watched {
		if key := d.key(); !fn(key, d.uvarint()) {
			return
		}
	}
}

// eachCommand calls fn with each command, as one of user. The command is valid until fn returns.
func (t *Transaction) eachCommand(user uint64, fn func(c *Command)) {
	var c Command
	rest := t.commands
	for range t.count {
		rest, _ = c.decodeInside(rest, EntryVersion) // it was checked when it was decoded, or was made by Add
		c.User = user
		fn(&c)
	}
}
