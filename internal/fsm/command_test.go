package fsm

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"ciderd/test/norace"
)

func someBytes(r *rand.Rand, least, most int) []byte {
	b := make([]byte, least+r.IntN(most-least+1))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func someInt(r *rand.Rand) int64 {
	edges := []int64{0, 1, -1, math.MaxInt64, math.MinInt64}
	if i := r.IntN(10); i < len(edges) {
		return edges[i]
	}
	return int64(r.Uint64()) >> r.IntN(64)
}

// someCommand fills exactly the fields that the comment beside the Op names.
func someCommand(r *rand.Rand, op Op) Command {
	c := Command{Op: op, User: uint64(someInt(r)), Flags: uint8(r.IntN(4))}
	if op >= OpStore {
		c.Flags = uint8(r.IntN(64))
	}
	if r.IntN(2) == 0 {
		c.Once = someBytes(r, 1, 64)
	}
	key, value, limit := someBytes(r, 1, 200), someBytes(r, 0, 300), someInt(r)
	switch op {
	case OpSignup, OpRegister:
		c.Name, c.Value, c.Limit = someBytes(r, 1, 64), value, limit
	case OpPasswd:
		c.Value, c.Arg = value, someBytes(r, 0, 60)
	case OpUnregister:
		c.Arg = someBytes(r, 0, 60)
	case OpSet:
		c.Key, c.Value, c.TTL = key, value, someInt(r)
	case OpIncr:
		c.Key, c.N = key, someInt(r)
	case OpClose, OpQuota, OpReserve, OpLock:
		c.N = someInt(r)
	case OpRestore:
		c.Name, c.Value, c.N, c.Limit, c.Version = someBytes(r, 1, 64), value, someInt(r), limit, r.Uint64()
	case OpRestoreOnce:
		c.Arg, c.At, c.Limit, c.N = someBytes(r, 0, 64), someInt(r), limit, someInt(r)
	case OpBackedUp:
		c.Name, c.At = someBytes(r, 0, 64), someInt(r)
	case OpLimits:
		c.N, c.Limit = someInt(r), limit
	case OpAppend:
		c.Key, c.Value, c.Limit = key, value, limit
	case OpExpire:
		c.Key, c.TTL = key, someInt(r)
	case OpPersist:
		c.Key = key
	case OpCAS:
		c.Key, c.Value, c.Version = key, value, r.Uint64()
	case OpStore:
		c.Key, c.Value, c.TTL, c.At = key, value, someInt(r), someInt(r)
		if c.Flags&FlagEqual != 0 {
			c.Arg = someBytes(r, 0, 300)
		}
	case OpGetDelete, OpLook:
		c.Key = key
	case OpDeleteEqual:
		c.Key, c.Arg = key, value
	case OpGetExpire, OpDeadline:
		c.Key, c.TTL, c.At = key, someInt(r), someInt(r)
	case OpIncrFloat:
		c.Key, c.Value = key, value
	case OpSetRange:
		c.Key, c.N, c.Value, c.Limit = key, someInt(r), value, limit
	case OpMove:
		c.Key, c.Arg = key, someBytes(r, 1, 200)
	case OpSeed:
		c.Arg = someBytes(r, seedSize, seedSize)
	case OpExec:
		c.Version, c.Exec = r.Uint64(), someTransaction(r)
	case OpDelete, OpMSet, OpMSetNX, OpGone:
		for range 2 * r.IntN(20) {
			c.Words = append(c.Words, someBytes(r, 1, 30))
		}
	}
	return c
}

// someTransaction has commands of every operation that may stand in one.
func someTransaction(r *rand.Rand) *Transaction {
	t := &Transaction{}
	for range r.IntN(5) {
		t.Watch(someBytes(r, 1, 20), r.Uint64())
	}
	for range r.IntN(10) {
		if op := Op(r.IntN(int(opEnd))); operations[op].inside {
			c := someCommand(r, op)
			t.Add(&c)
		}
	}
	return t
}

// Whoever adds an operation says in its row what it is; what it does, the model and the story say again.
func TestEveryOperationHasARow(t *testing.T) {
	for op := opNone + 1; op < opEnd; op++ {
		switch since := op.Since(); {
		case since < version1 || since > EntryVersion:
			t.Errorf("operation %d is read since version %d", op, since)
		case op > opNone+1 && since < (op-1).Since():
			t.Errorf("operation %d is older than the one before it: its number was not appended", op)
		}
	}
}

func TestEveryOperationIsInTheStory(t *testing.T) {
	met, s := map[Op]bool{OpRefuse: true}, newStory(1) // a leader makes OpRefuse, see refuse_test.go
	inside := map[Op]bool{}
	for range 2000 {
		for _, c := range s.next().commands {
			met[c.Op] = true
			if c.Exec != nil {
				c.Exec.eachCommand(1, func(c *Command) { inside[c.Op] = true })
			}
		}
	}
	for op := opNone + 1; op < opEnd; op++ {
		if !met[op] && !operations[op].only {
			t.Errorf("operation %d is in no story", op)
		}
		if inside[op] != operations[op].inside {
			t.Errorf("operation %d is in a transaction of the story: %v", op, inside[op])
		}
	}
}

// An operation in an entry of a version that does not have it is what it is to the releases that read no more
// than that version: a malformed command, which ends its batch.
func TestOperationsBeforeTheirTime(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for op := opNone + 1; op < opEnd; op++ {
		c := someCommand(r, op)
		for version := byte(version1); version <= EntryVersion; version++ {
			var got Command
			_, err := got.decode(AppendCommand(nil, &c), version)
			if reads := int(version) >= op.Since() && !operations[op].only; reads != (err == nil) {
				t.Errorf("operation %d in an entry of version %d: error %v", op, version, err)
			}
		}
	}
}

// A transaction needs what the latest of its commands needs, also for whoever asks what all servers read.
func TestATransactionIsAsNewAsItsCommands(t *testing.T) {
	c := Command{Op: OpExec, User: 1, Exec: &Transaction{since: EntryVersion + 1}}
	if g := NewGroup(c); c.Since() != EntryVersion+1 || g.Version != EntryVersion+1 {
		t.Errorf("version %d, its group %d", c.Since(), g.Version)
	}
	if _, refused := (Refusal{Reads: EntryVersion}).why(&c); !refused {
		t.Error("servers that do not read it are sent it")
	}
}

// same compares what two commands mean: nil and empty are one.
func same(a, b *Command) bool { return meaning(a) == meaning(b) }

func meaning(c *Command) string {
	exec := ""
	if c.Exec != nil {
		exec = fmt.Sprintf("%d %q %d %q %d %d %v", c.Exec.watched, c.Exec.conditions, c.Exec.count, c.Exec.commands, c.Exec.views, c.Exec.since, c.Exec.grows)
	}
	return fmt.Sprintf("%d %d %d %d %d %d %d %d once %q name %q key %q value %q arg %q words %q exec %s", c.Op, c.Flags&^flagOnce,
		c.User, c.TTL, c.At, c.N, c.Version, c.Limit, c.Once, c.Name, c.Key, c.Value, c.Arg, c.Words, exec)
}

func TestCommandRoundTrip(t *testing.T) {
	norace.Alone(t)
	r := rand.New(rand.NewPCG(1, 2))
	var got Command // one for all, as in Apply: nothing may be left over from the last
	for op := opNone + 1; op < opEnd; op++ {
		for range 200 {
			if operations[op].only { // those of transactions have it
				continue
			}
			want := someCommand(r, op)
			b := AppendCommand([]byte("before"), &want)
			rest, err := got.decode(append(b, "behind"...)[len("before"):], EntryVersion)
			if err != nil {
				t.Fatalf("operation %d: %v", op, err)
			}
			if !same(&got, &want) || string(rest) != "behind" {
				t.Fatalf("%s\nbecame\n%s\nwith %q behind it", meaning(&want), meaning(&got), rest)
			}
		}
	}
}

// A field that is added to Command must be added to the codec, and to the comparison above.
func TestCommandFieldsAreKnown(t *testing.T) {
	if n := reflect.TypeFor[Command]().NumField(); n != 15 {
		t.Errorf("Command has %d fields, and this package's tests compare 15: extend meaning and someCommand", n)
	}
}

func TestCommandCutShort(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for op := opNone + 1; op < opEnd; op++ {
		want := someCommand(r, op)
		b := AppendCommand(nil, &want)
		for n := range b { // of those for transactions only, all of it too
			var c Command
			if _, err := c.decode(b[:n], EntryVersion); !errors.Is(err, errCommand) {
				t.Fatalf("operation %d, %d of %d bytes: error %v", op, n, len(b), err)
			}
		}
	}
}

func TestCommandRefused(t *testing.T) {
	long, big := strings.Repeat("k", maxName+1), strings.Repeat("v", maxValue+1)
	for name, c := range map[string]Command{
		"no operation":        {Op: opNone},
		"unknown operation":   {Op: opEnd},
		"empty key":           {Op: OpSet, Value: []byte("v")},
		"long key":            {Op: OpSet, Key: []byte(long)},
		"large value":         {Op: OpSet, Key: []byte("k"), Value: []byte(big)},
		"empty key of MSET":   {Op: OpMSet, Words: words("k", "v", "", "v")},
		"long key of MSET":    {Op: OpMSet, Words: words(long, "v")},
		"large value of MSET": {Op: OpMSet, Words: words("k", big)},
		"long name":           {Op: OpSignup, Name: []byte(long)},
		"long id of ONCE":     {Op: OpFlush, Once: []byte(long)},
	} {
		var got Command
		if _, err := got.decode(AppendCommand(nil, &c), EntryVersion); !errors.Is(err, errCommand) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	var c Command
	largest := Command{Op: OpSet, Key: []byte(long[1:]), Value: []byte(big[1:])}
	if _, err := c.decode(AppendCommand(nil, &largest), EntryVersion); err != nil {
		t.Errorf("the largest that can be: %v", err)
	}
}

func FuzzCommand(f *testing.F) {
	r := rand.New(rand.NewPCG(5, 6))
	for op := opNone + 1; op < opEnd; op++ {
		c := someCommand(r, op)
		f.Add(AppendCommand(nil, &c))
	}
	f.Add([]byte{byte(OpMSet), 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Add([]byte{byte(OpSet), flagOnce, 0, 0, 1, 'k', 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		var c, again Command
		rest, err := c.decode(b, EntryVersion)
		if err != nil {
			return
		}
		if !bytes.HasSuffix(b, rest) {
			t.Fatalf("%q is not the end of %q", rest, b)
		}
		if tail, err := again.decode(AppendCommand(nil, &c), EntryVersion); err != nil || len(tail) > 0 {
			t.Fatalf("decoded once, not twice: %v, %d bytes behind it", err, len(tail))
		}
		if !same(&c, &again) {
			t.Fatalf("%s\nbecame\n%s", meaning(&c), meaning(&again))
		}
	})
}
