package accounts_test

import (
	"errors"
	"testing"
	"time"

	"ciderd/internal/accounts"
	"ciderd/internal/fsm"
	"ciderd/internal/pipeline"
)

// While an account is locked no password opens it, not even one that is remembered; then the old one does again.
func TestLocked(t *testing.T) {
	w := start(t, accounts.Config{})
	var failures []accounts.Failure
	w.OnFailure(func(f accounts.Failure) { failures = append(failures, f) })
	w.signUp("alice", "secret")
	w.logsIn("alice", "secret") // it is remembered from now on
	lock := func(locked, changes bool) {
		t.Helper()
		if changed, err := w.SetLock("alice", locked); changed != changes || err != nil {
			t.Errorf("locked %v: changed %v, %v", locked, changed, err)
		}
	}
	lock(false, false)
	lock(true, true)
	lock(true, false)
	if w.logsIn("alice", "secret") || w.logsIn("alice", "wrong") {
		t.Error("a locked account opens")
	}
	c := as("alice", "x")
	c.Bare = []byte("secret")
	_, err := w.LogIn(t.Context(), c)
	wantError(t, err, accounts.ErrWrongPassword)
	for _, f := range failures {
		if f != (accounts.Failure{Addr: "192.0.2.1", Name: "alice", What: accounts.AtLogin, Locked: true}) {
			t.Errorf("told of %+v", f)
		}
	}
	if len(failures) != 3 {
		t.Errorf("told of %d failures", len(failures))
	}
	wantError(t, w.SetPassword(t.Context(), "operator", "alice", []byte(" next ")), nil)
	if w.logsIn("alice", "next") {
		t.Error("another password opens a locked account")
	}
	lock(false, true)
	if w.logsIn("alice", "secret") || !w.logsIn("alice", "next") {
		t.Error("not exactly the new password opens the account")
	}
	lock(true, true)
	wantError(t, w.Dismiss("alice"), nil)
	wantError(t, w.Dismiss("alice"), accounts.ErrGone)
	w.logsIn("nobody", "x")
	if last := failures[len(failures)-1]; last.Name != "" || last.Locked {
		t.Errorf("told of %+v: what was given for a name may be a password", last)
	}
}

// What a session has begun before the lock comes too late, and a change that is the session's own is its epoch and no
// other.
func TestALockComesBetween(t *testing.T) {
	w := start(t, accounts.Config{})
	user := w.signUp("alice", "secret")
	change, err := w.ChangePassword(t.Context(), user.ID, as("alice", "secret"), []byte("next"))
	if err != nil {
		t.Fatal(err)
	}
	for _, locked := range []bool{true, false} {
		if _, err := w.SetLock("alice", locked); err != nil {
			t.Fatal(err)
		}
		if locked {
			_, err := change.Store()
			wantError(t, err, accounts.Refusal{Kind: fsm.KindAuthFailed})
		}
	}
	epoch, err := change.Store() // unlocked, and the password is the one that was verified
	if now, _ := w.node.FSM().Lookup([]byte("alice")); err != nil || epoch == now.Epoch {
		t.Errorf("epoch %d, %v: a session outlives the lock", epoch, err)
	}
}

func TestOperatorsErrors(t *testing.T) {
	w := start(t, accounts.Config{})
	w.signUp("alice", "secret")
	set := func(name, password string) error {
		return w.SetPassword(t.Context(), "operator", name, []byte(password))
	}
	lock := func(name string) error { _, err := w.SetLock(name, true); return err }
	wantError(t, set("alice", " "), accounts.ErrBadPassword)
	wantError(t, set("alice", "a\nb"), accounts.ErrUnfitPassword)
	wantError(t, set("bob", "x"), accounts.ErrGone)
	wantError(t, w.Dismiss("bob"), accounts.ErrGone)
	wantError(t, lock("bob"), accounts.ErrGone)
	w.node.SetReads(fsm.OpLock.Since() - 1)
	wantError(t, lock("alice"), accounts.ErrUnread)
	wantError(t, set("alice", "old"), nil) // every release does that
	w.node.SetReads(fsm.EntryVersion)
	w.node.LeaderReads = fsm.OpLock.Since() - 1 // this node has not heard of the server that does not
	wantError(t, lock("alice"), accounts.ErrUnread)
	w.node.LeaderReads = 0
	w.node.Fail(pipeline.ErrTimeout)
	for _, err := range []error{set("alice", "x"), w.Dismiss("alice"), lock("alice")} {
		var unwritten *accounts.WriteError
		if !errors.As(err, &unwritten) || !errors.Is(err, pipeline.ErrTimeout) {
			t.Errorf("%v", err)
		}
	}
	w.node.Fail(nil)
	w.node.SetReady(false)
	for _, err := range []error{set("alice", "x"), w.Dismiss("alice"), lock("alice")} {
		wantError(t, err, accounts.ErrLoading)
	}
	w.node.SetReady(true)
	if !w.logsIn("alice", "old") {
		t.Error("something was done")
	}
}

// An operator's change outruns those of the user's that come between.
func TestOperatorsOutrun(t *testing.T) {
	w := start(t, accounts.Config{})
	w.signUp("alice", "secret")
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 200 {
			u, _ := w.node.FSM().Lookup([]byte("alice"))
			hash := append([]byte(nil), u.Hash...)
			hash[len(hash)-1]++
			w.node.Propose(fsm.NewGroup(fsm.Command{Op: fsm.OpPasswd, User: u.ID, Value: hash, Arg: u.Proof()}), time.Second)
		}
	}()
	err := w.SetPassword(t.Context(), "operator", "alice", []byte("next"))
	<-done
	if err != nil && !errors.Is(err, accounts.Refusal{Kind: fsm.KindAuthFailed}) {
		t.Error(err)
	}
	wantError(t, w.SetPassword(t.Context(), "operator", "alice", []byte("last")), nil)
	if !w.logsIn("alice", "last") {
		t.Error("the operator's password does not open")
	}
}

// Nobody logs in while a restore puts the user back, whatever the password.
func TestLoginsOfAUserThatIsBeingRestored(t *testing.T) {
	w := start(t, accounts.Config{})
	w.node.Propose(fsm.NewGroup(fsm.Command{Op: fsm.OpRestore, Name: []byte("alice"), Value: []byte("hash")}), 0)
	if _, err := w.LogIn(t.Context(), as("alice", "x")); !errors.Is(err, accounts.ErrRestoring) || !errors.Is(err, accounts.ErrLoading) {
		t.Errorf("%v", err)
	}
}
