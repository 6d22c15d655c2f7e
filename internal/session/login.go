package session

import (
	"context"
	"strconv"
	"time"

	"ciderd/internal/accounts"
	"ciderd/internal/fsm"
	"ciderd/internal/protocol"
)

// loginAttempts is how many failed ones end the session.
const loginAttempts = 5

// startLogin starts the time that there is for a login.
func (s *Session) startLogin() {
	s.loginBy = time.Now().Add(s.all.config.Load().LoginTimeout)
}

// untilLate bounds the wait for bcrypt by the time that there is for the login; of a session that is logged
// in by as much.
func (s *Session) untilLate() (context.Context, context.CancelFunc) {
	if s.User() == 0 {
		return context.WithDeadline(s.all.waits, s.loginBy)
	}
	return context.WithTimeout(s.all.ctx, s.all.config.Load().LoginTimeout)
}

func (s *Session) credentials(name string, req *protocol.Request) accounts.Credentials {
	return accounts.Credentials{Addr: s.client.Address(), Name: name, Password: req.Password, Bare: req.BarePassword}
}

func signUp(s *Session, req *protocol.Request) {
	if s.User() != 0 {
		s.answers.Error(protocol.AlreadyLoggedIn, alreadyLoggedIn)
		return
	}
	ctx, cancel := s.untilLate()
	defer cancel()
	user, err := s.all.accounts.SignUp(ctx, s.credentials(string(req.User), req))
	if err != nil {
		s.failLogin(err)
		return
	}
	if s.begin(user) {
		s.answers.Word(protocol.SignedUp)
	}
}

func logIn(s *Session, req *protocol.Request) {
	if s.User() != 0 {
		s.answers.Error(protocol.AlreadyLoggedIn, alreadyLoggedIn)
		return
	}
	if user, ok := s.verify(req); ok && s.begin(user) {
		s.answers.Word(protocol.LoggedIn)
	}
}

// verify checks a name and a password, and answers what is wrong.
func (s *Session) verify(req *protocol.Request) (user fsm.User, ok bool) {
	ctx, cancel := s.untilLate()
	defer cancel()
	ctx, stop := s.client.Watch(ctx)
	defer stop()
	user, err := s.all.accounts.LogIn(ctx, s.credentials(string(req.User), req))
	if err != nil {
		s.failLogin(err)
	}
	return user, err == nil
}

// begin makes the session user's. It fails, and answers that, if the password has changed since it was verified.
func (s *Session) begin(user fsm.User) bool {
	most := s.all.config.Load().MaxPerUser
	switch err := s.all.users.join(s, user, most); err {
	case nil:
	case errCrowded:
		s.all.crowded.Add(1)
		s.answers.finish(protocol.TooManyConnections, "you have reached your limit of "+strconv.Itoa(most)+" connections to this node; close one first")
		return false
	default:
		s.failLogin(accounts.ErrWrongPassword)
		return false
	}
	s.reads.reader = s.all.node.FSM().Reader(user.ID)
	s.writes.reader, s.writes.user = s.reads.reader, user.ID
	s.failures = 0
	s.reads.timePasses()
	return true
}

// failLogin answers an account's error; one that says that what was given is wrong is a failure.
func (s *Session) failLogin(err error) {
	s.reads.timePasses()
	if s.answers.account(err, s.User() != 0) {
		s.countFailure()
	}
}

// countFailure ends a session that fails to log in again and again: the answer to the last attempt is
// its last.
func (s *Session) countFailure() {
	if s.User() != 0 {
		return
	}
	if s.failures++; s.failures >= loginAttempts {
		s.answers.over = true
	}
}

func logOut(s *Session, _ *protocol.Request) {
	s.leave()
	s.startLogin()
	s.answers.Word(protocol.LoggedOut)
}

func quit(s *Session, _ *protocol.Request) {
	s.answers.Word(protocol.Bye)
	s.answers.over = true
}

// changePassword changes the user's password. All other sessions of the user end with that, on every
// node; this one goes on.
func changePassword(s *Session, req *protocol.Request) {
	ctx, cancel := s.untilLate()
	defer cancel()
	change, err := s.all.accounts.ChangePassword(ctx, s.User(), s.credentials(s.login.name, req), req.NewPassword)
	if err != nil {
		s.failLogin(err)
		return
	}
	users := s.all.users
	users.changing(s)
	epoch, err := change.Store()
	current := users.changedTo(s, epoch)
	if err != nil {
		s.failLogin(err)
	} else {
		s.reads.timePasses()
		s.answers.Word(protocol.OK)
	}
	if !current && !s.Over() {
		s.answers.finish(protocol.SessionEnded, Ended)
	}
}

// unregister removes the account and ends all its sessions, this one after the OK.
func unregister(s *Session, req *protocol.Request) {
	ctx, cancel := s.untilLate()
	defer cancel()
	if err := s.all.accounts.Remove(ctx, s.User(), s.credentials(s.login.name, req)); err != nil {
		s.failLogin(err)
		return
	}
	s.answers.Word(protocol.OK)
	s.answers.over = true
}
