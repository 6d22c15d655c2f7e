package fsm

import (
	"bytes"
	"testing"
)

// A session can tell what a command will copy by what it sees.
func TestWorkByWhatASessionSees(t *testing.T) {
	large := bytes.Repeat([]byte("v"), 100_000)
	seen := map[string][]byte{"large": large, "small": []byte("v"), "number": []byte("12.5"), "huge": []byte("1e4900")}
	key := func(op Op, key string) Command { return Command{Op: op, Key: []byte(key), Arg: []byte("to"), TTL: 5} }
	persist, read := key(OpGetExpire, "large"), key(OpGetExpire, "large")
	persist.TTL, persist.Flags, read.TTL = 0, FlagPersist, 0
	write := Command{Op: OpSetRange, Key: []byte("small"), N: 50_000, Value: []byte("x")}
	one, huge := key(OpIncrFloat, "number"), key(OpIncrFloat, "huge")
	one.Value, huge.Value = []byte("1"), []byte("1")
	appends := Command{Op: OpAppend, Key: []byte("to"), Value: []byte("x")}
	for name, c := range map[string]struct {
		cmd         Command
		least, most int
	}{
		"a store":               {set("large", "v"), 0, 0},
		"a removal":             {key(OpGetDelete, "large"), 0, 0},
		"a deadline":            {key(OpDeadline, "large"), 100_000, 100_000},
		"none any more":         {persist, 100_000, 100_000},
		"a read":                {read, 0, 0},
		"of what is small":      {key(OpDeadline, "small"), 1, 1},
		"of what is not there":  {key(OpDeadline, "none"), 0, 0},
		"a copy":                {key(OpMove, "large"), 100_000, 100_000},
		"a range":               {write, 50_001, 50_001},
		"a sum":                 {one, 1, 1000},
		"a sum of huge numbers": {huge, 50_000, 500_000},
		"a transaction":         {exec(key(OpMove, "large"), appends, appends, read), 300_001, 300_001},
		"a value of its own":    {exec(set("small", string(large)), key(OpDeadline, "small"), key(OpGetDelete, "small"), key(OpDeadline, "small")), 100_000, 100_000},
	} {
		if got := c.cmd.Work(func(key []byte) []byte { return seen[string(key)] }); got < c.least || got > c.most {
			t.Errorf("%s: %d bytes, want %d to %d", name, got, c.least, c.most)
		}
	}
}
