package fsm

import (
	"bytes"
	"slices"
)

// signup makes a user whose keyspace begins at version.
func (a *applier) signup(c *Command, version uint64) Result {
	if a.users.byName[string(c.Name)] != nil {
		return Result{Kind: KindUserExists}
	}
	if a.closed {
		return Result{Kind: KindMemoryFull}
	}
	// The limit comes with the command, from the configuration of the node that took it, so that nodes whose files
	// differ still apply the same thing.
	if c.Limit > 0 && int64(len(a.users.byID)) >= c.Limit {
		return Result{Kind: KindSignupFull}
	}
	id := a.users.last + 1
	user := &User{ID: id, Name: string(c.Name), Hash: slices.Clone(c.Value), Epoch: 1}
	if !a.roomForUser(user, nil) {
		return Result{Kind: KindAtLimit}
	}
	a.create(user, version)
	return Result{Kind: KindUser, N: int64(id)}
}

// create adds an account whose keyspace begins at version.
func (s *state) create(user *User, version uint64) *account {
	ks := s.store.Create(user.ID)
	if version != 0 {
		ks.SetVersion(version)
	}
	made := &account{user: user, keyspace: ks}
	s.users.add(made)
	s.addFixed(made, user.memory())
	return made
}

// passwd changes the password if the hash is still the one that was verified: of two changes that race, one wins.
func (a *applier) passwd(c *Command) Result {
	if !bytes.Equal(a.account.user.Proof(), c.Arg) {
		return Result{Kind: KindAuthFailed}
	}
	before := a.account.user.memory()
	a.users.setHash(a.account, c.Value)
	a.addFixed(a.account, a.account.user.memory()-before)
	a.changed = append(a.changed, c.User)
	return Result{Kind: KindOK}
}

func (a *applier) unregister(c *Command) Result {
	if !bytes.Equal(a.account.user.Proof(), c.Arg) {
		return Result{Kind: KindAuthFailed}
	}
	a.dismiss(a.account)
	a.account = nil
	a.changed = append(a.changed, c.User)
	return Result{Kind: KindOK}
}

// dismiss removes an account with all that belongs to it.
func (s *state) dismiss(gone *account) {
	s.users.remove(gone)
	s.leaveLedger(gone)
	s.sum -= gone.once.sum
	s.onceBytes.Add(-gone.once.bytes)
	s.store.Drop(gone.user.ID)
}
