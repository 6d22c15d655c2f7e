package server

import (
	"io"
	"strings"
	"testing"
	"time"

	"ciderd/internal/accounts"
	"ciderd/internal/cluster"
	"ciderd/internal/protocol"
)

func TestErrors(t *testing.T) {
	w := start(t, Config{MaxValue: 100})
	w.accounts.SetConfig(accounts.Config{MaxUsers: 2, WriteTimeout: time.Second})
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
		w.node.Fail(step.err)
		c.send("SET a 1\nSET b 2\nSYNC\nPASSWD pw-u x\nUNREGISTER pw-u\nPING\n")
		for range 5 {
			c.expectCode(string(step.code))
		}
		c.expect("PONG")
	}
	w.node.Fail(nil)
	c.talk(`
		> COUNT
		0`)
	w.node.Fail(cluster.ErrShutdown)
	c.talk(`
		> SET a 1
		!SHUTTING_DOWN
		.`)
}

func TestLoading(t *testing.T) {
	w := start(t, Config{Version: "v"})
	c := w.user("u")
	w.node.SetReady(false)
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
	for range 10 { // it is not the client who failed
		c.send("LOGIN\nu\npw-u\n")
		c.expectText("Enter username: Enter password: ERR LOADING this node is catching up; nothing was done; try another node, or try again soon\n")
	}
	w.node.SetReady(true)
	c.talk(`
		> LOGIN u pw-u
		Login successful
		> QUIT
		BYE
		.`)
}
