package fsm

import (
	"fmt"
	"math"
	"testing"

	"ciderd/internal/cache"
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

// Whatever stores items, in a transaction or not, has as many of those that are due removed.
func TestExpiryKeepsUpWithWhateverStores(t *testing.T) {
	const count = 1000
	var pairs []string
	var copies, stores []Command
	for i := range count {
		pairs = append(pairs, fmt.Sprint("new", i), "v")
		copies = append(copies, move("from", fmt.Sprint("new", i), FlagCopy))
		stores = append(stores, Command{Op: OpStore, User: 1, Key: fmt.Append(nil, "new", i), Value: []byte("v")})
	}
	for name, batch := range map[string][]Command{
		"pairs": {{Op: OpMSetNX, User: 1, Words: words(pairs...)}}, "copies": copies, "stores": stores,
		"a transaction": {exec(copies...)},
	} {
		n := withUser(t)
		n.one(1, limits(Limits{}), Result{Kind: KindOK})
		n.do(1, set("from", "v"))
		fillWithDeadlines(n, 1000, 4000)
		n.do(10_000, batch...)
		if want := 1 + count + 4000 - 2*count; n.len() != want {
			t.Errorf("%s: %d items, want %d", name, n.len(), want)
		}
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

		"STORE GET":     {Command{Op: OpStore, Flags: FlagGet, User: 1, Key: []byte("k"), Value: []byte("new")}, Result{Kind: KindNil}, "new"},
		"STORE NX":      {Command{Op: OpStore, Flags: FlagNX, User: 1, Key: []byte("k"), Value: []byte("new")}, Result{Kind: KindOK}, "new"},
		"STORE XX":      {Command{Op: OpStore, Flags: FlagXX, User: 1, Key: []byte("k"), Value: []byte("new")}, Result{Kind: KindNil}, ""},
		"STORE EQUAL":   {Command{Op: OpStore, Flags: FlagEqual, User: 1, Key: []byte("k"), Value: []byte("new"), Arg: []byte("41")}, Result{Kind: KindNil}, ""},
		"STORE KEEPTTL": {Command{Op: OpStore, Flags: FlagKeepTTL, User: 1, Key: []byte("k"), Value: []byte("new")}, Result{Kind: KindOK}, "new"},
		"DEL GET":       {Command{Op: OpGetDelete, User: 1, Key: []byte("k")}, Result{Kind: KindNil}, ""},
		"DEADLINE":      {Command{Op: OpDeadline, User: 1, Key: []byte("k"), TTL: 1000}, Result{Kind: KindInt}, ""},
		"NO DEADLINE":   {Command{Op: OpDeadline, User: 1, Key: []byte("k"), Flags: FlagPersist}, Result{Kind: KindInt}, ""},
		"GETEX":         {Command{Op: OpGetExpire, User: 1, Key: []byte("k"), TTL: 1000}, Result{Kind: KindNil}, ""},
		"IFEQ":          {Command{Op: OpDeleteEqual, User: 1, Key: []byte("k"), Arg: []byte("41")}, Result{Kind: KindInt}, ""},
		"SETRANGE":      {Command{Op: OpSetRange, User: 1, Key: []byte("k"), N: 1, Value: []byte("x")}, Result{Kind: KindInt, N: 2}, "\x00x"},
		"SETRANGE OF 0": {Command{Op: OpSetRange, User: 1, Key: []byte("k"), N: 1}, Result{Kind: KindInt}, ""},
		"RENAME":        {move("k", "l", 0), Result{Kind: KindNotFound}, ""},
		"COPY":          {move("k", "l", FlagCopy), Result{Kind: KindNotFound}, ""},
		"MSETNX":        {Command{Op: OpMSetNX, User: 1, Words: words("k", "new")}, one(true), "new"},
		"EXEC":          {exec(look("k"), set("k", "new")), Result{Kind: KindExec, N: 2, Details: &Details{Results: []Result{{Kind: KindNil}, {Kind: KindOK}}}}, "new"},
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
		{Command{Op: OpStore, User: 1, Key: key, Value: []byte("3"), At: 5000}, 5000},
		{Command{Op: OpStore, User: 1, Key: key, Value: []byte("4"), Flags: FlagKeepTTL}, 5000},
		{Command{Op: OpIncrFloat, User: 1, Key: key, Value: []byte("0.5")}, 5000},
		{Command{Op: OpSetRange, User: 1, Key: key, N: 3, Value: []byte("25")}, 5000},
		{Command{Op: OpStore, User: 1, Key: key, Value: []byte("5"), TTL: 7}, 107},
		{Command{Op: OpStore, User: 1, Key: key, Value: []byte("6")}, 0},
		{Command{Op: OpGetExpire, User: 1, Key: key, TTL: 9}, 109},
		{Command{Op: OpGetExpire, User: 1, Key: key, Flags: FlagPersist}, 0},
		{Command{Op: OpGetExpire, User: 1, Key: key, At: 400, TTL: 9}, 400},
		{Command{Op: OpDeadline, User: 1, Key: key, At: 300, Flags: FlagLT}, 300},
		{Command{Op: OpDeadline, User: 1, Key: key, TTL: 800, Flags: FlagGT | FlagXX}, 900},
		{Command{Op: OpDeadline, User: 1, Key: key, Flags: FlagPersist}, 0},
		{Command{Op: OpDeadline, User: 1, Key: key, TTL: math.MaxInt64, Flags: FlagNX}, math.MaxInt64},
	} {
		n.do(100, c.cmd)
		it, ok := n.Reader(1).Keyspace().Get(key, 100)
		if !ok || it.Deadline != c.want || it.Version != uint64(i+1) {
			t.Errorf("command %d: deadline %d version %d %v, want %d %d", i, it.Deadline, it.Version, ok, c.want, i+1)
		}
	}
}

// What gives no other deadline makes no new version.
func TestNoNewVersionWithoutAChange(t *testing.T) {
	key := []byte("k")
	for name, c := range map[string]struct {
		before Command
		cmd    Command
	}{
		"a read":                   {set("k", "v"), Command{Op: OpGetExpire, User: 1, Key: key}},
		"no deadline to remove":    {set("k", "v"), Command{Op: OpDeadline, User: 1, Key: key, Flags: FlagPersist}},
		"none for a read either":   {set("k", "v"), Command{Op: OpGetExpire, User: 1, Key: key, Flags: FlagPersist}},
		"the same deadline":        {setFor("k", "v", 100), Command{Op: OpDeadline, User: 1, Key: key, At: 200}},
		"the same, read":           {setFor("k", "v", 100), Command{Op: OpGetExpire, User: 1, Key: key, TTL: 100}},
		"no later than none":       {set("k", "v"), Command{Op: OpDeadline, User: 1, Key: key, TTL: 100, Flags: FlagGT}},
		"no earlier":               {setFor("k", "v", 100), Command{Op: OpDeadline, User: 1, Key: key, TTL: 500, Flags: FlagLT}},
		"there is one":             {setFor("k", "v", 100), Command{Op: OpDeadline, User: 1, Key: key, TTL: 500, Flags: FlagNX}},
		"there is none":            {set("k", "v"), Command{Op: OpDeadline, User: 1, Key: key, TTL: 500, Flags: FlagXX}},
		"past, and not later":      {setFor("k", "v", 100), Command{Op: OpDeadline, User: 1, Key: key, TTL: -1, Flags: FlagGT}},
		"a rename to itself":       {set("k", "v"), move("k", "k", 0)},
		"nothing written":          {set("k", "v"), Command{Op: OpSetRange, User: 1, Key: key, N: 10}},
		"a condition not met":      {set("k", "v"), Command{Op: OpStore, User: 1, Key: key, Flags: FlagNX | FlagGet}},
		"another value":            {set("k", "v"), Command{Op: OpDeleteEqual, User: 1, Key: key, Arg: []byte("w")}},
		"another value for a SET":  {set("k", "v"), Command{Op: OpStore, User: 1, Key: key, Flags: FlagEqual, Arg: []byte("vv")}},
		"one of the keys is there": {set("k", "v"), Command{Op: OpMSetNX, User: 1, Words: words("a", "1", "k", "2")}},
		"no number":                {set("k", "v"), Command{Op: OpIncrFloat, User: 1, Key: key, Value: []byte("1")}},
	} {
		n := withUser(t)
		n.do(100, c.before)
		n.do(100, c.cmd)
		if it, _ := n.Reader(1).Keyspace().Get(key, 100); it.Version != 1 || n.Reader(1).Keyspace().Version() != 1 || string(it.Value) != "v" {
			t.Errorf("%s: version %d of %d, %q", name, it.Version, n.Reader(1).Keyspace().Version(), it.Value)
		}
	}
}

// A deadline that is not in the future removes the item; the reply is that of a deadline in the future.
func TestDeadlinesThatArePast(t *testing.T) {
	key := []byte("k")
	old := Result{Kind: KindValue, Details: &Details{Item: cache.Item{Value: []byte("v"), Version: 1, Deadline: 200}}}
	for i, c := range []struct {
		cmd  Command
		want Result
	}{
		{Command{Op: OpStore, User: 1, Key: key, Value: []byte("w"), At: 100}, Result{Kind: KindOK}},
		{Command{Op: OpStore, User: 1, Key: key, Value: []byte("w"), TTL: -5}, Result{Kind: KindOK}},
		{Command{Op: OpStore, User: 1, Key: key, Value: []byte("w"), At: -1, Flags: FlagGet}, old},
		{Command{Op: OpGetExpire, User: 1, Key: key, At: 99}, old},
		{Command{Op: OpDeadline, User: 1, Key: key}, one(true)},
		{Command{Op: OpDeadline, User: 1, Key: key, TTL: math.MinInt64}, one(true)},
		{Command{Op: OpDeadline, User: 1, Key: key, At: 100, Flags: FlagLT}, one(true)},
	} {
		n := withUser(t)
		n.one(100, setFor("k", "v", 100), Result{Kind: KindOK})
		n.one(100, c.cmd, c.want)
		if n.len() != 0 || n.Reader(1).Keyspace().Version() != 2 {
			t.Errorf("command %d: %d items, version %d", i, n.len(), n.Reader(1).Keyspace().Version())
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
