package fsm

import (
	"testing"

	"ciderd/internal/cache"
)

// A draft does what the state would do, and changes nothing of it.
func TestDraftsDoWhatTheStateDoes(t *testing.T) {
	n := withUser(t)
	n.do(1, set("k", "v"), set("n", "41"))
	d := NewDraft(int64(n.state.Load().time))
	for _, key := range []string{"k", "n"} {
		it, _ := n.Reader(1).Keyspace().Get([]byte(key), 1)
		d.Load([]byte(key), it)
	}
	before, _ := d.Get([]byte("k"))
	commands := []Command{
		{Op: OpIncr, User: 1, Key: []byte("n"), N: 1}, {Op: OpAppend, User: 1, Key: []byte("k"), Value: []byte("w"), Limit: 10},
		{Op: OpStore, User: 1, Key: []byte("k"), Value: []byte("x"), Flags: FlagGet}, {Op: OpIncr, User: 1, Key: []byte("k"), N: 1},
		{Op: OpLook, User: 1, Key: []byte("k")}, {Op: OpLook, User: 1, Key: []byte("none")},
		{Op: OpMove, User: 1, Key: []byte("k"), Arg: []byte("m")}, {Op: OpGetDelete, User: 1, Key: []byte("k")},
		{Op: OpDelete, User: 1, Words: [][]byte{[]byte("n"), []byte("none")}},
		{Op: OpCAS, User: 1, Key: []byte("m"), Value: []byte("y"), Version: before.Version},
	}
	for i, want := range n.results(2, exec(commands...)) {
		got := d.Do(&commands[i])
		switch got.Kind { // the versions of a draft are its own
		case KindConflict:
			got.N = want.N
		case KindValue:
			got.Details.Item.Version = want.Details.Item.Version
		}
		if inWords(got) != inWords(want) {
			t.Errorf("command %d: %s, the state says %s", i, inWords(got), inWords(want))
		}
	}
	if after, there := d.Get([]byte("m")); !there || after.Version <= before.Version || string(after.Value) != "x" {
		t.Errorf("what was changed is %q, version %d after %d", after.Value, after.Version, before.Version)
	}
	if _, there := d.Get([]byte("k")); there {
		t.Error("what was moved is still there")
	}
	for _, op := range []Op{OpExec, OpUnregister, OpSweep, OpView} {
		if r := d.Do(&Command{Op: op, User: 1}); r.Kind != KindNone {
			t.Errorf("operation %d: %s", op, inWords(r))
		}
	}
}

// Its items have the versions of the originals until they are changed.
func TestDraftsKnowVersions(t *testing.T) {
	d := NewDraft(1000)
	d.Load([]byte("k"), cache.Item{Value: []byte("v"), Version: 77})
	d.Load([]byte("gone"), cache.Item{Value: []byte("v"), Version: 78, Deadline: 1000})
	if r := d.Do(&Command{Op: OpCAS, Key: []byte("k"), Value: []byte("w"), Version: 76}); r.Kind != KindConflict || r.N != 77 {
		t.Errorf("another version: %s", inWords(r))
	}
	if r := d.Do(&Command{Op: OpCAS, Key: []byte("k"), Value: []byte("w"), Version: 77}); r.Kind != KindOK {
		t.Errorf("this version: %s", inWords(r))
	}
	if _, there := d.Get([]byte("gone")); there {
		t.Error("what has expired is there")
	}
}
