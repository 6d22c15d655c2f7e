package daemon

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"ciderd/internal/accounts"
	"ciderd/internal/admin/api"
	"ciderd/internal/auth"
	"ciderd/internal/cluster"
	"ciderd/internal/fsm"
	"ciderd/test/nodetest"
)

// accountsAs are the accounts of a node of their own.
func accountsAs(t *testing.T, c accounts.Config) (*accounts.Accounts, *nodetest.Node) {
	t.Helper()
	hasher, err := auth.NewHasher(auth.Options{Cost: auth.MinCost})
	if err != nil {
		t.Fatal(err)
	}
	node := nodetest.New()
	return accounts.New(c, node, hasher), node
}

// operation is what an operator asks for, and is told.
type operation struct {
	prepare func() // nil: nothing
	do      func() (said string, err error)
	says    string
	refused bool // it is an api.ErrRefused; what begins with "no leader" is an api.ErrNoLeader
}

func (o *operation) check(t *testing.T, i int) {
	t.Helper()
	if o.prepare != nil {
		o.prepare()
	}
	said, err := o.do()
	if err != nil {
		said = err.Error()
	}
	if !strings.Contains(said, o.says) || errors.Is(err, api.ErrRefused) != o.refused {
		t.Errorf("step %d: %q; want %q, refused: %v", i, said, o.says, o.refused)
	}
	if errors.Is(err, api.ErrNoLeader) != strings.HasPrefix(o.says, "no leader") {
		t.Errorf("step %d: %v", i, err)
	}
}

func operatedNode(t *testing.T) (operatedUsers, *nodetest.Node) {
	t.Helper()
	a, node := accountsAs(t, accounts.Config{WriteTimeout: time.Second})
	return operatedUsers{
		accounts: a, state: node.FSM(),
		now: node.Clock().Now, sessions: func(id uint64) int { return int(id) * 10 },
	}, node
}

// What an operator is told of a lock, a password and a removal: what was done, or why not.
func TestOperatedUsers(t *testing.T) {
	u, node := operatedNode(t)
	if err := u.AddUser(t.Context(), "alice", []byte("x")); err != nil {
		t.Fatal(err)
	}
	lock := func() (string, error) { return u.LockUser("alice", true) }
	unlock := func() (string, error) { return u.LockUser("alice", false) }
	passwd := func() (string, error) { return "", u.SetPassword(t.Context(), "alice", []byte("y")) }
	remove := func() (string, error) { return u.RemoveUser("alice") }
	for i, step := range []operation{
		{nil, unlock, "alice is not locked", false},
		{nil, lock, "alice is locked: all sessions have ended", false},
		{nil, lock, "alice is locked already", false},
		{nil, passwd, "", false},
		{nil, unlock, "alice can log in again", false},
		{func() { node.SetReads(fsm.OpLock.Since() - 1) }, lock, "upgrade all of them first; the user was not locked", true},
		{func() { node.SetReads(fsm.EntryVersion); node.SetReady(false) }, passwd, "this node is catching up", true},
		{func() { node.SetReady(true); node.Fail(cluster.ErrNoLeader) }, remove, "no leader; the user was not removed", true},
		{nil, lock, "no leader; the user was not locked", true},
		{func() { node.Fail(cluster.ErrTimeout) }, passwd, "it is not known whether the password was changed", false},
		{func() { node.Fail(nil) }, remove, "removed user alice", false},
		{nil, remove, "there is no user alice", true},
		{nil, lock, "there is no user alice", true},
	} {
		step.check(t, i)
	}
}

func TestUsersAreTold(t *testing.T) {
	u, node := operatedNode(t)
	for i := range 3 {
		if err := u.AddUser(t.Context(), fmt.Sprint("u", i), []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	c := fsm.Command{Op: fsm.OpSet, User: 2, Key: []byte("k"), Value: []byte("v"), TTL: 1000}
	node.Propose(fsm.NewGroup(c), time.Second)
	if _, err := u.LockUser("u1", true); err != nil {
		t.Fatal(err)
	}
	got, err := u.User("u1")
	if err != nil || got.ID != 2 || !got.Locked || got.Keys != 1 || got.Memory == 0 || got.Guarantee != nil || got.Sessions != 20 {
		t.Errorf("%+v, %v", got, err)
	}
	node.Advance(time.Minute)
	if got, _ = u.User("u1"); got.Keys != 0 {
		t.Errorf("%d keys after the deadline", got.Keys)
	}
	if _, err := u.User("u9"); !errors.Is(err, api.ErrRefused) {
		t.Errorf("nobody: %v", err)
	}
	page := u.Users(0, 2)
	if len(page.Users) != 2 || page.Next != 2 || page.Users[1].Name != "u1" {
		t.Errorf("%+v", page)
	}
	if page = u.Users(page.Next, 2); len(page.Users) != 1 || page.Next != 0 {
		t.Errorf("%+v", page)
	}
}
