package accounts

import (
	"bytes"
	"context"

	"ciderd/internal/auth"
	"ciderd/internal/fsm"
)

// What operators do with accounts, whose passwords they do not know. It holds on every node. Errors of all: ErrLoading,
// ErrGone (there is no such user), a Refusal, a *WriteError.

// SetPassword gives the user a new password, which ends all its sessions; a locked account stays locked. Blanks around
// the password are taken off, as clients' are. addr stands for the operator in the queue for bcrypt. More errors: auth's,
// the cause of ctx's end.
func (a *Accounts) SetPassword(ctx context.Context, addr, name string, password []byte) error {
	password = bytes.Trim(password, " \t")
	if err := auth.ValidNewPassword(password); err != nil {
		return err
	}
	if _, err := a.named(name); err != nil { // before it is hashed
		return err
	}
	hash, err := a.hasher.Hash(ctx, addr, password)
	if err != nil {
		return err
	}
	err = a.proved(name, func(u fsm.User) fsm.Command {
		return fsm.Command{Op: fsm.OpPasswd, User: u.ID, Value: hash, Arg: u.Proof()}
	})
	if err == nil {
		a.counts.changed.Add(1)
	}
	return err
}

// Dismiss removes the account, and all that it has stored, whatever its password.
func (a *Accounts) Dismiss(name string) error {
	err := a.proved(name, func(u fsm.User) fsm.Command {
		return fsm.Command{Op: fsm.OpUnregister, User: u.ID, Arg: u.Proof()}
	})
	if err == nil {
		a.counts.removed.Add(1)
	}
	return err
}

// proofs is how often a change is tried that others have outrun: with another password, or a lock.
const proofs = 5

// proved has a command applied that names what the user's account is now: u.Proof.
func (a *Accounts) proved(name string, command func(u fsm.User) fsm.Command) error {
	first, err := a.named(name)
	for user, tries := first, 1; err == nil; tries++ {
		var r fsm.Result
		if r, err = a.write(command(user)); err != nil {
			return err
		}
		switch {
		case r.Kind == fsm.KindOK:
			return nil
		case r.Kind == fsm.KindSessionEnded:
			return ErrGone
		case r.Kind != fsm.KindAuthFailed || tries == proofs:
			return Refusal{r.Kind}
		}
		if user, err = a.named(name); err == nil && user.ID != first.ID {
			return ErrGone // another account of that name is not the one that was meant
		}
	}
	return err
}

// SetLock locks the account, which ends all its sessions, or unlocks it. While it is locked every password is wrong. It
// reports whether that has changed anything. One more error: ErrUnread.
func (a *Accounts) SetLock(name string, locked bool) (changed bool, err error) {
	user, err := a.named(name)
	switch {
	case err != nil:
		return false, err
	case !a.node.Reads(fsm.OpLock.Since()):
		return false, ErrUnread
	}
	c := fsm.Command{Op: fsm.OpLock, User: user.ID}
	if locked {
		c.N = 1
	}
	r, err := a.write(c)
	if err != nil {
		return false, err
	}
	switch r.Kind {
	case fsm.KindOK, fsm.KindExists:
		return r.Kind == fsm.KindOK, nil
	case fsm.KindSessionEnded:
		return false, ErrGone
	case fsm.KindUnread:
		return false, ErrUnread
	}
	return false, Refusal{r.Kind}
}

// named returns the user of that name.
func (a *Accounts) named(name string) (fsm.User, error) {
	if !a.node.Ready() {
		return fsm.User{}, ErrLoading
	}
	user, ok := a.node.FSM().Lookup([]byte(name))
	if !ok {
		return user, ErrGone
	}
	return user, nil
}
