package fsm

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"testing"
)

func restoreOf(name string, version uint64, flags uint8) Command {
	return Command{Op: OpRestore, Name: []byte(name), Value: []byte("old hash"), Version: version, Flags: flags}
}

func restored(user uint64) Command { return Command{Op: OpRestored, User: user} }

func restoreID(user uint64, id string, at int64, r Result) Command {
	return Command{Op: OpRestoreOnce, User: user, Arg: []byte(id), At: at, Limit: int64(r.Kind), N: r.N}
}

// A user that is restored is another one: what sessions of the old one have under way does nothing to it, and no version
// is given twice.
func TestARestoredUserIsAnother(t *testing.T) {
	n := withUser(t)
	var told []uint64
	n.Watch(func(id uint64) { told = append(told, id) })
	n.do(5, set("k", "v"), once("id", set("gone", "v")))
	before, _ := n.Reader(1).Usage()
	had := n.Reader(1).Keyspace().Version()
	n.one(6, restoreOf("alice", 3, 0), Result{Kind: KindUserExists})
	n.one(7, restoreOf("alice", 3, FlagReplace), Result{Kind: KindUser, N: 2})
	if !slices.Equal(told, []uint64{1}) {
		t.Errorf("told of %v", told)
	}
	n.one(8, set("late", "v"), Result{Kind: KindSessionEnded})
	n.one(8, restored(1), Result{Kind: KindSessionEnded})
	u, _ := n.Lookup([]byte("alice"))
	if u.ID != 2 || !u.Restoring || u.Locked || u.Epoch != 1 || string(u.Hash) != "old hash" {
		t.Errorf("%+v", u)
	}
	n.one(8, Command{Op: OpStore, User: 2, Key: []byte("k"), Value: []byte("back"), At: 7}, Result{Kind: KindOK})
	n.one(8, Command{Op: OpStore, User: 2, Key: []byte("l"), Value: []byte("back"), At: 20}, Result{Kind: KindOK})
	ks := n.Reader(2).Keyspace()
	if item, there := ks.Get([]byte("l"), 9); !there || item.Version <= had || item.Version <= 7000 || ks.Len() != 1 {
		t.Errorf("%+v, %d items; version %d before", item, ks.Len(), had)
	}
	n.one(9, restored(2), Result{Kind: KindOK})
	n.one(9, restored(2), Result{Kind: KindExists})
	if u, _ = n.Lookup([]byte("alice")); u.Restoring {
		t.Error("it is complete, and nobody can log in")
	}
	n.one(10, restoreOf("alice", 1<<40, FlagReplace|FlagLocked), Result{Kind: KindUser, N: 3})
	if got := n.Reader(3).Keyspace().Version(); got != 1<<40 {
		t.Errorf("versions go on from %d", got)
	}
	n.one(10, restoreOf("alice", 1, 0), Result{Kind: KindUser, N: 4}) // one that was broken off is run again
	if got := n.Reader(4).Keyspace().Version(); got != 1<<40 {
		t.Errorf("after another one, versions go on from %d", got)
	}
	if after, _ := n.Reader(4).Usage(); after.Memory >= before.Memory || n.Stats().Users != 1 {
		t.Errorf("%+v; before %+v", after, before)
	}
	n.one(11, Command{Op: OpUnregister, User: 4, Arg: []byte("old hash")}, Result{Kind: KindOK})
	if empty := newState(); n.state.Load().users.sum != empty.users.sum || n.Size() != 0 || n.Shares().Memory() != 0 {
		t.Error("something is left of the account")
	}
}

// Ids of ONCE count as if they had been used here, and only a user that is being restored gets any.
func TestRestoredIDsCount(t *testing.T) {
	n := withUser(t)
	ok := Result{Kind: KindOK}
	n.one(1000, restoreID(1, "id", 5, Result{Kind: KindInt, N: 7}), Result{Kind: KindSessionEnded})
	n.one(1000, restoreOf("bob", 0, 0), Result{Kind: KindUser, N: 2})
	for _, bad := range []Kind{KindNone, KindValue, KindExec, KindView, kindEnd, 255} {
		n.one(1000, restoreID(2, "bad", 5, Result{Kind: bad}), Result{})
	}
	n.one(1000, restoreID(2, "", 5, ok), Result{})
	n.one(1000, restoreID(2, "id", 900, Result{Kind: KindInt, N: 7}), ok)
	n.one(1000, restoreID(2, "id", 900, ok), Result{Kind: KindExists})
	n.one(1000, restoreID(2, "earlier", 5, ok), ok)
	n.one(1000, restoreID(2, "later", 5000, ok), ok)
	n.one(1000, restored(2), ok)
	var at []int64
	for _, r := range n.state.Load().users.byID[2].once.order {
		at = append(at, r.at)
	}
	if !slices.Equal(at, []int64{900, 900, 1000}) {
		t.Errorf("times %v: they have to be in order, and none ahead of the log's", at)
	}
	c := once("id", set("k", "v"))
	c.User = 2
	n.one(1001, c, Result{Kind: KindInt, N: 7})
	if n.Reader(2).Keyspace().Len() != 0 {
		t.Error("a command whose id is known was run")
	}
	n.one(1001, Command{Op: OpClose, N: 1}, ok)
	n.one(1001, restoreID(2, "closed", 5, ok), Result{Kind: KindMemoryFull})
	n.one(1001, restoreOf("cid", 0, 0), Result{Kind: KindMemoryFull})
}

// What does not fit is refused before anything is changed.
func TestRestoringWithinLimits(t *testing.T) {
	n := withUser(t)
	n.do(1, set("k", "v"), Command{Op: OpReserve, User: 1, N: 1 << 20}, Command{Op: OpLimits, N: 16 << 20, Limit: 4 << 20})
	share := func(quota, reserve int64) Command {
		c := restoreOf("alice", 0, FlagReplace)
		c.N, c.Limit = quota, reserve
		return c
	}
	was := n.Dump()
	n.one(1, share(0, 4<<20), Result{Kind: KindReserved, N: part(4<<20, 15, 16)})
	n.one(1, share(64<<20, 8<<20), Result{Kind: KindReserved, N: 7 << 20})
	n.one(1, share(-1, 0), Result{})
	n.one(1, share(0, MaxLimit+1), Result{})
	n.one(1, restoreOf("alice", 1<<63, FlagReplace), Result{})
	if u, _ := n.Lookup([]byte("alice")); u.ID != 1 || n.Reader(1).Keyspace().Len() != 1 {
		t.Errorf("something was changed:\n%s\nbefore:\n%s", n.Dump(), was)
	}
	n.one(1, share(64<<20, 7<<20), Result{Kind: KindUser, N: 2})
	got, _ := n.Shares().Of(2)
	l := &n.state.Load().ledger
	if got.Quota != 64<<20 || got.OwnQuota != 64<<20 || got.Reserve != 7<<20 || l.reserves.Load() != 7<<20 || l.owners.Load() != 1 {
		t.Errorf("%+v, reserves %d, %d have quotas", got, l.reserves.Load(), l.owners.Load())
	}
}

// Snapshots hold who is being restored and the last backup, in a format that is new only while there is such a thing.
func TestSnapshotsInTheMiddleOfARestore(t *testing.T) {
	n := withUser(t)
	format := func() byte { return persist(t, n.snapshot())[len(snapshotMagic)] }
	n.one(10, Command{Op: OpBackedUp, Name: []byte("n1"), At: 0}, Result{})
	n.one(10, Command{Op: OpBackedUp, At: 10}, Result{})
	n.one(10, restoreOf("bob", 5, FlagLocked), Result{Kind: KindUser, N: 2})
	n.one(10, restoreID(2, "id", 900, Result{Kind: KindOK}), Result{Kind: KindOK})
	if got := format(); got != snapshotOperated {
		t.Errorf("format %d while a user is being restored", got)
	}
	c := n.copied()
	sameDump(t, "the copy", c.FSM, n.FSM)
	for _, of := range []*node{n, c} {
		of.one(11, restored(2), Result{Kind: KindOK})
		of.one(11, Command{Op: OpLock, User: 2}, Result{Kind: KindOK})
	}
	sameDump(t, "the copy that went on", c.FSM, n.FSM)
	if got := format(); got >= snapshotOperated {
		t.Errorf("format %d after the restore", got)
	}
	was := n.state.Load().hash()
	n.one(11, Command{Op: OpBackedUp, Name: []byte("n1"), At: 1 << 50}, Result{Kind: KindOK})
	if n.state.Load().hash() == was {
		t.Error("the state's hash does not cover the last backup")
	}
	n.one(11, Command{Op: OpBackedUp, Name: []byte("n2"), At: 11}, Result{Kind: KindExists})
	if c = n.copied(); c.Stats().Backup != (Backup{"n1", 11}) {
		t.Errorf("%+v", c.Stats().Backup)
	}
	sameDump(t, "the copy", c.FSM, n.FSM)
	good := records(t, persist(t, n.snapshot()))
	at := bytes.Index(good, []byte("\x02n1"))
	twice := slices.Insert(slices.Clone(good), at-1, good[at-1:at+4]...)
	damaged(t, n, sealed(twice), "two last backups")
	damaged(t, n, sealed([]byte{tagRestoring}), "nobody is being restored")
}

// Until every server reads them they are taken out of what enters the log.
func TestRestoresAreRefusedWhereTheyAreNotRead(t *testing.T) {
	n := withUser(t)
	n.sequence++
	h := Header{Origin: []byte(n.self), Incarnation: 1, Sequence: n.sequence}
	all := []Command{restoreOf("bob", 0, 0), restoreID(1, "id", 1, Result{Kind: KindOK}), restored(1), {Op: OpBackedUp, Name: []byte("n1"), At: 1}}
	e, err := Refuse(entry(h, all...), Refusal{Reads: version5})
	if err != nil || VersionOf(e) > version5 {
		t.Fatalf("version %d, %v", VersionOf(e), err)
	}
	n.feed(e)
	got := n.told[batchID{n.self, 1, n.sequence}].results
	if len(got) != len(all) || slices.ContainsFunc(got, func(r Result) bool { return r.Kind != KindUnread }) {
		t.Errorf("%v", got)
	}
}

// A copy is what was there when it was made, without what had expired, and may be read while the state goes on.
func TestCopies(t *testing.T) {
	n := withUser(t)
	n.one(2, restoreOf("bob", 77, FlagLocked), Result{Kind: KindUser, N: 2})
	if _, err := CopyOf(n.FSM); !errors.Is(err, ErrRestoring) {
		t.Errorf("while a user is being restored: %v", err)
	}
	n.do(3, restored(2), Command{Op: OpQuota, User: 2, N: MinQuota}, Command{Op: OpReserve, User: 2, N: 5})
	n.do(100, set("a", "1"), setFor("b", "2", 50), setFor("gone", "3", 10), once("id", set("c", "4")))
	n.one(115, Command{Op: OpClose}, Result{Kind: KindOK})
	c, err := CopyOf(n.FSM)
	if err != nil || c.Time != 115 || c.Entries != version6 {
		t.Fatalf("%+v, %v", c, err)
	}
	n.do(120, set("a", "changed"), Command{Op: OpFlush, User: 1}, Command{Op: OpUnregister, User: 1, Arg: []byte("hash")})
	users, items := map[string]CopiedUser{}, map[string]string{}
	err = c.Drain(func(u CopiedUser) error {
		users[string(u.Name)] = u
		return nil
	}, func(i CopiedItem) error {
		items[string(i.Key)] = fmt.Sprintf("%s until %d", i.Value, i.Deadline)
		return nil
	})
	if want := map[string]string{"a": "1 until 0", "b": "2 until 150", "c": "4 until 0"}; err != nil || !maps.Equal(items, want) {
		t.Errorf("%v, %v", items, err)
	}
	alice, bob := users["alice"], users["bob"]
	if len(users) != 2 || string(alice.Hash) != "hash" || alice.Version < 4 || len(alice.Replies) != 1 ||
		alice.Replies[0] != (CopiedReply{"id", 100, KindOK, 0}) {
		t.Errorf("%+v", alice)
	}
	if !bob.Locked || bob.Quota != MinQuota || bob.Reserve != 5 || bob.Version < 77 {
		t.Errorf("%+v", bob)
	}
	if err := c.Drain(nil, nil); err == nil {
		t.Error("it is read twice")
	}
	c, _ = CopyOf(n.FSM)
	if err := c.Drain(func(CopiedUser) error { return io.ErrClosedPipe }, nil); err != io.ErrClosedPipe {
		t.Errorf("a reader that fails: %v", err)
	}
}
