package server

import (
	"strings"
	"testing"
	"time"

	"ciderd/internal/accounts"
)

// The session of the interface, to the byte.
func TestSessionToTheByte(t *testing.T) {
	c := start(t, Config{}).dial()
	c.expectText("LOGIN or SIGNUP\n")
	c.send("SIGNUP\n")
	c.expectText("Enter username: ")
	c.send("alice\n")
	c.expectText("Enter password: ")
	c.send("secret\n")
	c.expectText("User created successfully\n")
	for _, step := range [][2]string{
		{"SET foo bar", "OK"}, {"GET foo", "bar"}, {"HAS foo", "true"},
		{"DELETE foo", "OK"}, {"GET foo", "NOT_FOUND"}, {"QUIT", "BYE"},
	} {
		c.send(step[0] + "\n")
		c.expectText(step[1] + "\n")
	}
	c.expectEnd()
}

// The load generator sends all three lines before it has seen a prompt.
func TestLoginByThreeLinesAtOnce(t *testing.T) {
	w := start(t, Config{})
	c := w.dial()
	c.send("LOGIN\nbob\nsecret\nSIGNUP\nbob\nsecret\nQUIT\n")
	c.talk(`
		LOGIN or SIGNUP
		Enter username: Enter password: ERR AUTH_FAILED unknown user or wrong password
		Enter username: Enter password: User created successfully
		BYE
		.`)
	c = w.dial()
	c.send("login\r\n  bob \r\nsecret\r\nWHOAMI\r\n")
	c.talk(`
		LOGIN or SIGNUP
		Enter username: Enter password: Login successful
		bob cider-1 leader`)
}

// conversations are played by a user each. See testClient.talk.
var conversations = map[string]string{
	"set": `
		> SET k  two words 
		OK
		> get k
		two words
		> SET k "v" NX
		EXISTS
		> SET new "v" XX
		NOT_FOUND
		> SET k "a\nb" EX 60
		OK
		> GET k
		"a\nb"
		> TTL k
		60
		> SET k v
		OK
		> TTL k
		NONE
		> SETNX k other
		EXISTS
		> SETNX k2 other
		OK
		> SETEX k3 1500ms some text
		OK
		> TTL k3
		2`,
	"versions": `
		> GETV k
		NOT_FOUND
		> CAS k 1 v
		NOT_FOUND
		> SET k v1
		OK
		> GETV k
		VALUE 1700000000000001 - v1
		> CAS k 7 v2
		CONFLICT 1700000000000001
		> CAS k 1700000000000001 v2
		OK
		> EXPIRE k 90
		OK
		> GETV k
		VALUE 1700000000000003 90 v2
		> SET k ""
		OK
		> GETV k
		VALUE 1700000000000004 - ""`,
	"delete": `
		> SET a 1
		OK
		> SET b 2
		OK
		> DEL a
		OK
		> DELETE a
		NOT_FOUND
		> DEL a b c
		1
		> HAS b
		false`,
	"numbers": `
		> INCR n
		1
		> INCR n 41
		42
		> DECR n 2
		40
		> DECR n
		39
		> SET n 9223372036854775807
		OK
		> INCR n
		!OVERFLOW
		> SET n x
		OK
		> INCR n
		!NOT_A_NUMBER
		> APPEND s abc
		3
		> APPEND s de
		5`,
	"deadlines": `
		> EXPIRE k 5
		NOT_FOUND
		> PERSIST k
		NOT_FOUND
		> TTL k
		NOT_FOUND
		> SETEX k 1h v
		OK
		> TTL k
		3600
		> PERSIST k
		OK
		> TTL k
		NONE`,
	"several": `
		> MSET a 1 b "two words" c 3
		OK
		> MGET a x b
		1
		NOT_FOUND
		two words
		END
		> KEYS
		a
		b
		c
		END
		> KEYS * LIMIT 2
		a
		b
		MORE b
		> KEYS * LIMIT 2 AFTER b
		c
		END
		> KEYS [bc]
		b
		c
		END
		> COUNT
		3
		> FLUSH ALL
		OK
		> COUNT
		0
		> KEYS
		END`,
	"once": `
		> ONCE id1 INCR n
		1
		> ONCE id1 INCR n
		1
		> ONCE id2 INCR n
		2
		> ONCE id1 GET n
		!SYNTAX`,
	"session": `
		> PING
		PONG
		> PING hello
		hello
		> PING "a\x01"
		"a\x01"
		> 
		> PING ERR
		"ERR"
		> SYNC
		OK
		> WHOAMI
		session cider-1 leader
		> VERSION
		~ ciderd 1\.2\.3 .*
		> SET k v
		OK
		> MGET k k none
		v
		v
		NOT_FOUND
		END
		> GET k
		v
		> STATS
		keys 1
		~ bytes [0-9]+
		~ memory [0-9]+
		quota -
		guarantee -
		evicted 0
		~ version [0-9]+
		hits 3
		misses 1
		writes 1
		sessions 1
		END
		> HELP GET
		GET k
		~ .*
		~ .*
		~ .*
		END
		> HELP NONSENSE
		!UNKNOWN_COMMAND
		> LOGOUT
		LOGIN or SIGNUP
		> GET k
		!AUTH_REQUIRED
		> LOGIN session pw-session
		Login successful
		> LOGIN session pw-session
		!ALREADY_LOGGED_IN
		> SIGNUP
		!ALREADY_LOGGED_IN
		> EXIT
		BYE
		.`,
}

func TestCommands(t *testing.T) {
	w := start(t, Config{Version: "1.2.3"})
	for name, script := range conversations {
		t.Run(name, func(t *testing.T) {
			c := w.user(name)
			c.t = t
			c.talk(script)
		})
	}
}

func TestStatusAndHelpEndWithEND(t *testing.T) {
	c := start(t, Config{}).user("u")
	c.talk(`
		> STATUS
		node cider-1
		waiting -
		~ commit [0-9]+
		~ applied [0-9]+
		users 1
		peer cider-2 follower 7 ok
		peer cider-3 - - connection refused
		END
		> HELP`)
	lines := 0
	for line := c.line(); line != "END"; line = c.line() {
		if lines++; len(line) > 80 {
			t.Errorf("a line of HELP has %d bytes", len(line))
		}
	}
	if lines < 10 || lines > 23 {
		t.Errorf("HELP has %d lines", lines)
	}
}

func TestSignupClosedAndReload(t *testing.T) {
	w := start(t, Config{})
	w.accounts.SetConfig(accounts.Config{SignupClosed: true})
	c := w.dial()
	c.talk(`
		LOGIN or SIGNUP
		> SIGNUP u x
		!SIGNUP_CLOSED`)
	w.accounts.SetConfig(accounts.Config{})
	c.talk(`
		> SIGNUP u x
		User created successfully`)
}

// A session that is waiting has the new limits from its next command on.
func TestLimitsAreReloaded(t *testing.T) {
	w := start(t, Config{MaxValue: 1000})
	c := w.user("u")
	large := strings.Repeat("x", 100_000)
	c.talk("> SET k " + large + "\n!LINE_TOO_LONG")
	w.server.SetConfig(Config{MaxValue: 200_000})
	c.talk("> SET k " + large + "\nOK")
	w.server.SetConfig(Config{MaxValue: 1000})
	c.talk("> SET k " + large[:2000] + "\n!VALUE_TOO_LARGE")
}

func TestNewlineCRLF(t *testing.T) {
	c := start(t, Config{CRLF: true}).dial()
	c.expectText("LOGIN or SIGNUP\r\n")
	c.send("SIGNUP\nu\nsecret\nSET a b\nGET a\nCOUNT\nKEYS\nGET none\nNONSENSE\nHELP PING\nMGET a\n")
	c.expectText("Enter username: Enter password: User created successfully\r\n" +
		"OK\r\nb\r\n1\r\na\r\nEND\r\nNOT_FOUND\r\n" +
		"ERR UNKNOWN_COMMAND unknown command; HELP lists the commands\r\n" +
		"PING [text]\r\nPrint PONG, or the text.\r\nEND\r\nb\r\nEND\r\n")
}

func TestUsersAreSeparate(t *testing.T) {
	w := start(t, Config{})
	a, b := w.user("a"), w.user("b")
	a.talk("> SET k mine\nOK")
	b.talk("> GET k\nNOT_FOUND\n> COUNT\n0\n> SET k yours\nOK\n> FLUSH ALL\nOK")
	a.talk("> GET k\nmine")
}

func TestExpiredItemsAreHidden(t *testing.T) {
	w := start(t, Config{})
	c := w.user("u")
	c.talk("> SETEX k 2s v\nOK\n> GET k\nv")
	w.node.Advance(1999 * time.Millisecond)
	c.talk("> GET k\nv\n> TTL k\n1\n> GETV k\n~ VALUE [0-9]+ 1 v")
	w.node.Advance(time.Millisecond)
	c.talk("> GET k\nNOT_FOUND\n> HAS k\nfalse\n> COUNT\n0\n> KEYS\nEND\n> MGET k\nNOT_FOUND\nEND")
}
