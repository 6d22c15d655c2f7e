package fsm

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"ciderd/internal/cache"
)

// exec is a transaction of user 1.
func exec(commands ...Command) Command {
	c := Command{Op: OpExec, User: 1, Exec: &Transaction{}}
	for i := range commands {
		c.Exec.Add(&commands[i])
	}
	return c
}

func look(key string) Command { return Command{Op: OpLook, User: 1, Key: []byte(key)} }

func move(from, to string, flags uint8) Command {
	return Command{Op: OpMove, User: 1, Key: []byte(from), Arg: []byte(to), Flags: flags}
}

// results are those of the commands of a transaction that ran.
func (n *node) results(stamp int64, c Command) []Result {
	n.tb.Helper()
	r := n.do(stamp, c)[0]
	if r.Kind != KindExec || r.Details == nil || r.N != int64(c.Exec.Count()) {
		n.tb.Fatalf("the transaction gave %s", inWords(r))
	}
	return r.Details.Results
}

func TestACommandsOwnErrorUndoesNothing(t *testing.T) {
	n := withUser(t)
	got := n.results(5, exec(set("a", "text"), incr("a"), set("b", "2"), incr("b"), look("b"), look("none"), move("none", "c", 0)))
	want := []Result{{Kind: KindOK}, {Kind: KindNotANumber}, {Kind: KindOK}, {Kind: KindInt, N: 3},
		{Kind: KindValue, Details: &Details{Item: cache.Item{Value: []byte("3"), Version: 3}}}, {Kind: KindNil}, {Kind: KindNotFound}}
	if !sameResults(got, want) {
		t.Errorf("%s", inWords(Result{Details: &Details{Results: got}}))
	}
}

func TestConditionsOfATransaction(t *testing.T) {
	n := withUser(t)
	n.do(1, set("a", "1"), setFor("short", "v", 10), set("b", "1")) // versions 1 to 3
	watch := func(whole uint64, conditions ...any) Command {
		c := exec(set("done", "v"))
		if c.Version = whole; whole > 0 {
			c.Flags = FlagWhole
		}
		for i := 0; i < len(conditions); i += 2 {
			c.Exec.Watch([]byte(conditions[i].(string)), uint64(conditions[i+1].(int)))
		}
		return c
	}
	for name, c := range map[string]struct {
		at   int64
		cmd  Command
		runs bool
	}{
		"none":                            {2, watch(0), true},
		"as it was":                       {2, watch(0, "a", 1, "b", 3), true},
		"another version":                 {2, watch(0, "a", 1, "b", 2), false},
		"not there":                       {2, watch(0, "c", 0, "a", 1), true},
		"there though it should not be":   {2, watch(0, "a", 0), false},
		"not there though it should be":   {2, watch(0, "c", 1), false},
		"has a deadline":                  {2, watch(0, "short", 2), true},
		"has expired":                     {20, watch(0, "short", 2), false},
		"has expired, as it should":       {20, watch(0, "short", 0), true},
		"nothing was written":             {2, watch(3), true},
		"something was written":           {2, watch(2), false},
		"something has expired meanwhile": {20, watch(3), false},
		"both kinds":                      {2, watch(3, "a", 2), false},
	} {
		on := n.copied()
		want := Result{Kind: KindNil}
		if c.runs {
			want = Result{Kind: KindExec, N: 1, Details: &Details{Results: []Result{{Kind: KindOK}}}}
		}
		got := on.do(c.at, c.cmd)[0]
		if _, done := on.Reader(1).Keyspace().Get([]byte("done"), c.at); !sameResult(got, want) || done != c.runs {
			t.Errorf("%s: %s, done: %v", name, inWords(got), done)
		}
	}
}

// Readers see all of a transaction or nothing of it.
func TestReadersSeeWholeTransactions(t *testing.T) {
	n := withUser(t)
	n.do(1, exec(set("a", "0"), set("b", "0")))
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			ks, keys := n.Reader(1).Keyspace(), words("a", "b")
			for {
				select {
				case <-stop:
					return
				default:
				}
				var got []string
				ks.MGet(keys, 2, nil, func(_ int, it cache.Item, _ bool) { got = append(got, string(it.Value)) })
				if got[0] != got[1] {
					t.Errorf("%q", got)
					return
				}
			}
		})
	}
	for i := range 2000 {
		v := fmt.Sprint(i)
		n.do(2, exec(set("a", v), Command{Op: OpView, User: 1}, set("c", v), Command{Op: OpDelete, User: 1, Words: words("c", "d")},
			Command{Op: OpMSet, User: 1, Words: words("b", v)}, move("b", "e", 0), move("e", "b", 0)))
	}
	close(stop)
	wg.Wait()
}

// A read within a transaction is as of its place, and what it returns never changes.
func TestReadsWithinATransaction(t *testing.T) {
	n := withUser(t)
	view := Command{Op: OpView, User: 1}
	n.do(1, set("a", "0"), setFor("gone", "v", 5))
	c := exec(look("a"), view, set("a", "1"), view, look("a"), Command{Op: OpFlush, User: 1}, view, look("a"), setFor("b", "2", 100), look("b"))
	got := n.results(50, c)
	n.do(60, set("a", "later"), set("z", "later"))
	want := []string{
		`kind 22, 0 "0" version 1 deadline 0`, `kind 24, 50 version 3 "a" "0" 1 0`, "kind 1, 0", `kind 24, 50 version 4 "a" "1" 4 0`,
		`kind 22, 0 "1" version 4 deadline 0`, "kind 1, 0", "kind 24, 50 version 5", "kind 21, 0", "kind 1, 0", `kind 22, 0 "2" version 6 deadline 150`,
	}
	for i, want := range want {
		if inWords(got[i]) != want {
			t.Errorf("command %d: %s, want %s", i, inWords(got[i]), want)
		}
	}
}

// A value in a result is the cache's own bytes if it is large, and a copy if it is small.
func TestResultsShareTheItems(t *testing.T) {
	for _, size := range []int{cache.CopiedUpto, cache.CopiedUpto + 1} {
		n := withUser(t)
		n.do(1, set("k", strings.Repeat("v", size)))
		it, _ := n.Reader(1).Keyspace().Get([]byte("k"), 1)
		got := n.results(2, exec(look("k"), Command{Op: OpStore, User: 1, Key: []byte("k"), Value: []byte("new"), Flags: FlagGet},
			Command{Op: OpGetDelete, User: 1, Key: []byte("none")}))
		for i := range 2 {
			value := got[i].Details.Item.Value
			if len(value) != size || (&value[0] == &it.Value[0]) != (size > cache.CopiedUpto) {
				t.Errorf("command %d, %d bytes: the cache's own %v", i, size, &value[0] == &it.Value[0])
			}
		}
	}
}

// Other nodes do not pay for what only the one that asked will see.
func TestOnlyTheOriginHasDetails(t *testing.T) {
	n := withUser(t)
	n.do(1, set("k", "v"))
	var all Transaction
	get := Command{Op: OpStore, User: 1, Key: []byte("k"), Value: []byte("v"), Flags: FlagGet}
	for _, c := range []Command{look("k"), {Op: OpView}, get, {Op: OpGetExpire, Key: []byte("k")}} {
		all.Add(&c)
	}
	c := Command{Op: OpExec, User: 1, Exec: &all}
	state := n.state.Load()
	a := applier{state: state, account: state.users.byID[1], version: EntryVersion}
	if r := (items{&a, a.account.keyspace}).exec(&c); r.Details != nil || r.Kind != KindExec {
		t.Errorf("%s", inWords(r))
	}
	for _, c := range []Command{look("k"), {Op: OpView}, get, {Op: OpGetExpire, User: 1, Key: []byte("k")}} {
		if r := (items{&a, a.account.keyspace}).run(&c); r.Details != nil || operations[c.Op].only && r.Kind != KindNone {
			t.Errorf("operation %d: %s", c.Op, inWords(r))
		}
	}
}

func TestMalformedTransactions(t *testing.T) {
	many := func(n int, c Command) (t Transaction) {
		for range n {
			t.Add(&c)
		}
		return t
	}
	watching := func(n int) (t Transaction) {
		for range n {
			t.Watch([]byte("k"), 1)
		}
		return t
	}
	raw := func(commands ...byte) Transaction { return Transaction{commands: commands, count: 1} }
	lookAt := AppendCommand(nil, &Command{Op: OpLook, Key: []byte("k")})
	within := exec()
	for name, c := range map[string]struct {
		t    Transaction
		good bool
	}{
		"empty":                   {Transaction{}, true},
		"as many commands as may": {many(MaxInExec, incr("n")), true},
		"one more":                {many(MaxInExec+1, incr("n")), false},
		"as many conditions":      {watching(MaxInExec), true},
		"one condition more":      {watching(MaxInExec + 1), false},
		"as many views as may":    {many(MaxViews, Command{Op: OpView}), true},
		"one view more":           {many(MaxViews+1, Command{Op: OpView}), false},
		"one in another":          {many(1, within), false},
		"a sweep":                 {many(1, Command{Op: OpSweep}), false},
		"an account":              {many(1, register("bob")), false},
		"a quota":                 {many(1, Command{Op: OpQuota, N: 1}), false},
		"a refusal":               {many(1, Command{Op: OpRefuse}), false},
		"no operation":            {raw(byte(opNone), 0), false},
		"a later operation":       {raw(byte(opEnd), 0), false},
		"an id of ONCE":           {raw(byte(OpFlush), flagOnce), false},
		"a key cut short":         {raw(byte(OpLook), 0, 3, 'k'), false},
		"an empty key":            {raw(byte(OpLook), 0, 0), false},
		"a condition on no key":   {Transaction{conditions: []byte{0, 1}, watched: 1}, false},
		"more than there is":      {Transaction{commands: []byte{byte(OpFlush), 0}, count: 2}, false},
	} {
		e := entry(Header{Origin: []byte("b/1"), Incarnation: 1, Sequence: 1}, Command{Op: OpExec, User: 1, Exec: &c.t})
		if err := Check(e); (err == nil) != c.good || err != nil && !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
	e := AppendBatch(nil, Header{Version: version5, Origin: []byte("b/1"), Incarnation: 1, Sequence: 1, Count: 1}, lookAt)
	if err := Check(e); !errors.Is(err, ErrCorrupt) {
		t.Errorf("a look by itself: %v", err)
	}
}

// Two nodes that take the same entries, one of them as their origin, hold the same.
func TestTransactionsAreTheSameElsewhere(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	a, b := withUser(t), newNode(t, "b/1")
	b.restore(persist(t, a.snapshot()))
	b.index = a.index
	for i := range uint64(300) {
		c := Command{Op: OpExec, User: 1, Exec: someTransaction(r)}
		e := entry(Header{Origin: []byte("a/1"), Incarnation: 1, Sequence: a.sequence + i + 1, Stamp: int64(i)}, c)
		a.feed(e)
		b.feed(e)
	}
	sameDump(t, "another node", b.FSM, a.FSM)
	if len(a.order) != 301 || len(b.order) != 0 {
		t.Errorf("%d and %d results", len(a.order), len(b.order))
	}
}
