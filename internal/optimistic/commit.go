package optimistic

import (
	"maps"
	"slices"

	"ciderd/internal/cache"
	"ciderd/internal/fsm"
)

// command is the transaction of a try.
func (a *Attempt) command(user uint64) fsm.Command {
	c := fsm.Command{Op: fsm.OpExec, User: user, Exec: &fsm.Transaction{}}
	if a.whole {
		c.Flags, c.Version = fsm.FlagWhole, a.version
	}
	for _, key := range slices.Sorted(maps.Keys(a.read)) {
		c.Exec.Watch([]byte(key), a.read[key])
	}
	for _, key := range slices.Sorted(maps.Keys(a.written)) {
		one := fsm.Command{Op: fsm.OpDelete, Words: [][]byte{[]byte(key)}}
		if item := a.written[key]; item != nil {
			one = fsm.Command{Op: fsm.OpStore, Key: []byte(key), Value: item.Value, At: item.Deadline}
		}
		c.Exec.Add(&one)
	}
	return c
}

// holds reports whether all that was read is still there, at one time: now. A version is given out once, so what has the
// same one has not changed meanwhile. The keyspace's comes last: if that is the same, the keys were read within its time.
func (a *Attempt) holds() bool {
	keys := make([][]byte, 0, len(a.read))
	for key := range a.read {
		keys = append(keys, []byte(key))
	}
	all := true
	a.keyspace.MGet(keys, a.now, nil, func(i int, it cache.Item, _ bool) {
		all = all && it.Version == a.read[string(keys[i])]
	})
	return all && (!a.whole || a.keyspace.Version() == a.version)
}
