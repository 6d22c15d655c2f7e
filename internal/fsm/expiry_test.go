package fsm

import (
	"fmt"
	"math"
	"testing"
)

func (n *node) len() int { return n.Reader(1).Keyspace().Len() }

// fillWithDeadlines puts in items that are due from..from+count-1.
func fillWithDeadlines(n *node, from, count int) {
	batch := make([]Command, count)
	for i := range batch {
		batch[i] = setFor(fmt.Sprint("k", i), "v", int64(from+i)-1)
	}
	n.do(1, batch...)
}

func TestABatchRemovesABoundedNumber(t *testing.T) {
	n := withUser(t)
	fillWithDeadlines(n, 1000, 1000)
	ks := n.Reader(1).Keyspace()
	n.do(999)
	if n.len() != 1000 {
		t.Errorf("%d items left before the first deadline", n.len())
	}
	n.do(1099) // 100 are due
	if n.len() != 900 {
		t.Errorf("%d items left, want 900", n.len())
	}
	for left := 900 - expirePerBatch; left > 0; left -= expirePerBatch {
		n.do(5000)
		if n.len() != left {
			t.Errorf("%d items left, want %d", n.len(), left)
		}
		if ks.Count(5000) != 0 {
			t.Error("an item whose time has come can be counted")
		}
	}
}

func TestSweepRemovesWhatIsDue(t *testing.T) {
	n := withUser(t)
	fillWithDeadlines(n, 1000, 10_000)
	n.do(1, set("stays", "v"))
	const due = 6000 // the others come later
	now := int64(1000 + due - 1)
	n.one(now, Command{Op: OpSweep}, Result{Kind: KindInt, N: expirePerSweep})
	n.one(now, Command{Op: OpSweep}, Result{Kind: KindInt, N: due - expirePerSweep - 2*expirePerBatch})
	n.one(now, Command{Op: OpSweep}, Result{Kind: KindInt, N: 0})
	if n.len() != 10_001-due {
		t.Errorf("%d items left, want %d", n.len(), 10_001-due)
	}
	if at, ok := n.NextDeadline(); !ok || at != now+1 {
		t.Errorf("next deadline %d %v, want %d", at, ok, now+1)
	}
}

// Each is applied to an item that has expired and may not have been removed yet.
func TestCommandsOnAnExpiredItem(t *testing.T) {
	for name, c := range map[string]struct {
		cmd   Command
		want  Result
		value string // "": none
	}{
		"SET":     {set("k", "new"), Result{Kind: KindOK}, "new"},
		"SETEX":   {setFor("k", "new", 1000), Result{Kind: KindOK}, "new"},
		"SET NX":  {Command{Op: OpSet, Flags: FlagNX, User: 1, Key: []byte("k"), Value: []byte("new")}, Result{Kind: KindOK}, "new"},
		"SET XX":  {Command{Op: OpSet, Flags: FlagXX, User: 1, Key: []byte("k"), Value: []byte("new")}, Result{Kind: KindNotFound}, ""},
		"DELETE":  {Command{Op: OpDelete, User: 1, Words: words("k")}, Result{Kind: KindNotFound}, ""},
		"DELETE2": {Command{Op: OpDelete, User: 1, Words: words("k", "l")}, Result{Kind: KindInt, N: 0}, ""},
		"INCR":    {incr("k"), Result{Kind: KindInt, N: 1}, "1"},
		"APPEND":  {Command{Op: OpAppend, User: 1, Key: []byte("k"), Value: []byte("xy")}, Result{Kind: KindInt, N: 2}, "xy"},
		"EXPIRE":  {Command{Op: OpExpire, User: 1, Key: []byte("k"), TTL: 1000}, Result{Kind: KindNotFound}, ""},
		"PERSIST": {Command{Op: OpPersist, User: 1, Key: []byte("k")}, Result{Kind: KindNotFound}, ""},
		"CAS":     {Command{Op: OpCAS, User: 1, Key: []byte("k"), Value: []byte("new"), Version: 1}, Result{Kind: KindNotFound}, ""},
		"MSET":    {Command{Op: OpMSet, User: 1, Words: words("k", "new")}, Result{Kind: KindOK}, "new"},
	} {
		for _, removed := range []bool{true, false} {
			n := withUser(t)
			n.one(10, setFor("k", "41", 90), Result{Kind: KindOK})
			if !removed { // enough that are due before it take their turn first
				fillWithDeadlines(n, 50, expirePerBatch)
				n.one(10, setFor("k", "41", 900), Result{Kind: KindOK})
			}
			n.one(2000, c.cmd, c.want)
			it, ok := n.Reader(1).Keyspace().Get([]byte("k"), 2000)
			if ok != (c.value != "") || string(it.Value) != c.value {
				t.Errorf("%s (removed before: %v): %q %v, want %q", name, removed, it.Value, ok, c.value)
			}
			if left := n.len(); c.value == "" && name[:3] == "DEL" && left != 0 {
				t.Errorf("%s (removed before: %v): %d items left", name, removed, left)
			}
			if name != "SETEX" && it.Deadline != 0 {
				t.Errorf("%s (removed before: %v): the old deadline lives on", name, removed)
			}
		}
	}
}

func TestDeadlines(t *testing.T) {
	n := withUser(t)
	key := []byte("k")
	for i, c := range []struct {
		cmd  Command
		want int64
	}{
		{setFor("k", "1", 500), 600},
		{incr("k"), 600},
		{Command{Op: OpAppend, User: 1, Key: key, Value: []byte("0")}, 600},
		{Command{Op: OpExpire, User: 1, Key: key, TTL: 700}, 800},
		{set("k", "1"), 0},
		{Command{Op: OpExpire, User: 1, Key: key, TTL: math.MaxInt64}, math.MaxInt64},
		{Command{Op: OpPersist, User: 1, Key: key}, 0},
		{setFor("k", "1", 1), 101},
		{Command{Op: OpMSet, User: 1, Words: words("k", "1")}, 0},
		{setFor("k", "1", 5), 105},
		{Command{Op: OpCAS, User: 1, Key: key, Value: []byte("2"), Version: 10}, 0},
	} {
		n.do(100, c.cmd)
		it, ok := n.Reader(1).Keyspace().Get(key, 100)
		if !ok || it.Deadline != c.want || it.Version != uint64(i+1) {
			t.Errorf("command %d: deadline %d version %d %v, want %d %d", i, it.Deadline, it.Version, ok, c.want, i+1)
		}
	}
}

// Items go at the same entry on a node that was restored before their time came.
func TestExpiryOnACopy(t *testing.T) {
	n := withUser(t)
	fillWithDeadlines(n, 1000, 2000)
	c := n.copied()
	for now := int64(900); now < 4000; now += 700 {
		n.do(now, set("other", "v"))
		c.do(now, set("other", "v"))
		sameDump(t, fmt.Sprint("the copy at ", now), c.FSM, n.FSM)
	}
}
