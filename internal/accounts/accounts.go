package accounts

import (
	"bytes"
	"context"
	"errors"
	"sync/atomic"
	"time"

	"ciderd/internal/auth"
	"ciderd/internal/fsm"
)

// Node is what accounts need of the node that they are changed on. All methods may be called from any
// goroutine.
type Node interface {
	// Ready is false until this node has caught up after its start.
	Ready() bool
	// FSM is the replicated state that has the users.
	FSM() *fsm.FSM
	// Reads reports whether every server of the cluster reads entries of a version: until then no
	// command is proposed that needs it (fsm.Op.Since).
	Reads(version int) bool
	// Propose hands a group to the write path, which takes its commands over. It has at most 1,024
	// commands, 256 KiB and as much work, unless it is a single command.
	Propose(g fsm.Group, timeout time.Duration) Proposal
}

// Proposal is a group of commands on its way.
type Proposal interface {
	// Wait blocks until the group is done and returns a result for each command, in order. An error
	// is one of pipeline's and holds for all of them.
	Wait() ([]fsm.Result, error)
}

// Hasher is what accounts need of auth.Hasher; its methods' comments hold.
type Hasher interface {
	Hash(ctx context.Context, addr string, password []byte) ([]byte, error)
	Verify(ctx context.Context, addr, user string, hash, password []byte) error
	VerifyEither(ctx context.Context, addr, user string, hash, first, second []byte) error
	Remember(addr, user string, hash, password []byte)
}

// Config is what Accounts can be told, and told anew at any time.
type Config struct {
	MaxUsers     int64         // 0: no limit
	SignupClosed bool          // SignUp fails with ErrClosed
	WriteTimeout time.Duration // of what goes into the log
}

// Accounts changes accounts.
type Accounts struct {
	node   Node
	hasher Hasher
	config atomic.Pointer[Config]
	counts counts
	failed func(Failure) // nil: nobody wants to know
}

// Failure is a password that was wrong.
type Failure struct {
	Addr string // the client address
	// Name is the user's; empty: there is no such user. What was given for it may be a password.
	Name   string
	Locked bool   // no password would have been right
	What   string // what it was given for: AtLogin, AtChange or AtRemoval
}

// What a password is given for.
const (
	AtLogin   = "login"
	AtChange  = "change of the password"
	AtRemoval = "removal of the account"
)

// OnFailure has fn told of passwords that are wrong. It is to be called before anything else is, and fn must not wait.
func (a *Accounts) OnFailure(fn func(Failure)) { a.failed = fn }

// New returns the accounts of a node.
func New(cfg Config, node Node, hasher Hasher) *Accounts {
	a := &Accounts{node: node, hasher: hasher}
	a.SetConfig(cfg)
	return a
}

// SetConfig replaces the configuration.
func (a *Accounts) SetConfig(cfg Config) { a.config.Store(&cfg) }

// Credentials are what a user proves to be one with.
type Credentials struct {
	Addr     string // the client address
	Name     string
	Password []byte
	// Bare is another reading of Password, which is tried if that is wrong; nil: there is none. Both
	// together are one attempt.
	Bare []byte
}

// SignUp makes an account for a client. Its error is ErrLoading, ErrClosed, a Refusal, a WriteError, one
// of auth's, or the cause of ctx's end; ctx bounds the wait for bcrypt.
func (a *Accounts) SignUp(ctx context.Context, c Credentials) (fsm.User, error) {
	switch {
	case !a.node.Ready():
		return fsm.User{}, ErrLoading
	case a.config.Load().SignupClosed:
		return fsm.User{}, ErrClosed
	}
	return a.add(ctx, c)
}

// Add makes an account for an operator, also where sign-up is closed: this is how users are added then.
// Blanks around the password are taken off, as clients' are. Errors are those of SignUp.
func (a *Accounts) Add(ctx context.Context, c Credentials) error {
	if !a.node.Ready() {
		return ErrLoading
	}
	c.Password = bytes.Trim(c.Password, " \t")
	_, err := a.add(ctx, c)
	return err
}

func (a *Accounts) add(ctx context.Context, c Credentials) (user fsm.User, err error) {
	if err := errors.Join(auth.ValidUser(c.Name), auth.ValidNewPassword(c.Password)); err != nil {
		return user, err
	}
	// Asked before the password is hashed: that would be wasted on a name that is taken.
	if _, taken := a.node.FSM().Lookup([]byte(c.Name)); taken {
		return user, Refusal{fsm.KindUserExists}
	}
	hash, err := a.hasher.Hash(ctx, c.Addr, c.Password)
	if err != nil {
		return user, err
	}
	r, err := a.register(c.Name, hash)
	switch {
	case err != nil:
		return user, err
	case r.Kind != fsm.KindUser:
		return user, Refusal{r.Kind}
	}
	a.hasher.Remember(c.Addr, c.Name, hash, c.Password)
	a.counts.made.Add(1)
	return fsm.User{ID: uint64(r.N), Name: c.Name, Epoch: 1}, nil
}

// register does it the old way if the leader knows of a server that does not read the new one. The limit
// on users counts for everybody who makes an account.
func (a *Accounts) register(name string, hash []byte) (fsm.Result, error) {
	command := fsm.NewUser(name, hash, a.config.Load().MaxUsers, a.node.Reads)
	r, err := a.write(command)
	if err == nil && r.Kind == fsm.KindUnread {
		command.Op = fsm.OpSignup
		return a.write(command)
	}
	return r, err
}

// LogIn verifies credentials; those of a user that is being restored it does not look at (ErrRestoring). The user that it returns is as it was when they were verified: a caller that
// lets it in looks once more whether its Epoch is still the same. Errors: ErrLoading, auth's, the
// cause of ctx's end.
func (a *Accounts) LogIn(ctx context.Context, c Credentials) (fsm.User, error) {
	if !a.node.Ready() {
		a.counts.unlooked.Add(1)
		return fsm.User{}, ErrLoading
	}
	user, _ := a.node.FSM().Lookup([]byte(c.Name)) // none: no hash, and so the same work
	if user.Restoring {
		a.counts.unlooked.Add(1)
		return user, ErrRestoring
	}
	err := a.verify(ctx, user, c, AtLogin)
	switch {
	case err == nil:
		a.counts.loggedIn.Add(1)
	case errors.Is(err, ErrBusy):
		a.counts.busy.Add(1)
	case !errors.Is(err, ErrWrongPassword): // those verify counts
		a.counts.unlooked.Add(1)
	}
	return user, err
}

// verify checks a password against user's hash: the way in which it is to be read, and then how it was
// written. what says what for. Of a locked user it is wrong, after the work that a wrong one costs, and without a word of
// whether it would have been right.
func (a *Accounts) verify(ctx context.Context, user fsm.User, c Credentials, what string) (err error) {
	if user.Locked {
		user.Hash = auth.Closed(user.Hash)
	}
	if c.Bare == nil {
		err = a.hasher.Verify(ctx, c.Addr, c.Name, user.Hash, c.Password)
	} else {
		err = a.hasher.VerifyEither(ctx, c.Addr, c.Name, user.Hash, c.Password, c.Bare)
	}
	if errors.Is(err, auth.ErrMismatch) {
		a.counts.wrong.Add(1)
		if a.failed != nil {
			a.failed(Failure{Addr: c.Addr, Name: user.Name, What: what, Locked: user.Locked})
		}
		if len(bytes.Trim(c.Password, " \t")) != len(c.Password) {
			return auth.ErrUnfitPassword // no password has a blank at its end, so the quoted reading was none
		}
	}
	return err
}

// Remove removes the account with that id, and all that it has stored. Errors: ErrGone, a Refusal, a
// WriteError, auth's, the cause of ctx's end.
func (a *Accounts) Remove(ctx context.Context, id uint64, c Credentials) error {
	user, err := a.verified(ctx, id, c, AtRemoval)
	if err != nil {
		return err
	}
	r, err := a.write(fsm.Command{Op: fsm.OpUnregister, User: user.ID, Arg: user.Proof()})
	switch {
	case err != nil:
		return err
	case r.Kind != fsm.KindOK:
		return Refusal{r.Kind}
	}
	a.counts.removed.Add(1)
	return nil
}

// verified returns the user with that id as it is now, if the password is its.
func (a *Accounts) verified(ctx context.Context, id uint64, c Credentials, what string) (fsm.User, error) {
	user, ok := a.node.FSM().Lookup([]byte(c.Name))
	if !ok || user.ID != id {
		return user, ErrGone
	}
	return user, a.verify(ctx, user, c, what)
}

// write has one command applied.
func (a *Accounts) write(c fsm.Command) (r fsm.Result, err error) {
	results, err := a.node.Propose(fsm.NewGroup(c), a.config.Load().WriteTimeout).Wait()
	if err != nil {
		return r, &WriteError{err}
	}
	if len(results) > 0 {
		r = results[0]
	}
	return r, nil
}

// MaxUsers is how many accounts there may be; 0: any number.
func (a *Accounts) MaxUsers() int64 { return a.config.Load().MaxUsers }
