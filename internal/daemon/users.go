package daemon

import (
	"context"
	"errors"
	"fmt"

	"ciderd/internal/accounts"
	"ciderd/internal/admin/api"
	"ciderd/internal/cluster"
	"ciderd/internal/config"
	"ciderd/internal/fsm"
)

// operatorAddr stands for the client address of operators.
const operatorAddr = "admin socket"

// operatedUsers is the accounts as the admin socket needs them.
type operatedUsers struct{ *accounts.Accounts }

// AddUser makes an account, even where auth.signup is "closed".
func (u operatedUsers) AddUser(ctx context.Context, name string, password []byte) error {
	err := u.Add(ctx, accounts.Credentials{Addr: operatorAddr, Name: name, Password: password})
	var refusal accounts.Refusal
	switch {
	case errors.Is(err, accounts.ErrBadUsername), errors.Is(err, accounts.ErrBadPassword):
		return fmt.Errorf("%w: %w", api.ErrRefused, err)
	case errors.Is(err, accounts.ErrLoading):
		return fmt.Errorf("%w: %w; try again, or on another node", api.ErrRefused, err)
	case errors.As(err, &refusal):
		return notAdded(refusal.Kind, name)
	}
	return unwritten(err, "the user was", "added")
}

// unwritten says of an error of the write path whether the change may have been made: "the user was", "added". Other
// errors stay as they are.
func unwritten(err error, what, done string) error {
	var failed *accounts.WriteError
	switch {
	case !errors.As(err, &failed):
		return err
	case errors.Is(err, cluster.ErrNoLeader):
		return fmt.Errorf("%w: %w; %s not %s", api.ErrRefused, api.ErrNoLeader, what, done)
	case errors.Is(err, cluster.ErrBusy), errors.Is(err, cluster.ErrShutdown):
		return fmt.Errorf("%w: %w; %s not %s", api.ErrRefused, err, what, done)
	}
	return fmt.Errorf("it is not known whether %s %s: %w", what, done, err)
}

func notAdded(k fsm.Kind, name string) error {
	switch k {
	case fsm.KindUserExists:
		return fmt.Errorf("%w: there is a user %s already", api.ErrRefused, name)
	case fsm.KindSignupFull:
		return fmt.Errorf("%w: there are limits.max_users users already", api.ErrRefused)
	case fsm.KindMemoryFull:
		return fmt.Errorf("%w: the disks of the cluster are nearly full", api.ErrRefused)
	case fsm.KindAtLimit:
		return fmt.Errorf("%w: the limit on memory has no place for more accounts", api.ErrRefused)
	}
	return fmt.Errorf("it is not known whether the user was added: result %d", k)
}

func accountsConfig(c *config.Runtime) accounts.Config {
	return accounts.Config{
		MaxUsers: int64(c.Limits.MaxUsers), SignupClosed: !c.Auth.SignupOpen, WriteTimeout: c.Timeouts.Write,
	}
}
