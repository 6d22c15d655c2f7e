package server

import (
	"sync"
	"sync/atomic"

	"ciderd/internal/fsm"
)

// registry knows who is logged in on this node, and ends the sessions of a user whose password has
// changed or whose account is gone.
//
// Invariant: a session in it has the epoch that its password was verified against, unless it is
// marked to end or is changing the password itself. A login looks at the epoch a last time and joins
// in one step, and the FSM changes the epoch before it calls changed: so of a login and a PASSWD that
// race, one sees the other.
type registry struct {
	fsm *fsm.FSM

	mu       sync.Mutex // protects accounts, what is in them, and a session's login
	accounts map[uint64]*account
}

// account is one user as far as this node's sessions are concerned. It outlives them, for STATS.
type account struct {
	id       uint64
	sessions map[*session]struct{}
	counts   counts
	scan     places // for the one KEYS of this user that may run
}

// counts is what this node has served of one user's cache since it started.
type counts struct{ hits, misses, writes atomic.Uint64 }

// login is a session's standing with the registry.
type login struct {
	account  *account
	name     string
	epoch    uint64
	changing bool // it runs PASSWD: the epoch may change under it
}

func newRegistry(f *fsm.FSM) *registry {
	return &registry{fsm: f, accounts: map[uint64]*account{}}
}

// join enters a session that has proved to be user, unless the password has changed since.
func (r *registry) join(s *session, user fsm.User) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if epoch, ok := r.fsm.Epoch(user.ID); !ok || epoch != user.Epoch {
		return false
	}
	a := r.accounts[user.ID]
	if a == nil {
		a = &account{id: user.ID, sessions: map[*session]struct{}{}, scan: make(places, 1)}
		r.accounts[user.ID] = a
	}
	a.sessions[s] = struct{}{}
	s.login = login{account: a, name: user.Name, epoch: user.Epoch}
	return true
}

// sessions counts the sessions of a user on this node.
func (r *registry) sessions(a *account) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(a.sessions)
}

// leave takes a session out, if it is in.
func (r *registry) leave(s *session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	a := s.login.account
	if a == nil {
		return
	}
	s.login = login{}
	delete(a.sessions, s)
	r.forget(a)
}

// changing marks a session that is about to change its user's password itself.
func (r *registry) changing(s *session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s.login.changing = true
}

// changedTo ends that: epoch is what the session's own change has made it, or what it was before if
// there was none. It says whether nobody else has changed it meanwhile.
func (r *registry) changedTo(s *session, epoch uint64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	s.login.changing = false
	s.login.epoch = epoch
	return r.current(s)
}

// current must be called with mu held.
func (r *registry) current(s *session) bool {
	epoch, ok := r.fsm.Epoch(s.login.account.id)
	return ok && (s.login.changing || epoch == s.login.epoch)
}

// changed is called by the FSM, before the change is answered OK anywhere on this node: id is the user
// whose password or account has changed, 0 is everybody.
func (r *registry) changed(id uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if id != 0 {
		if a := r.accounts[id]; a != nil {
			r.check(a)
		}
		return
	}
	for _, a := range r.accounts {
		r.check(a)
	}
}

func (r *registry) check(a *account) {
	for s := range a.sessions {
		if !r.current(s) {
			s.end(endUser)
		}
	}
	r.forget(a)
}

// forget drops an account that nobody is logged in to and nobody can log in to any more.
func (r *registry) forget(a *account) {
	if len(a.sessions) > 0 {
		return
	}
	if _, ok := r.fsm.Epoch(a.id); !ok {
		delete(r.accounts, a.id)
	}
}
