package accounts_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"ciderd/internal/accounts"
	"ciderd/internal/auth"
	"ciderd/internal/fsm"
	"ciderd/internal/pipeline"
	"ciderd/test/nodetest"
)

type world struct {
	*accounts.Accounts
	t    *testing.T
	node *nodetest.Node
}

func start(t *testing.T, cfg accounts.Config) *world {
	t.Helper()
	hasher, err := auth.NewHasher(auth.Options{Cost: auth.MinCost})
	if err != nil {
		t.Fatal(err)
	}
	cfg.WriteTimeout = time.Second
	node := nodetest.New()
	return &world{Accounts: accounts.New(cfg, node, hasher), t: t, node: node}
}

func as(name, password string) accounts.Credentials {
	return accounts.Credentials{Addr: "192.0.2.1", Name: name, Password: []byte(password)}
}

// signUp makes an account.
func (w *world) signUp(name, password string) fsm.User {
	w.t.Helper()
	user, err := w.SignUp(w.t.Context(), as(name, password))
	if err != nil {
		w.t.Fatal(err)
	}
	return user
}

func (w *world) logsIn(name, password string) bool {
	w.t.Helper()
	_, err := w.LogIn(w.t.Context(), as(name, password))
	if err != nil && !errors.Is(err, accounts.ErrWrongPassword) {
		w.t.Fatal(err)
	}
	return err == nil
}

func wantError(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("got %v, want %v", err, want)
	}
}

func TestLifeOfAnAccount(t *testing.T) {
	w := start(t, accounts.Config{})
	user := w.signUp("alice", "secret")
	if !w.logsIn("alice", "secret") || w.logsIn("alice", "x") || w.logsIn("bob", "secret") {
		t.Error("not exactly the right password opens")
	}
	change, err := w.ChangePassword(t.Context(), user.ID, as("alice", "secret"), []byte("next"))
	if err != nil {
		t.Fatal(err)
	}
	if epoch, err := change.Store(); err != nil || epoch != user.Epoch+1 {
		t.Errorf("epoch %d, %v", epoch, err)
	}
	// It is stored only while the old password is the one that was verified.
	if epoch, err := change.Store(); !errors.Is(err, accounts.Refusal{Kind: fsm.KindAuthFailed}) || epoch != user.Epoch {
		t.Errorf("epoch %d, %v", epoch, err)
	}
	if w.logsIn("alice", "secret") || !w.logsIn("alice", "next") {
		t.Error("the old password opens, or the new one does not")
	}
	wantError(t, w.Remove(t.Context(), user.ID, as("alice", "secret")), accounts.ErrWrongPassword)
	wantError(t, w.Remove(t.Context(), user.ID+1, as("alice", "next")), accounts.ErrGone)
	if err := w.Remove(t.Context(), user.ID, as("alice", "next")); err != nil {
		t.Error(err)
	}
	wantError(t, w.Remove(t.Context(), user.ID, as("alice", "next")), accounts.ErrGone)
	want := accounts.Stats{Made: 1, LoggedIn: 2, Wrong: 4, Changed: 1, Removed: 1}
	if got := w.Stats(); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// Clients and operators make accounts by the same rules, but for a sign-up that is closed.
func TestOperatorsAdd(t *testing.T) {
	w := start(t, accounts.Config{SignupClosed: true, MaxUsers: 1})
	_, err := w.SignUp(t.Context(), as("alice", "secret"))
	wantError(t, err, accounts.ErrClosed)
	wantError(t, w.Add(t.Context(), as("a/b", "secret")), accounts.ErrBadUsername)
	wantError(t, w.Add(t.Context(), as("alice", "a\nb")), accounts.ErrUnfitPassword)
	if err := w.Add(t.Context(), as("alice", " secret ")); err != nil {
		t.Fatal(err)
	}
	if !w.logsIn("alice", "secret") {
		t.Error("the blanks around the password count")
	}
	wantError(t, w.Add(t.Context(), as("alice", "x")), accounts.Refusal{Kind: fsm.KindUserExists})
	wantError(t, w.Add(t.Context(), as("bob", "x")), accounts.Refusal{Kind: fsm.KindSignupFull})
	w.SetConfig(accounts.Config{WriteTimeout: time.Second})
	w.signUp("bob", "x")
	if n := w.MaxUsers(); n != 0 {
		t.Errorf("at most %d users", n)
	}
}

// A node that is behind does not know all users.
func TestLoading(t *testing.T) {
	w := start(t, accounts.Config{})
	user := w.signUp("alice", "secret")
	w.node.SetReady(false)
	_, err := w.SignUp(t.Context(), as("bob", "x"))
	wantError(t, err, accounts.ErrLoading)
	wantError(t, w.Add(t.Context(), as("bob", "x")), accounts.ErrLoading)
	_, err = w.LogIn(t.Context(), as("alice", "secret"))
	wantError(t, err, accounts.ErrLoading)
	_, err = w.ChangePassword(t.Context(), user.ID, as("alice", "secret"), []byte("x"))
	wantError(t, err, accounts.ErrLoading)
}

// The write path's errors pass through, told from those of a password.
func TestWriteErrors(t *testing.T) {
	w := start(t, accounts.Config{})
	user := w.signUp("alice", "secret")
	w.node.Fail(pipeline.ErrTimeout)
	_, err := w.SignUp(t.Context(), as("bob", "x"))
	var unwritten *accounts.WriteError
	if !errors.As(err, &unwritten) || unwritten.Err != pipeline.ErrTimeout {
		t.Errorf("signing up: %v", err)
	}
	wantError(t, w.Remove(t.Context(), user.ID, as("alice", "secret")), pipeline.ErrTimeout)
	change, err := w.ChangePassword(t.Context(), user.ID, as("alice", "secret"), []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	if epoch, err := change.Store(); !errors.Is(err, pipeline.ErrTimeout) || epoch != user.Epoch {
		t.Errorf("epoch %d, %v", epoch, err)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	_, err = w.LogIn(ended, as("nobody", "x"))
	wantError(t, err, context.Canceled)
}

// Until every server reads the new command the old one makes the account: also when only the leader knows of
// one that does not.
func TestOldServers(t *testing.T) {
	w := start(t, accounts.Config{})
	w.node.SetReads(fsm.OpSignup.Since())
	w.signUp("alice", "x")
	w.node.SetReads(fsm.EntryVersion)
	w.node.LeaderReads = fsm.OpSignup.Since()
	w.signUp("bob", "x")
	if n := w.node.FSM().Stats().Users; n != 2 {
		t.Errorf("%d users", n)
	}
	if got := w.node.Sizes(); len(got) != 3 { // the second was tried twice
		t.Errorf("%d commands were proposed", len(got))
	}
}

// A quoted password that was set before there were quotes opens by its second reading, and both are one attempt.
func TestBareReading(t *testing.T) {
	w := start(t, accounts.Config{})
	w.signUp("alice", `"old"`)
	c := as("alice", "old")
	c.Bare = []byte(`"old"`)
	if _, err := w.LogIn(t.Context(), c); err != nil {
		t.Error(err)
	}
	c.Password, c.Bare = []byte(" x"), []byte(`" x"`)
	_, err := w.LogIn(t.Context(), c)
	wantError(t, err, accounts.ErrUnfitPassword)
	if n := w.Stats().Wrong; n != 1 {
		t.Errorf("%d wrong passwords", n)
	}
}
