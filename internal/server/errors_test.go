package server

import (
	"context"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"

	"ciderd/internal/auth"
	"ciderd/internal/cluster"
	"ciderd/internal/fsm"
	"ciderd/internal/protocol"
)

func TestErrors(t *testing.T) {
	w := start(t, Config{MaxValue: 100, MaxUsers: 2})
	c := w.dial()
	c.expect("LOGIN or SIGNUP")
	c.talk(`
		> GET k
		!AUTH_REQUIRED
		> NONSENSE
		!AUTH_REQUIRED
		> SET
		!AUTH_REQUIRED
		> PING
		PONG
		> SIGNUP bad/name pw
		!BAD_USERNAME
		> SIGNUP ` + strings.Repeat("u", 65) + ` pw
		!BAD_USERNAME
		> LOGIN alice ` + strings.Repeat("p", 73) + `
		!BAD_PASSWORD
		> SIGNUP alice ` + strings.Repeat("p", 73) + `
		!BAD_PASSWORD
		> SIGNUP alice secret word
		User created successfully
		> GTE k
		~ ERR UNKNOWN_COMMAND .*did you mean GET.*
		> GET
		!ARGS
		> SET k v EX 60
		!SYNTAX
		> GET ` + strings.Repeat("k", protocol.MaxKey+1) + `
		!KEY_TOO_LONG
		> SET k ` + strings.Repeat("v", 101) + `
		!VALUE_TOO_LARGE
		> SET k ` + strings.Repeat("v", 100) + `
		OK
		> APPEND k v
		!VALUE_TOO_LARGE
		> INCR k x
		!NOT_A_NUMBER
		> UNREGISTER wrong
		!AUTH_FAILED
		> PASSWD wrong new
		!AUTH_FAILED
		> PASSWD "secret word" ""
		!BAD_PASSWORD
		> GET ` + strings.Repeat("k", 20<<10) + `
		!LINE_TOO_LONG
		> GET none
		NOT_FOUND`)
	other := w.dial()
	other.talk(`
		LOGIN or SIGNUP
		> SIGNUP alice x
		!USER_EXISTS
		> SIGNUP bob x
		User created successfully`)
	third := w.dial()
	third.talk(`
		LOGIN or SIGNUP
		> SIGNUP carol x
		!QUOTA
		> ` + strings.Repeat("x", 513) + `
		!LINE_TOO_LONG
		> PING` + strings.Repeat(" ", 512-len("PING")) + `
		PONG`)
}

func TestErrorsOfTheWritePath(t *testing.T) {
	w := start(t, Config{})
	c := w.user("u")
	for _, step := range []struct {
		err  error
		code protocol.Code
	}{
		{cluster.ErrBusy, protocol.Busy},
		{cluster.ErrNoLeader, protocol.NoLeader},
		{cluster.ErrTimeout, protocol.Timeout},
		{io.ErrUnexpectedEOF, protocol.Internal},
	} {
		w.node.setFailure(step.err)
		c.send("SET a 1\nSET b 2\nSYNC\nPASSWD pw-u x\nUNREGISTER pw-u\nPING\n")
		for range 5 {
			c.expectCode(string(step.code))
		}
		c.expect("PONG")
	}
	w.node.setFailure(nil)
	c.talk(`
		> COUNT
		0`)
	w.node.setFailure(cluster.ErrShutdown)
	c.talk(`
		> SET a 1
		!SHUTTING_DOWN
		.`)
}

func TestLoading(t *testing.T) {
	w := start(t, Config{Version: "v"})
	c := w.user("u")
	w.node.ready.Store(false)
	c.talk(`
		> SET a 1
		!LOADING
		> GET a
		!LOADING
		> MGET a
		!LOADING
		> KEYS
		!LOADING
		> STATS
		!LOADING
		> SYNC
		!LOADING
		> PASSWD a b
		!LOADING
		> UNREGISTER a
		!LOADING
		> PING
		PONG
		> WHOAMI
		u cider-1 leader
		> VERSION
		~ ciderd v .*
		> LOGOUT
		LOGIN or SIGNUP
		> LOGIN u pw-u
		!LOADING
		> SIGNUP v x
		!LOADING`)
	for range 2 * loginAttempts { // it is not the client who failed
		c.send("LOGIN\nu\npw-u\n")
		c.expectText("Enter username: Enter password: ERR LOADING " + loading + "\n")
	}
	w.node.ready.Store(true)
	c.talk(`
		> LOGIN u pw-u
		Login successful
		> QUIT
		BYE
		.`)
}

// The answers that are hard to bring about from outside.
func TestAnswers(t *testing.T) {
	srv := New(Config{}, newFakeNode(), newHasher(t), hclog.NewNullLogger())
	defer srv.Close()
	kind := func(k fsm.Kind) func(*session) { return func(s *session) { s.result(fsm.Result{Kind: k}) } }
	login := func(err error) func(*session) { return func(s *session) { s.failAuth(err) } }
	inSession := func(err error) func(*session) {
		return func(s *session) {
			s.reader = &fsm.Reader{}
			s.failAuth(err)
		}
	}
	for name, step := range map[string]struct {
		answer func(*session)
		code   protocol.Code
		ends   bool
	}{
		"number":            {kind(fsm.KindNotANumber), protocol.NotANumber, false},
		"overflow":          {kind(fsm.KindOverflow), protocol.Overflow, false},
		"value":             {kind(fsm.KindValueTooLarge), protocol.ValueTooLarge, false},
		"memory":            {kind(fsm.KindMemoryFull), protocol.MemoryFull, false},
		"too much copied":   {kind(fsm.KindBusy), protocol.Busy, false},
		"once":              {kind(fsm.KindOnceFull), protocol.Quota, false},
		"signup":            {kind(fsm.KindSignupFull), protocol.Quota, false},
		"exists":            {kind(fsm.KindUserExists), protocol.UserExists, false},
		"auth":              {kind(fsm.KindAuthFailed), protocol.AuthFailed, false},
		"ended":             {kind(fsm.KindSessionEnded), protocol.SessionEnded, true},
		"no result":         {kind(fsm.KindNone), protocol.Internal, false},
		"bcrypt is busy":    {login(auth.ErrBusy), protocol.Busy, false},
		"a later release":   {kind(fsm.KindBusy + 1), protocol.Internal, false},
		"an upgrade":        {kind(fsm.KindUnread), protocol.UnknownCommand, false},
		"bad hash":          {login(auth.ErrBadHash), protocol.Internal, false},
		"closing":           {login(context.Canceled), protocol.ShuttingDown, true},
		"late":              {login(context.DeadlineExceeded), protocol.LoginTimeout, true},
		"late in a session": {inSession(context.DeadlineExceeded), protocol.Busy, false},
	} {
		ours, theirs := net.Pipe()
		s := newSession(srv, theirs)
		step.answer(s)
		if got := string(s.buffer()); !strings.HasPrefix(got, "ERR "+string(step.code)+" ") || !strings.HasSuffix(got, "\n") {
			t.Errorf("%s: answered %q, want %s", name, got, step.code)
		}
		if s.over != step.ends {
			t.Errorf("%s: the session ends: %v", name, s.over)
		}
		ours.Close()
		theirs.Close()
	}
}
