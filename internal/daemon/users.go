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
type operatedUsers struct {
	accounts *accounts.Accounts
	state    *fsm.FSM
	now      func() int64              // Unix milliseconds, by which keys have expired
	sessions func(id uint64) (now int) // of a user, on this node
}

// AddUser makes an account, even where auth.signup is "closed".
func (u operatedUsers) AddUser(ctx context.Context, name string, password []byte) error {
	err := u.accounts.Add(ctx, accounts.Credentials{Addr: operatorAddr, Name: name, Password: password})
	var refusal accounts.Refusal
	if errors.As(err, &refusal) {
		return notAdded(refusal.Kind, name)
	}
	return notChanged(err, name, "the user was", "added")
}

// SetPassword gives the user another password.
func (u operatedUsers) SetPassword(ctx context.Context, name string, password []byte) error {
	return notChanged(u.accounts.SetPassword(ctx, operatorAddr, name, password), name, "the password was", "changed")
}

// LockUser locks the account, or unlocks it.
func (u operatedUsers) LockUser(name string, locked bool) (said string, err error) {
	done := "locked"
	if !locked {
		done = "unlocked"
	}
	changed, err := u.accounts.SetLock(name, locked)
	switch {
	case err != nil:
		return "", notChanged(err, name, "the user was", done)
	case !changed && locked:
		return name + " is locked already", nil
	case !changed:
		return name + " is not locked", nil
	case !locked:
		return name + " can log in again", nil
	}
	return name + " is locked: all sessions have ended, and every password is answered as a wrong one", nil
}

// RemoveUser removes the account.
func (u operatedUsers) RemoveUser(name string) (said string, err error) {
	if err := u.accounts.Dismiss(name); err != nil {
		return "", notChanged(err, name, "the user was", "removed")
	}
	return "removed user " + name + " with all that it had stored", nil
}

// User tells of one user.
func (u operatedUsers) User(name string) (api.User, error) {
	user, ok := u.state.Lookup([]byte(name))
	shares := u.state.Shares()
	usage, there := shares.Of(user.ID)
	if !ok || !there {
		return api.User{}, noUser(name)
	}
	return u.told(shares, fsm.Listed{User: user, Usage: usage}), nil
}

// Users tells of a page of them.
func (u operatedUsers) Users(after uint64, most int) (page api.UserPage) {
	shares := u.state.Shares()
	users, next := shares.Page(after, most)
	for _, one := range users {
		page.Users = append(page.Users, u.told(shares, one))
	}
	page.Next = next
	return page
}

func (u operatedUsers) told(shares fsm.Shares, of fsm.Listed) api.User {
	user := api.User{
		Name: of.Name, ID: of.ID, Locked: of.Locked, Restoring: of.Restoring, Memory: of.Memory, Quota: of.Quota, OwnQuota: of.OwnQuota,
		Reserve: of.Reserve, Evicted: of.Evicted, Sessions: u.sessions(of.ID),
	}
	if of.Guarantee != fsm.Unbounded {
		user.Guarantee = &of.Guarantee
	}
	if ks := shares.Keyspace(of.ID); ks != nil {
		user.Keys = ks.Count(u.now())
	}
	return user
}

func noUser(name string) error { return fmt.Errorf("%w: there is no user %s", api.ErrRefused, name) }

// notChanged says why something was not done to an account, or that this is not known: "the user was", "locked".
func notChanged(err error, name, what, done string) error {
	switch {
	case errors.Is(err, accounts.ErrBadUsername), errors.Is(err, accounts.ErrBadPassword), errors.Is(err, accounts.ErrUnfitPassword):
		return fmt.Errorf("%w: %w", api.ErrRefused, err)
	case errors.Is(err, accounts.ErrGone):
		return noUser(name)
	case errors.Is(err, accounts.ErrUnread):
		return fmt.Errorf("%w: not every node of the cluster knows this yet: upgrade all of them first; %s not %s", api.ErrRefused, what, done)
	case errors.Is(err, accounts.ErrLoading):
		return fmt.Errorf("%w: %w; try again, or on another node", api.ErrRefused, err)
	case errors.Is(err, accounts.Refusal{Kind: fsm.KindAuthFailed}):
		return fmt.Errorf("%w: the password was changed by somebody else at each try; %s not %s; try again", api.ErrRefused, what, done)
	}
	return unwritten(err, what, done)
}

// unwritten says of an error of the write path whether the change may have been made. Other errors stay as they are.
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

func (d *Daemon) operatedUsers() operatedUsers {
	return operatedUsers{accounts: d.accounts, state: d.node.FSM(), now: d.node.Clock().Now, sessions: func(id uint64) int {
		if s := d.serving.Load(); s != nil {
			return s.SessionsOf(id)
		}
		return 0
	}}
}
