package accounts

import (
	"context"
	"errors"

	"ciderd/internal/auth"
	"ciderd/internal/fsm"
)

// Change is a new password that is ready to be stored: the old one was right, and the new one is hashed.
type Change struct {
	accounts       *Accounts
	addr           string
	user           fsm.User
	hash, password []byte
}

// ChangePassword prepares a new password for the account with that id. Errors: ErrLoading, ErrGone,
// auth's, the cause of ctx's end.
func (a *Accounts) ChangePassword(ctx context.Context, id uint64, c Credentials, password []byte) (*Change, error) {
	if !a.node.Ready() {
		return nil, ErrLoading
	}
	if err := errors.Join(auth.ValidPassword(c.Password), auth.ValidNewPassword(password)); err != nil {
		return nil, err
	}
	user, err := a.verified(ctx, id, c, AtChange)
	if err != nil {
		return nil, err
	}
	hash, err := a.hasher.Hash(ctx, c.Addr, password)
	if err != nil {
		return nil, err
	}
	return &Change{accounts: a, addr: c.Addr, user: user, hash: hash, password: password}, nil
}

// Store stores the password, and returns the epoch of the user's that is this change's: the one before, if it was
// not made. Whoever changes the password again or locks the account makes another one. Errors: a Refusal, a WriteError.
func (c *Change) Store() (epoch uint64, err error) {
	a := c.accounts
	r, err := a.write(fsm.Command{Op: fsm.OpPasswd, User: c.user.ID, Value: c.hash, Arg: c.user.Proof()})
	switch {
	case err != nil:
		return c.user.Epoch, err
	case r.Kind != fsm.KindOK:
		return c.user.Epoch, Refusal{r.Kind}
	}
	a.counts.changed.Add(1)
	a.hasher.Remember(c.addr, c.user.Name, c.hash, c.password)
	return c.user.Epoch + 1, nil
}
