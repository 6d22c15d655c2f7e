package session

import (
	"errors"
	"sync"
	"sync/atomic"

	"ciderd/internal/fsm"
)

// registry knows who is logged in on this node, and ends the sessions of a user when the password has
// changed or the account is gone.
//
// Invariant: a session in it has the epoch that its password was verified against, unless it is
// marked to end or is changing the password itself. A login looks at the epoch a last time and joins
// in one step, and the FSM changes the epoch before it calls changed: so of a login and a PASSWD that
// race, one sees the other.
type registry struct {
	fsm *fsm.FSM

	// What all users of this node come to, so that counting waits for nobody.
	loggedIn, known atomic.Int64
	totals          [stripes]struct {
		counts
		_ [64]byte // the next one's cache line is another
	}

	mu    sync.Mutex // protects all below, what is in users, and a session's login
	users map[uint64]*user
}

// user is one user as far as this node's sessions are concerned. It outlives them, for STATS.
type user struct {
	id       uint64
	sessions map[*Session]struct{}
	counts   counts
	scan     places // for the one KEYS of this user that may run
	walks    walks  // of that KEYS
	cursors  walks  // of SCAN, which has the same place
	scripts  places // for the one script of this user that may run
	scripted used   // by scripts, see turns
	gate     gate   // for sessions at work, see fairShares
}

// counts is what this node has served of one user's cache since it started.
type counts struct{ hits, misses, writes count }

// count is what sessions have published of their own counts.
type count struct{ atomic.Uint64 }

// publish adds n, and makes it 0.
func (c *count) publish(n *uint64, total *count) {
	if *n > 0 {
		c.Add(*n)
		total.Add(*n)
		*n = 0
	}
}

// login is a session's standing with the registry.
type login struct {
	user     *user
	name     string
	epoch    uint64
	changing bool // it runs PASSWD: the epoch may change under it
}

// stripes is into how many the node's counts are divided, so that sessions seldom write to one cache line.
const stripes = 16

// served returns the node's counts.
func (r *registry) served() (hits, misses, writes uint64) {
	for i := range r.totals {
		t := &r.totals[i]
		hits, misses, writes = hits+t.hits.Load(), misses+t.misses.Load(), writes+t.writes.Load()
	}
	return hits, misses, writes
}

func newRegistry(f *fsm.FSM) *registry { return &registry{fsm: f, users: map[uint64]*user{}} }

// The errors of join.
var (
	errChanged = errors.New("the password has changed since it was verified")
	errCrowded = errors.New("the user has as many sessions on this node as it may")
)

// join enters a session that has proved to be u. most is how many the user may have; 0: any number.
func (r *registry) join(s *Session, u fsm.User, most int) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if epoch, ok := r.fsm.Epoch(u.ID); !ok || epoch != u.Epoch {
		return errChanged
	}
	known := r.users[u.ID]
	if known != nil && most > 0 && len(known.sessions) >= most {
		return errCrowded
	}
	if known == nil {
		known = &user{id: u.ID, sessions: map[*Session]struct{}{}, scan: make(places, 1), scripts: make(places, 1)}
		r.users[u.ID] = known
		r.known.Add(1)
	}
	known.sessions[s] = struct{}{}
	r.loggedIn.Add(1)
	s.login = login{user: known, name: u.Name, epoch: u.Epoch}
	return nil
}

// sessions counts the sessions of a user on this node.
func (r *registry) sessions(u *user) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(u.sessions)
}

// leave takes a session out, if it is in.
func (r *registry) leave(s *Session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	u := s.login.user
	if u == nil {
		return
	}
	s.login = login{}
	delete(u.sessions, s)
	r.loggedIn.Add(-1)
	r.forget(u)
}

// changing marks a session that is about to change its user's password itself.
func (r *registry) changing(s *Session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s.login.changing = true
}

// changedTo ends that: epoch is what the session's own change has made it, or what it was before if
// there was none. It reports whether nobody else has changed it meanwhile.
func (r *registry) changedTo(s *Session, epoch uint64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	s.login.changing = false
	s.login.epoch = epoch
	return r.current(s)
}

// current must be called with mu held.
func (r *registry) current(s *Session) bool {
	epoch, ok := r.fsm.Epoch(s.login.user.id)
	return ok && (s.login.changing || epoch == s.login.epoch)
}

// changed is called by the FSM, before the change is answered OK anywhere on this node: id is the user that
// has another password or is gone, 0 is everybody.
func (r *registry) changed(id uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if id != 0 {
		if u := r.users[id]; u != nil {
			r.check(u)
		}
		return
	}
	for _, u := range r.users {
		r.check(u)
	}
}

func (r *registry) check(u *user) {
	for s := range u.sessions {
		if !r.current(s) {
			s.client.End()
		}
	}
	r.forget(u)
}

// forget drops a user that has no session here and cannot log in any more.
func (r *registry) forget(u *user) {
	if len(u.sessions) > 0 {
		return
	}
	if _, ok := r.fsm.Epoch(u.id); !ok {
		delete(r.users, u.id)
		r.known.Add(-1)
	}
}
