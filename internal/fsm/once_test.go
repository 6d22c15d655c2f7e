package fsm

import (
	"fmt"
	"reflect"
	"testing"

	"ciderd/test/norace"
)

func incr(key string) Command { return Command{Op: OpIncr, User: 1, Key: []byte(key), N: 1} }

func TestOnceGivesTheFirstReply(t *testing.T) {
	n := withUser(t)
	n.one(10, once("i", incr("n")), Result{Kind: KindInt, N: 1})
	n.one(11, once("i", incr("n")), Result{Kind: KindInt, N: 1})
	n.one(12, once("j", incr("n")), Result{Kind: KindInt, N: 2})
	n.one(13, once("i", set("n", "another command")), Result{Kind: KindInt, N: 1})

	n.one(20, set("text", "abc"), Result{Kind: KindOK})
	n.one(21, once("bad", incr("text")), Result{Kind: KindNotANumber})
	n.one(22, set("text", "5"), Result{Kind: KindOK})
	n.one(23, once("bad", incr("text")), Result{Kind: KindNotANumber}) // though it would work by now

	got := n.do(30, once("batch", incr("n")), once("batch", incr("n")), incr("n")) // within one batch too
	if got[0] != (Result{Kind: KindInt, N: 3}) || got[1] != got[0] || got[2] != (Result{Kind: KindInt, N: 4}) {
		t.Errorf("results %v", got)
	}
	n = n.copied()
	n.one(40, once("i", incr("n")), Result{Kind: KindInt, N: 1})
	n.one(41, once("bad", incr("text")), Result{Kind: KindNotANumber})
}

func TestOnceIsOfOneUser(t *testing.T) {
	n := withUser(t)
	n.one(2, Command{Op: OpSignup, Name: []byte("bob"), Value: []byte("h")}, Result{Kind: KindUser, N: 2})
	n.one(3, once("i", set("k", "v")), Result{Kind: KindOK})
	bobs := once("i", incr("k"))
	bobs.User = 2
	n.one(4, bobs, Result{Kind: KindInt, N: 1})
	n.one(5, Command{Op: OpUnregister, User: 2, Arg: []byte("h"), Once: []byte("u")}, Result{Kind: KindOK})
	n.one(6, bobs, Result{Kind: KindSessionEnded})
}

// fill takes ids from..to, many in a batch.
func fill(n *node, stamp int64, from, to int) {
	n.tb.Helper()
	for from < to {
		var batch []Command
		for ; from < to && len(batch) < 1000; from++ {
			batch = append(batch, once(fmt.Sprint(from), incr("n")))
		}
		for i, r := range n.do(stamp, batch...) {
			if r.Kind != KindInt {
				n.tb.Fatalf("id %s: %v", batch[i].Once, r)
			}
		}
	}
}

func (n *node) remembers(id int) bool {
	_, ok := n.state.Load().users.byID[1].once.lookup(fmt.Append(nil, id))
	return ok
}

func TestOnceIsRememberedByNumberAndTime(t *testing.T) {
	n := withUser(t)
	fill(n, 10, 0, 1500)
	fill(n, 10+onceAge-1, 1500, 2000)
	if !n.remembers(0) {
		t.Error("an id younger than ten minutes was forgotten for their number")
	}
	fill(n, 10+onceAge, 2000, 2001)
	for id, want := range map[int]bool{0: false, 999: false, 1000: true, 1499: true, 2000: true} {
		if n.remembers(id) != want {
			t.Errorf("after ten minutes, id %d of 2001 is remembered: %v, want %v", id, !want, want)
		}
	}
	fill(n, 10+100*onceAge, 2001, 2002)
	for id, want := range map[int]bool{1000: false, 1001: true, 2001: true} {
		if n.remembers(id) != want {
			t.Errorf("after hours, id %d of 2002 is remembered: %v, want %v", id, !want, want)
		}
	}
	n.one(10+200*onceAge, once("1600", incr("n")), Result{Kind: KindInt, N: 1601})
	sameDump(t, "a copy", n.copied().FSM, n.FSM)
}

func TestOnceIsRefusedAtItsBound(t *testing.T) {
	norace.Alone(t)
	n := withUser(t)
	fill(n, 10, 0, onceMax)
	n.one(20, once("one more", incr("n")), Result{Kind: KindOnceFull})
	n.one(20, once("one more", incr("n")), Result{Kind: KindOnceFull})
	n.one(21, incr("n"), Result{Kind: KindInt, N: onceMax + 1}) // the refused ones were not run
	n.one(22, once("7", incr("n")), Result{Kind: KindInt, N: 8})
	n.one(9+onceAge, once("one more", incr("n")), Result{Kind: KindOnceFull})
	n.one(10+onceAge, once("one more", incr("n")), Result{Kind: KindInt, N: onceMax + 2})
	if table := n.state.Load().users.byID[1].once; len(table.order) != onceCount+1 || len(table.byID) != onceCount+1 {
		t.Errorf("%d ids in order and %d by id are left", len(table.order), len(table.byID))
	}
}

// A reply that holds values is not remembered, on whatever node; one that says that there is none is.
func TestOnceRemembersNoValues(t *testing.T) {
	get := func(key string) Command { return Command{Op: OpGetDelete, User: 1, Key: []byte(key)} }
	empty := Command{Op: OpExec, User: 1, Exec: &Transaction{}}
	n, other := withUser(t), newNode(t, "b/1")
	other.restore(persist(t, n.snapshot()))
	other.index = n.index
	both := func(commands ...Command) {
		n.do(2, commands...)
		other.feed(entry(Header{Origin: []byte(n.self), Incarnation: 1, Sequence: n.sequence, Stamp: 2}, commands...))
	}
	both(set("k", "v"), once("value", get("k")), once("none", get("k")), once("exec", empty), set("k", "w"), once("none", get("k")))
	sameDump(t, "another node", other.FSM, n.FSM)
	for id, want := range map[string]bool{"value": false, "none": true, "exec": false} {
		if _, got := n.state.Load().users.byID[1].once.lookup([]byte(id)); got != want {
			t.Errorf("%s is remembered: %v", id, got)
		}
	}
	if _, there := n.Reader(1).Keyspace().Get([]byte("k"), 2); !there {
		t.Error("what was answered was done once more")
	}
	sameDump(t, "a copy", n.copied().FSM, n.FSM)
}

// A remembered reply is in the state's hash and in the snapshot with every field that a Result has, or is to have.
func TestRememberedWithEveryField(t *testing.T) {
	fields := reflect.TypeFor[Result]()
	plain := remembered{id: "id", at: 1, result: Result{Kind: KindInt}}
	for i := range fields.NumField() {
		r := plain
		f := reflect.ValueOf(&r.result).Elem().Field(i)
		switch f.Kind() {
		case reflect.Pointer: // kinds that have details are not remembered
			continue
		case reflect.Uint8:
			f.SetUint(uint64(KindConflict))
		case reflect.Int64:
			f.SetInt(-5)
		default:
			t.Fatalf("%s is of a kind that this test does not set yet", fields.Field(i).Name)
		}
		if r.hash() == plain.hash() {
			t.Errorf("%s is not in the hash", fields.Field(i).Name)
		}
		n := withUser(t)
		n.state.Load().users.byID[1].once.remember(r)
		n.state.Load().sum += r.hash()
		back := n.copied()
		if got, ok := back.state.Load().users.byID[1].once.lookup([]byte("id")); !ok || got != r.result {
			t.Errorf("%s comes back from a snapshot as %v, %v; want %v", fields.Field(i).Name, got, ok, r.result)
		}
	}
}
