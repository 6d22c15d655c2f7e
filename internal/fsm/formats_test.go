package fsm

import (
	"bytes"
	"strings"
	"testing"
)

func register(name string) Command {
	return Command{Op: OpRegister, Name: []byte(name), Value: []byte("hash")}
}

// As long as nothing is used that the release before does not read, it reads the snapshots: the way back is
// open. Then they are of a format that it refuses, saying what to install.
func TestSnapshotsAreAsOldAsCanBe(t *testing.T) {
	n := withUser(t)
	n.one(2, set("k", "v"), Result{Kind: KindOK})
	if s := persist(t, n.snapshot()); s[len(snapshotMagic)] != snapshotFirst {
		t.Errorf("a snapshot of format %d, and nothing new was used", s[len(snapshotMagic)])
	}
	if used := n.copied().InUse(); used != version2 {
		t.Errorf("restored: version %d is in use", used)
	}
	n.one(3, register("bob"), Result{Kind: KindUser, N: 2})
	if s := persist(t, n.snapshot()); s[len(snapshotMagic)] != snapshotEntries {
		t.Errorf("a snapshot of format %d, which the release before would misread", s[len(snapshotMagic)])
	}
	c := n.copied()
	if used := c.InUse(); used != version3 {
		t.Errorf("restored: version %d is in use", used)
	}
	n.one(4, Command{Op: OpQuota, User: 1, N: MinQuota}, Result{Kind: KindOK})
	if s := persist(t, n.snapshot()); s[len(snapshotMagic)] != snapshotLimits {
		t.Errorf("a snapshot of format %d, and there is a quota", s[len(snapshotMagic)])
	}
	if c = n.copied(); c.InUse() != version4 {
		t.Errorf("restored: version %d is in use", c.InUse())
	}
	sameDump(t, "the copy", c.FSM, n.FSM)
}

// A state that has held an entry of a later version is refused, though its records look as they always did.
func TestSnapshotsOfLaterEntriesAreRefused(t *testing.T) {
	n := withUser(t)
	n.one(2, once("id", Command{Op: OpGetDelete, User: 1, Key: []byte("k")}), Result{Kind: KindNil})
	s := persist(t, n.snapshot())
	if s[len(snapshotMagic)] != snapshotLimits || n.copied().InUse() != version5 {
		t.Errorf("a snapshot of format %d, version %d in use", s[len(snapshotMagic)], n.copied().InUse())
	}
	body := records(t, s)
	at := bytes.Index(body, []byte{tagEntries, version5})
	if at < 0 {
		t.Fatal("the version of its entries is not in the snapshot")
	}
	body[at+1] = EntryVersion + 1 // to that release, what this one is to those before it
	damaged(t, n, sealed(body), "entries of a later version")
}

// An entry that is skipped is in the log all the same: who cannot read it must not be let in.
func TestSkippedEntriesCount(t *testing.T) {
	n := withUser(t)
	n.feed(entry(Header{Origin: []byte("b/1"), Incarnation: 1, Sequence: 7}, register("bob")))
	if n.InUse() != version3 || n.Stats().Users != 1 {
		t.Errorf("version %d in use, %d users", n.InUse(), n.Stats().Users)
	}
	sameDump(t, "the copy", n.copied().FSM, n.FSM)
}

// A name that is used again has a keyspace whose versions are behind all that the old one has given out.
func TestVersionsGoOnOverAccounts(t *testing.T) {
	n := newNode(t, "a/1")
	n.one(1_700_000_000_000, register("alice"), Result{Kind: KindUser, N: 1})
	for i := range 50 {
		n.one(1_700_000_000_000+int64(i), set("k", "v"), Result{Kind: KindOK})
	}
	old, _ := n.Reader(1).Keyspace().Get([]byte("k"), 0)
	n.one(1_700_000_000_050, Command{Op: OpUnregister, User: 1, Arg: []byte("hash")}, Result{Kind: KindOK})
	n.one(1_700_000_000_051, register("alice"), Result{Kind: KindUser, N: 2})
	again := Command{Op: OpSet, User: 2, Key: []byte("k"), Value: []byte("w")}
	n.one(1_700_000_000_052, again, Result{Kind: KindOK})
	item, _ := n.Reader(2).Keyspace().Get([]byte("k"), 0)
	if item.Version <= old.Version || item.Version != 1_700_000_000_051_001 {
		t.Errorf("version %d after %d", item.Version, old.Version)
	}
	n.one(1_700_000_000_053, Command{Op: OpCAS, User: 2, Key: []byte("k"), Version: old.Version, Value: []byte("x")},
		Result{Kind: KindConflict, N: int64(item.Version)})
}

// Size counts all that a snapshot holds, and goes back to what it was when that goes.
func TestSize(t *testing.T) {
	n := withUser(t)
	before := n.Size()
	n.do(2, set("k", ""))
	for _, step := range []struct {
		what  string
		do    Command
		bytes int64
	}{
		{"a deadline", setFor("k", "", 1000), deadlineBytes},
		{"an id of ONCE", once(strings.Repeat("i", 60), Command{Op: OpPersist, User: 1, Key: []byte("none")}), 60 + onceBytes},
		{"an account", register(strings.Repeat("n", 60)), 60 + int64(len("hash")) + accountBytes},
	} {
		was := n.Size()
		n.do(2, step.do)
		if got := n.Size() - was; got != step.bytes {
			t.Errorf("%s: %d bytes, want %d", step.what, got, step.bytes)
		}
		if c := n.copied(); c.Size() != n.Size() {
			t.Errorf("%s: restored, it is %d bytes and not %d", step.what, c.Size(), n.Size())
		}
	}
	n.do(3, Command{Op: OpUnregister, User: 2, Arg: []byte("hash")}, Command{Op: OpUnregister, User: 1, Arg: []byte("hash")})
	if left := n.Size(); left != 0 || before == 0 {
		t.Errorf("%d bytes of nothing, %d of a user", left, before)
	}
}

// A value that cannot be a number costs INCR nothing, however long it is.
func TestIncrOfALargeValue(t *testing.T) {
	n := withUser(t)
	n.one(2, set("k", strings.Repeat("1", maxValue)), Result{Kind: KindOK})
	incr := Command{Op: OpIncr, User: 1, Key: []byte("k"), N: 1}
	n.one(3, incr, Result{Kind: KindNotANumber})
	item, _ := n.Reader(1).Keyspace().Get([]byte("k"), 0)
	if got := testing.AllocsPerRun(100, func() { parseInteger(item.Value) }); got != 0 {
		t.Errorf("%v allocations for a value that is no number", got)
	}
}
