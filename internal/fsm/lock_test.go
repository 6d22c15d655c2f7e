package fsm

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func lock(user uint64, n int64) Command { return Command{Op: OpLock, User: user, N: n} }

// A lock is a new epoch, which ends sessions; what a session of before has begun does nothing, and what an operator asks
// for names what holds now.
func TestLock(t *testing.T) {
	n := withUser(t)
	var told []uint64
	n.Watch(func(id uint64) { told = append(told, id) })
	n.one(1, lock(1, 0), Result{Kind: KindExists})
	was := n.state.Load().users.sum
	if n.InUse() != version6 {
		t.Errorf("version %d is in use", n.InUse())
	}
	n.one(1, lock(1, 1), Result{Kind: KindOK})
	if n.state.Load().users.sum == was {
		t.Error("the state's hash does not cover the lock")
	}
	u, _ := n.Lookup([]byte("alice"))
	if !u.Locked || u.Epoch != 2 || string(u.Hash) != "hash" || string(u.Proof()) != "!hash" || !slices.Equal(told, []uint64{1}) {
		t.Errorf("%+v, told %v", u, told)
	}
	n.one(1, lock(1, 5), Result{Kind: KindExists})
	for _, late := range []Command{
		{Op: OpPasswd, User: 1, Value: []byte("next"), Arg: []byte("hash")}, {Op: OpUnregister, User: 1, Arg: []byte("hash")},
	} {
		n.one(1, late, Result{Kind: KindAuthFailed})
	}
	n.one(1, Command{Op: OpPasswd, User: 1, Value: []byte("next"), Arg: []byte("!hash")}, Result{Kind: KindOK})
	if u, _ = n.Lookup([]byte("alice")); !u.Locked || u.Epoch != 3 {
		t.Errorf("after another password: %+v", u)
	}
	n.one(1, lock(1, 0), Result{Kind: KindOK})
	if u, _ = n.Lookup([]byte("alice")); u.Locked || u.Epoch != 3 || string(u.Proof()) != "next" {
		t.Errorf("unlocked: %+v", u)
	}
	n.one(1, lock(1, 1), Result{Kind: KindOK})
	n.one(1, Command{Op: OpUnregister, User: 1, Arg: []byte("!next")}, Result{Kind: KindOK})
	n.one(1, lock(1, 0), Result{Kind: KindSessionEnded})
	if empty := newState(); n.state.Load().users.sum != empty.users.sum || n.Size() != 0 {
		t.Error("something is left of the account")
	}
}

// Releases that know no locks read the snapshots as far as they can: the format is new only while somebody is locked.
func TestSnapshotsWithALockHaveTheirOwnFormat(t *testing.T) {
	n := withUser(t)
	n.one(1, register("bob"), Result{Kind: KindUser, N: 2})
	n.one(1, SetSeed(someSeed), Result{Kind: KindOK})
	format := func() byte { return persist(t, n.snapshot())[len(snapshotMagic)] }
	if got := format(); got != snapshotSeed {
		t.Errorf("format %d before a lock", got)
	}
	n.one(1, lock(2, 1), Result{Kind: KindOK})
	s := persist(t, n.snapshot())
	if s[len(snapshotMagic)] != snapshotOperated {
		t.Errorf("format %d with a lock", s[len(snapshotMagic)])
	}
	c := n.copied()
	sameDump(t, "the copy", c.FSM, n.FSM)
	if u, _ := c.Lookup([]byte("bob")); !u.Locked || u.Epoch != 2 {
		t.Errorf("%+v", u)
	}
	c.one(1, lock(2, 1), Result{Kind: KindExists})
	good := records(t, s)
	at := strings.Index(string(good), "bob")
	if lockAt := strings.IndexByte(string(good[at:]), tagLock); lockAt < 0 || string(good[at:at+3]) != "bob" {
		t.Error("the lock is not in the snapshot")
	} else {
		at += lockAt
		damaged(t, n, sealed(slices.Delete(slices.Clone(good), at, at+1)), "without its lock")
		damaged(t, n, sealed(slices.Insert(slices.Clone(good), at, tagLock)), "two locks")
	}
	damaged(t, n, sealed([]byte{tagLock}), "a lock of nobody")
	n.one(1, lock(2, 0), Result{Kind: KindOK})
	if got := format(); got != snapshotSeed {
		t.Errorf("format %d after the last lock", got)
	}
}

// Until every server reads a lock it is taken out of what enters the log.
func TestLocksAreRefusedWhereTheyAreNotRead(t *testing.T) {
	n := withUser(t)
	n.sequence++
	h := Header{Origin: []byte(n.self), Incarnation: 1, Sequence: n.sequence}
	e, err := Refuse(entry(h, lock(1, 1)), Refusal{Reads: version5})
	if err != nil || VersionOf(e) > version5 {
		t.Fatalf("version %d, %v", VersionOf(e), err)
	}
	n.feed(e)
	if got := n.told[batchID{n.self, 1, n.sequence}].results; len(got) != 1 || got[0].Kind != KindUnread {
		t.Errorf("%v", got)
	}
}

// Pages have each user once, in the order of their ids, whatever holes there are.
func TestPages(t *testing.T) {
	n := newNode(t, "a/1")
	for i := range 40 {
		n.one(1, register(fmt.Sprint("u", i)), Result{Kind: KindUser, N: int64(i + 1)})
	}
	for id := uint64(3); id < 35; id++ {
		n.one(1, Command{Op: OpUnregister, User: id, Arg: []byte("hash")}, Result{Kind: KindOK})
	}
	n.one(1, lock(2, 1), Result{Kind: KindOK})
	for _, most := range []int{1, 3, 100} {
		var ids []uint64
		for after, pages := uint64(0), 0; ; pages++ {
			page, next := n.Shares().Page(after, most)
			if len(page) > most || pages > 50 {
				t.Fatalf("%d users on a page of %d, the %dth", len(page), most, pages)
			}
			for _, p := range page {
				ids = append(ids, p.ID)
				if p.Locked != (p.ID == 2) || p.Memory == 0 || p.Name != fmt.Sprint("u", p.ID-1) {
					t.Errorf("%+v", p)
				}
			}
			if next == 0 {
				break
			}
			after = next
		}
		if want := []uint64{1, 2, 35, 36, 37, 38, 39, 40}; !slices.Equal(ids, want) {
			t.Errorf("%d at a time: %v", most, ids)
		}
	}
	if page, next := newNode(t, "b/1").Shares().Page(0, 10); len(page) != 0 || next != 0 {
		t.Errorf("of nobody: %v, %d", page, next)
	}
}
