package server

import (
	"bytes"
	"context"
	"errors"

	"ciderd/internal/auth"
	"ciderd/internal/fsm"
	"ciderd/internal/protocol"
)

const (
	authRequired = "LOGIN or SIGNUP first"
	loggedIn     = "you are logged in; LOGOUT first"
	loading      = "this node is catching up; nothing was done, try another node, or again soon"
)

// credentials are what LOGIN and SIGNUP need.
type credentials struct {
	name     string
	password []byte
	bare     []byte // another reading of it, see protocol.Request; nil: there is none
}

// credentials come with the command or are asked for. Both questions are asked before an answer is
// looked at, so that a script's second answer is not taken for a command. Not ok: see ask.
func (s *session) credentials() (c credentials, ok bool) {
	if s.req.User != nil {
		return credentials{name: string(s.req.User), password: s.req.Password, bare: s.req.BarePassword}, true
	}
	name, ok := s.ask("Enter username: ", false)
	if !ok {
		return c, false
	}
	c.name = string(name)
	c.password, ok = s.ask("Enter password: ", true)
	return c, ok
}

// ask prints a prompt and returns the line that answers it, valid until the next one is read. Blanks
// at its ends do not count, as on one line. Not ok: there is nothing more to ask, as the session is over,
// or the line was over the limit; then that has been answered.
func (s *session) ask(prompt string, secret bool) (answer []byte, ok bool) {
	hide := secret && s.hides()
	if hide {
		b := s.in.OfferEcho(s.buffer())
		s.out.b = b
	}
	s.add(prompt)
	event := protocol.None
	for !s.over && event == protocol.None {
		if answer, event = s.next(); event == protocol.None {
			s.fill()
		}
	}
	if hide {
		b := s.in.EndEcho(s.buffer())
		s.out.b = b
		s.reply("") // the client's own newline was not shown
	}
	switch {
	case event == protocol.None:
		return nil, false
	case event == protocol.TooLong:
		s.tooLongAnswer()
		return nil, false
	case len(answer) == 1 && answer[0] == 0x04: // Ctrl-D
		s.quit()
		return nil, false
	}
	return bytes.Trim(answer, " \t"), true
}

// tooLongAnswer answers a line over the limit at a prompt. It is a failure to log in as any other,
// unless it was skipped for want of memory.
func (s *session) tooLongAnswer() {
	squeezed := s.squeezed
	s.tooLong()
	if !squeezed {
		s.countFailure()
	}
}

func (s *session) hides() bool {
	switch s.srv.config.Load().HidePassword {
	case HideAlways:
		return true
	case HideTelnet:
		return s.in.IsTelnet()
	}
	return false
}

// patience bounds the wait for bcrypt by the time that there is for the login, or for a write.
func (s *session) patience() (context.Context, context.CancelFunc) {
	if s.reader == nil {
		return context.WithDeadline(s.srv.waits, s.loginBy)
	}
	return context.WithTimeout(s.srv.ctx, s.srv.config.Load().LoginTimeout)
}

func (s *session) signup() {
	if s.reader != nil {
		s.refuse(protocol.AlreadyLoggedIn, loggedIn)
		return
	}
	if c, ok := s.credentials(); ok {
		s.signupWith(c)
	}
}

func (s *session) signupWith(c credentials) {
	cfg := s.srv.config.Load()
	if !s.srv.node.Ready() {
		s.fail(protocol.Loading, loading)
		return
	}
	if cfg.SignupClosed {
		s.failLogin(protocol.SignupClosed, "new users are added by the administrator of this cluster")
		return
	}
	if err := errors.Join(auth.ValidUser(c.name), auth.ValidNewPassword(c.password)); err != nil {
		s.failAuth(err)
		return
	}
	// Asked before the password is hashed: that would be wasted on a name that is taken.
	if _, taken := s.srv.node.FSM().Lookup([]byte(c.name)); taken {
		s.refuseSignup(fsm.KindUserExists)
		return
	}
	ctx, cancel := s.patience()
	defer cancel()
	hash, err := s.srv.hasher.Hash(ctx, s.origin, c.password)
	if err != nil {
		s.failAuth(err)
		return
	}
	command := fsm.NewUser(c.name, hash, cfg.MaxUsers, s.srv.node.Reads)
	r, ok := s.decide(&command)
	if ok && r.Kind == fsm.KindUnread { // the leader knows of a server that does not read it
		command.Op = fsm.OpSignup
		r, ok = s.decide(&command)
	}
	switch {
	case !ok:
	case r.Kind == fsm.KindUser:
		s.srv.hasher.Remember(s.origin, c.name, hash, c.password)
		s.begin(fsm.User{ID: uint64(r.N), Name: c.name, Epoch: 1}, "User created successfully")
	default:
		s.refuseSignup(r.Kind)
	}
}

func (s *session) refuseSignup(k fsm.Kind) {
	s.refusal(k)
	s.countFailure()
}

func (s *session) logIn() {
	if s.reader != nil {
		s.refuse(protocol.AlreadyLoggedIn, loggedIn)
		return
	}
	c, ok := s.credentials()
	switch {
	case !ok:
		return
	case !s.srv.node.Ready():
		s.fail(protocol.Loading, loading)
		return
	}
	ctx, cancel := s.patience()
	defer cancel()
	ctx, stop := s.untilHungUp(ctx)
	defer stop()
	user, _ := s.srv.node.FSM().Lookup([]byte(c.name)) // none: no hash, and so the same work
	if err := s.verify(ctx, user, c); err != nil {
		s.failAuth(err)
		return
	}
	s.begin(user, "Login successful")
}

// verify checks a password against user's hash: the way in which it is to be read, and then how it stands in the
// line.
func (s *session) verify(ctx context.Context, user fsm.User, c credentials) error {
	err := error(nil)
	if c.bare == nil {
		err = s.srv.hasher.Verify(ctx, s.origin, c.name, user.Hash, c.password)
	} else {
		err = s.srv.hasher.VerifyEither(ctx, s.origin, c.name, user.Hash, c.password, c.bare)
	}
	if errors.Is(err, auth.ErrMismatch) && len(bytes.Trim(c.password, " \t")) != len(c.password) {
		err = auth.ErrUnfitPassword // no password has a blank at its end, so the quoted reading was none
	}
	return err
}

// begin makes the session user's. It fails if the password has changed since it was verified.
func (s *session) begin(user fsm.User, greeting string) {
	if !s.srv.users.join(s, user) {
		s.failAuth(auth.ErrMismatch)
		return
	}
	s.reader = s.srv.node.FSM().Reader(user.ID)
	s.failures = 0
	s.in.SetMaxLine(s.maxLine())
	s.reply(greeting)
}

func (s *session) logOut() {
	s.leave()
	s.in.SetMaxLine(s.maxLine())
	s.banner()
}

func (s *session) quit() {
	s.settle()
	if !s.over {
		s.reply("BYE")
		s.over = true
	}
}

// decide proposes one command by itself and waits for it; when it is not ok, it has been answered.
func (s *session) decide(c *fsm.Command) (r fsm.Result, ok bool) {
	p := s.srv.node.Propose(fsm.NewGroup(*c), s.srv.config.Load().WriteTimeout)
	results, err := p.Wait()
	s.now = 0
	if err != nil {
		s.failWrite(err)
		return r, false
	}
	if len(results) > 0 {
		r = results[0]
	}
	return r, true
}

// failAuth answers a password that was not accepted, or could not be looked at.
func (s *session) failAuth(err error) {
	switch {
	case errors.Is(err, auth.ErrBadUsername):
		s.failLogin(protocol.BadUsername, "a user name is 1 to 64 of A-Z a-z 0-9 . _ - @")
	case errors.Is(err, auth.ErrUnfitPassword):
		s.failLogin(protocol.BadPassword, "not every way to log in could give that password: it has no blank at its ends, no line end and no Ctrl-C in it")
	case errors.Is(err, auth.ErrBadPassword):
		s.failLogin(protocol.BadPassword, "a password is 1 to 72 bytes")
	case errors.Is(err, auth.ErrMismatch):
		s.failLogin(protocol.AuthFailed, wrongPassword)
	case errors.Is(err, auth.ErrBusy):
		s.fail(protocol.Busy, "too many logins are waiting here; nothing was done, try again later")
	case errors.Is(err, errHungUp):
		s.eof, s.over = true, true
	case errors.Is(err, context.Canceled):
		s.finish(protocol.ShuttingDown, shuttingDown)
	case errors.Is(err, context.DeadlineExceeded) && s.reader == nil:
		s.failLate()
	case errors.Is(err, context.DeadlineExceeded):
		s.fail(protocol.Busy, "too many logins are waiting here; nothing was done, try again later")
	default:
		s.srv.log.Error("a password could not be checked", "error", err)
		s.fail(protocol.Internal, "the password could not be checked, this node's log says why; nothing was done")
	}
}

const wrongPassword = "unknown user or wrong password"

// failLogin answers a failed attempt.
func (s *session) failLogin(code protocol.Code, message string) {
	s.fail(code, message)
	s.countFailure()
}

// countFailure ends a session that fails to log in again and again: the answer to the last attempt is
// its last line.
func (s *session) countFailure() {
	if s.reader != nil {
		return
	}
	if s.failures++; s.failures >= loginAttempts {
		s.over = true
	}
}
