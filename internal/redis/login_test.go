package redis

import (
	"strings"
	"testing"
	"time"

	"ciderd/internal/session"
)

func TestBeforeLoginHardlyAnythingIsServed(t *testing.T) {
	w := start(t, session.Config{})
	w.open().talk(`
		> GET k
		-NOAUTH Authentication required.
		> FOO
		-NOAUTH Authentication required.
		> GET
		-NOAUTH Authentication required.
		> SENTINEL MASTERS
		-NOAUTH Authentication required.
		> PING
		-NOAUTH Authentication required.
		> MULTI
		-NOAUTH Authentication required.
		> RESET
		+RESET
		> HELLO 3
		~ -NOAUTH HELLO must be called
		> QUIT
		+OK
	`)
}

func TestSignUpAndAuth(t *testing.T) {
	w := start(t, session.Config{})
	w.open().talk(`
		> SIGNUP alice secret
		+OK
		> ACL WHOAMI
		$5 alice
		> SIGNUP bob secret
		~ -ALREADY_LOGGED_IN
		> RESET
		+RESET
		> SIGNUP alice secret
		~ -USER_EXISTS
		> SIGNUP "a b" secret
		~ -BAD_USERNAME
		> SIGNUP bob ""
		~ -BAD_PASSWORD
		> SIGNUP bob secret
		+OK
	`)
	w.open().talk(`
		> AUTH secret
		-WRONGPASS invalid username-password pair or user is disabled.
		> AUTH nobody secret
		-WRONGPASS invalid username-password pair or user is disabled.
		> AUTH "not a name" secret
		-WRONGPASS invalid username-password pair or user is disabled.
		> AUTH a b c
		-ERR syntax error
		> AUTH alice secret
		+OK
		> SET k alice's
		+OK
		> AUTH bob wrong
		-WRONGPASS invalid username-password pair or user is disabled.
		> GET k
		$7 alice's
		> AUTH bob secret
		+OK
		> GET k
		$-1
		> ACL WHOAMI
		$3 bob
		> SIGNUP default secret
		~ -ALREADY_LOGGED_IN
	`)
	w.user("default")
	w.open().talk("> AUTH secret\n+OK\n> ACL WHOAMI\n$7 default")
}

func TestHelloTellsWhatIsEmulated(t *testing.T) {
	w := start(t, session.Config{})
	w.user("alice")
	p := w.open()
	p.talk(`
		> HELLO 3 AUTH alice secret SETNAME me
		%7 $6 server $5 redis $7 version $5 7.2.0 $5 proto :3 $2 id :2 $4 mode $10 standalone $4 role $6 master $7 modules *0
		> GET k
		_
		> CLIENT GETNAME
		$2 me
		> HELLO
		~ %7 $6 server
		> HELLO 2
		~ *14 $6 server
		> HELLO 3 AUTH alice wrong
		-WRONGPASS invalid username-password pair or user is disabled.
		> GET k
		$-1
	`)
}

// The fifth failed attempt is the last, as on the text port.
func TestFailedLoginsEndTheSession(t *testing.T) {
	p := start(t, session.Config{}).open()
	for i := range 5 {
		if p.Over() {
			t.Fatalf("over after %d attempts", i)
		}
		p.do("HELLO", "2", "AUTH", "alice", "wrong")
	}
	if !p.Over() {
		t.Error("not over after five failed attempts")
	}
}

// RESET before login gives nobody more time for it.
func TestResetBeforeLoginGivesNoTime(t *testing.T) {
	p := start(t, session.Config{LoginTimeout: time.Hour}).open()
	by := p.LoginBy()
	p.do("RESET")
	if p.LoginBy() != by {
		t.Error("RESET has started the time for the login anew")
	}
}

func TestResetMakesTheConnectionAnew(t *testing.T) {
	w := start(t, session.Config{})
	p := w.user("alice")
	p.talk(`
		> HELLO 3 SETNAME me
		~ %7
		> SET k v
		+OK
		> WATCH k
		+OK
		> MULTI
		+OK
		> CLIENT REPLY OFF
		-ERR Command not allowed inside a transaction
		> RESET
		+RESET
	`)
	if len(p.watched) != 0 {
		t.Error("keys are still watched")
	}
	p.talk(`
		> GET k
		-NOAUTH Authentication required.
		> AUTH alice secret
		+OK
		> EXEC
		-ERR EXEC without MULTI
		> CLIENT GETNAME
		$-1
	`)
}

// No user sees another one's keys, whatever the command.
func TestUsersAreApart(t *testing.T) {
	w := start(t, session.Config{})
	a, b := w.user("alice"), w.user("bob")
	a.talk("> MSET k 1 l 2\n+OK")
	b.talk(`
		> DBSIZE
		:0
		> KEYS *
		*0
		> RANDOMKEY
		$-1
		> EXISTS k l
		:0
		> FLUSHALL
		+OK
	`)
	a.talk("> DBSIZE\n:2")
	if got := b.do("CLIENT", "LIST"); strings.Count(got, "id=") != 1 || strings.Contains(got, "user=alice") {
		t.Errorf("bob sees %q", got)
	}
	b.talk("> CLIENT KILL ID 1\n:0")
	if a.ended.Load() {
		t.Error("bob has ended a session of alice's")
	}
}
