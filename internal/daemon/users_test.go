package daemon

import (
	"errors"
	"strings"
	"testing"
	"time"

	"ciderd/internal/accounts"
	"ciderd/internal/admin/api"
	"ciderd/internal/cluster"
)

// What an operator is told: whether anything was done, and why not.
func TestAddUser(t *testing.T) {
	a, node := accountsAs(t, accounts.Config{MaxUsers: 1, SignupClosed: true, WriteTimeout: time.Second})
	add := func(name, password string) error {
		return (operatedUsers{accounts: a}).AddUser(t.Context(), name, []byte(password))
	}
	if err := add("alice", " secret "); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		prepare        func()
		name, password string
		refused        bool
		says           string
	}{
		{nil, "a/b", "x", true, "bad user name"},
		{nil, "bob", "", true, "bad password"},
		{nil, "alice", "x", true, "there is a user alice already"},
		{nil, "bob", "x", true, "there are limits.max_users users already"},
		{func() { node.SetReady(false) }, "bob", "x", true, "this node is catching up; try again, or on another node"},
		{func() { node.SetReady(true); node.Fail(cluster.ErrTimeout) }, "bob", "x", false, "it is not known whether the user was added"},
		{func() { node.Fail(cluster.ErrNoLeader) }, "bob", "x", true, "no leader; the user was not added"},
	} {
		if step.prepare != nil {
			step.prepare()
		}
		err := add(step.name, step.password)
		if err == nil || errors.Is(err, api.ErrRefused) != step.refused || !strings.Contains(err.Error(), step.says) {
			t.Errorf("%s: %v; want %q, refused: %v", step.name, err, step.says, step.refused)
		}
	}
}
