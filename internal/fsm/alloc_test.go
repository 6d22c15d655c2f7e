package fsm

import (
	"fmt"
	"testing"

	"github.com/hashicorp/raft"
)

// Applying is what all writes of the cluster go through one by one. A SET in place of another costs
// its record and no more; so do INCR and APPEND.
func TestAllocations(t *testing.T) {
	const commands = 256
	for name, c := range map[string]struct {
		make   func(i int) Command
		budget float64 // for each command
	}{
		"SET":   {func(i int) Command { return set(fmt.Sprint("k", i%50), "a value of some length") }, 1},
		"INCR":  {func(i int) Command { return incr(fmt.Sprint("n", i%50)) }, 1},
		"SETEX": {func(i int) Command { return setFor(fmt.Sprint("k", i%50), "a value", 60_000) }, 1.5},
		"SETNX": {func(i int) Command {
			return Command{Op: OpSet, Flags: FlagNX, User: 1, Key: []byte("k0"), Value: []byte("v")}
		}, 0},
		// Of a batch of another node: what is returned is not told here.
		"SET of Redis": {func(i int) Command {
			return Command{Op: OpStore, User: 1, Key: fmt.Append(nil, "k", i%50), Value: []byte("a value of some length"), Flags: FlagGet}
		}, 1},
		"SET IFEQ": {func(int) Command {
			return Command{Op: OpStore, Flags: FlagEqual, User: 1, Key: []byte("k0"), Arg: []byte("w")}
		}, 0},
		"GETEX": {func(int) Command { return Command{Op: OpGetExpire, User: 1, Key: []byte("k0")} }, 0},
		"SETRANGE": {func(int) Command {
			return Command{Op: OpSetRange, User: 1, Key: []byte("k0"), Value: []byte("w"), N: 100}
		}, 1},
		"COPY":            {func(int) Command { return move("k0", "k1", FlagCopy) }, 1},
		"EXEC of 5 reads": {func(int) Command { return exec(look("k0"), look("k1"), look("k2"), look("k3"), look("k4")) }, 3},
	} {
		n := withUser(t)
		n.do(1, set("k0", "v"))
		var batch []Command
		for i := range commands {
			batch = append(batch, c.make(i))
		}
		logs := []*raft.Log{{Term: 1, Type: raft.LogCommand}}
		sequence := uint64(0)
		// Encoding is not what is counted, so it is done before.
		var entries [][]byte
		for range 60 {
			sequence++
			entries = append(entries, entry(Header{Origin: []byte("b/2"), Incarnation: 1, Sequence: sequence, Stamp: int64(sequence)}, batch...))
		}
		next := 0
		apply := func() {
			logs[0].Index, logs[0].Data = uint64(100+next), entries[next]
			next++
			n.ApplyBatch(logs)
		}
		apply()
		const forTheBatch = 8 // results, responses and the like
		if got := testing.AllocsPerRun(50, apply); got > commands*c.budget+forTheBatch {
			t.Errorf("%s: %.1f allocations for a batch of %d, want %.0f and up to %d for the batch", name, got, commands, commands*c.budget, forTheBatch)
		}
		if v := n.Reader(1).Keyspace().Version(); name == "SET" && v != 1+52*commands {
			t.Errorf("version %d: the batches were not applied", v)
		}
	}
}
