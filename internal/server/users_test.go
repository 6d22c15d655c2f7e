package server

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"ciderd/internal/fsm"
	"ciderd/internal/protocol"
)

func TestPasswdEndsTheOtherSessions(t *testing.T) {
	onEach(t, func(t *testing.T, start starter) {
		w := start(t, Config{})
		own, idle, busy, stranger := w.user("u"), w.user("u"), w.user("u"), w.user("v")
		own.talk(`
			> PASSWD pw-u new
			OK`)
		idle.talk("!SESSION_ENDED\n.") // without sending anything
		// However soon it sends something, it is served nothing.
		io.WriteString(busy.conn, "GET k\n")
		busy.talk("!SESSION_ENDED\n.")
		stranger.talk("> PING\nPONG")
		own.talk(`
			> SET k v
			OK
			> PASSWD new "third one"
			OK
			> PASSWD new x
			!AUTH_FAILED
			> GET k
			v
			> LOGOUT
			LOGIN or SIGNUP
			> LOGIN u new
			!AUTH_FAILED
			> LOGIN u third one
			Login successful`)
	})
}

func TestPasswdPrompts(t *testing.T) {
	c := start(t, Config{}).user("u")
	c.send("PASSWD\n")
	c.expectText("Enter old password: ")
	c.send("pw-u\n")
	c.expectText("Enter new password: ")
	c.send(" two words \n")
	c.expectText("OK\n")
	c.send("PASSWD\npw-u\nx\nPASSWD\n two words \n\nUNREGISTER x\nPING\n")
	c.expectText("Enter old password: Enter new password: ERR AUTH_FAILED unknown user or wrong password\n" +
		"Enter old password: Enter new password: ERR BAD_PASSWORD a password is 1 to 72 bytes\n" +
		"ERR AUTH_FAILED unknown user or wrong password\nPONG\n")
	long := strings.Repeat("x", 4*protocol.DefaultValue+16<<10+1)
	c.send("PASSWD\n" + long + "\nPING\nPASSWD\ntwo words\n" + long + "\nPING\n")
	const tooLong = "ERR LINE_TOO_LONG the line is longer than 2113536 bytes; it was skipped\nPONG\n"
	c.expectText("Enter old password: " + tooLong + "Enter old password: Enter new password: " + tooLong)
}

// A password is the same in every form of every command: without the blanks at its ends.
func TestBlanksAroundPasswords(t *testing.T) {
	c := start(t, Config{}).dial()
	c.expect("LOGIN or SIGNUP")
	c.send("SIGNUP\nu\n\t my pw \n")
	c.expectText("Enter username: Enter password: User created successfully\n")
	c.talk(`
		> LOGOUT
		LOGIN or SIGNUP
		> LOGIN u   my pw  
		Login successful
		> PASSWD "my pw " x
		!BAD_PASSWORD
		> PASSWD "my pw" " its next"
		!BAD_PASSWORD
		> PASSWD "my pw" "its next"
		OK
		> PASSWD " \t" x
		!BAD_PASSWORD
		> LOGOUT
		LOGIN or SIGNUP
		> LOGIN u its next
		Login successful
		> PASSWD`)
	c.expectText("Enter old password: ")
	c.send(" its next \n")
	c.expectText("Enter new password: ")
	c.send(" third \n")
	c.talk(`
		OK
		> LOGOUT
		LOGIN or SIGNUP
		> LOGIN`)
	c.expectText("Enter username: ")
	c.send("u\n")
	c.expectText("Enter password: ")
	c.send("third  \n")
	c.talk(`
		Login successful
		> UNREGISTER  third 
		OK
		.`)
}

// What is wrong with a LOGIN in a session that is logged in is not its arguments.
func TestLoginInASession(t *testing.T) {
	c := start(t, Config{}).user("u")
	for _, line := range []string{"LOGIN", "LOGIN a", "LOGIN a b", "SIGNUP", "signup a ", "SIGNUP a b"} {
		c.talk("> " + line + "\n!ALREADY_LOGGED_IN")
	}
	c.talk("> PING\nPONG")
}

// A PASSWD of another node, or of another session while this one's is on its way, ends the session.
func TestPasswdFromElsewhere(t *testing.T) {
	w := start(t, Config{})
	c := w.user("u")
	u, _ := w.node.FSM().Lookup([]byte("u"))
	elsewhere := func(hash string) {
		now, _ := w.node.FSM().Lookup([]byte("u"))
		w.node.Propose(fsm.NewGroup(fsm.Command{Op: fsm.OpPasswd, User: u.ID, Value: []byte(hash), Arg: now.Hash}), 0)
	}
	elsewhere("x")
	c.talk("!SESSION_ENDED\n.")

	w = start(t, Config{})
	c = w.user("u")
	w.node.Hold = make(chan struct{})
	c.send("PASSWD pw-u new\n")
	until(t, "the change is made", func() bool {
		now, _ := w.node.FSM().Lookup([]byte("u"))
		return now.Epoch == 2
	})
	elsewhere("x") // its own has been applied, but the session does not know yet
	close(w.node.Hold)
	c.talk("OK\n!SESSION_ENDED\n.")
}

func TestUnregister(t *testing.T) {
	w := start(t, Config{})
	own, other := w.user("u"), w.user("u")
	own.talk("> SET k v\nOK")
	own.send("UNREGISTER pw-u\nGET k\n")
	own.talk("OK\n.")
	other.talk("!SESSION_ENDED\n.")
	if n := w.node.FSM().Stats().Users; n != 0 {
		t.Errorf("%d users are left", n)
	}
	until(t, "nothing is remembered of the user", func() bool { return w.server.Stats().Sessions.Users == 0 })
	w.user("u").talk("> GET k\nNOT_FOUND")
}

// A lock ends the user's sessions, and a LOGIN is then answered as with a wrong password: also with one that was right a
// moment ago. Once it is unlocked the user finds what it had stored.
func TestLock(t *testing.T) {
	w := start(t, Config{})
	own, idle, stranger := w.user("u"), w.user("u"), w.user("other")
	own.talk("> SET k v\nOK")
	u, _ := w.node.FSM().Lookup([]byte("u"))
	set := func(n int64) { w.node.Propose(fsm.NewGroup(fsm.Command{Op: fsm.OpLock, User: u.ID, N: n}), 0) }
	set(1)
	own.talk("!SESSION_ENDED\n.")
	idle.talk("!SESSION_ENDED\n.")
	if n := w.server.SessionsOf(u.ID); n != 0 {
		until(t, "no session is left", func() bool { return w.server.SessionsOf(u.ID) == 0 })
	}
	c := w.dial()
	c.talk("LOGIN or SIGNUP\n> LOGIN u wrong")
	wrong := c.line()
	c.talk("> LOGIN u pw-u")
	if right := c.line(); right != wrong || !strings.HasPrefix(wrong, "ERR AUTH_FAILED ") {
		t.Errorf("the right password is answered %q, a wrong one %q", right, wrong)
	}
	c.talk("> SIGNUP u pw-u\n!USER_EXISTS")
	stranger.talk("> PING\nPONG")
	set(0)
	w.user("u").talk("> GET k\nv")
	if n := w.server.SessionsOf(u.ID); n != 1 {
		t.Errorf("%d sessions", n)
	}
}

// The same for clients of Redis, by AUTH and by HELLO.
func TestLockOfAClientOfRedis(t *testing.T) {
	w := startRESP(t, Config{})
	own := w.respUser("u")
	u, _ := w.node.FSM().Lookup([]byte("u"))
	w.node.Propose(fsm.NewGroup(fsm.Command{Op: fsm.OpLock, User: u.ID, N: 1}), 0)
	own.talk(".")
	c := respTester{w.dial()}
	for _, verb := range []string{"AUTH u ", "HELLO 3 AUTH u "} {
		c.send(verb + "wrong\r\n" + verb + "pw-u\r\n")
		if wrong, right := c.line(), c.line(); right != wrong || !strings.HasPrefix(wrong, "-WRONGPASS ") {
			t.Errorf("%s: the right password is answered %q, a wrong one %q", verb, right, wrong)
		}
	}
	w.node.Propose(fsm.NewGroup(fsm.Command{Op: fsm.OpLock, User: u.ID}), 0)
	w.respUser("u")
}

// A write of a session that has not heard yet that its account is gone is refused by the FSM itself.
func TestWriteOfAnAccountThatIsGone(t *testing.T) {
	w := start(t, Config{})
	c := w.user("u")
	w.node.Hold = make(chan struct{})
	u, _ := w.node.FSM().Lookup([]byte("u"))
	c.send("SET a 1\n")
	until(t, "the write is on its way", func() bool { return len(w.node.Sizes()) == 2 })
	w.node.Propose(fsm.NewGroup(fsm.Command{Op: fsm.OpUnregister, User: u.ID, Arg: u.Hash}), 0)
	close(w.node.Hold)
	c.talk("OK\n!SESSION_ENDED\n.")
}

// Logins race a PASSWD; whoever logged in with the old password is out when it is over.
func TestLoginsThatRaceAPasswd(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, _ *Server, dial func() *testClient) {
		c := dial()
		c.talk("LOGIN or SIGNUP\n> SIGNUP u pw0\nUser created successfully")
		outcomes := map[string]int{}
		for round := range 8 {
			old, next := fmt.Sprintf("pw%d", round), fmt.Sprintf("pw%d", round+1)
			var wg sync.WaitGroup
			var lines [4]string
			for i := range lines {
				other := dial()
				wg.Go(func() { // each reads at once: whoever is out gets a last moment for its answer, and no more
					other.talk("LOGIN or SIGNUP\n> LOGIN u " + old)
					if lines[i] = other.line(); lines[i] == "Login successful" {
						other.talk("!SESSION_ENDED\n.")
					}
					other.conn.Close()
				})
			}
			c.talk("> PASSWD " + old + " " + next + "\nOK")
			wg.Wait()
			for _, line := range lines {
				outcomes[strings.Join(strings.Fields(line)[:2], " ")]++
				if line != "Login successful" && !strings.HasPrefix(line, "ERR AUTH_FAILED ") {
					t.Fatalf("the login was answered %q", line)
				}
			}
		}
		c.talk("> PING\nPONG")
		t.Log(outcomes)
	})
}

func TestStatsAreOfTheUser(t *testing.T) {
	w := start(t, Config{})
	a, b, c := w.user("u"), w.user("u"), w.user("v")
	a.talk("> SET k v\nOK\n> GET k\nv\n> GET x\nNOT_FOUND\n> QUIT\nBYE\n.")
	a.conn.Close()
	b.talk("> GET k\nv")
	c.talk("> GET k\nNOT_FOUND")
	until(t, "the first session is gone", func() bool { return w.server.Stats().Connections == 2 })
	b.talk(`
		> STATS
		keys 1
		~ bytes [1-9][0-9]*
		~ memory [0-9]+
		quota -
		guarantee -
		evicted 0
		~ version [0-9]+
		hits 2
		misses 1
		writes 1
		sessions 1
		END`)
}

// A password that could not be given at every login is refused wherever one is set.
func TestUnfitPasswords(t *testing.T) {
	w := start(t, Config{})
	c := w.user("u")
	for _, unfit := range []string{`"a\nb"`, `"a\x03"`, `"a\r\0b"`, `"a\r"`, `"\x04"`, `" a"`, `"a\t"`} {
		c.talk("> PASSWD pw-u " + unfit + "\n!BAD_PASSWORD")
		d := w.dial()
		d.talk("LOGIN or SIGNUP\n> SIGNUP v " + unfit + "\n!BAD_PASSWORD")
	}
	c.talk("> PASSWD pw-u \"a\\rb\\x04\"\nOK\n> LOGOUT\nLOGIN or SIGNUP\n> LOGIN u \"a\\rb\\x04\"\nLogin successful")
}

// One rule for quotes in all forms; and a password that was set before there was one still opens.
func TestQuotedCredentials(t *testing.T) {
	c := start(t, Config{}).dial()
	c.talk(`LOGIN or SIGNUP
		> SIGNUP "alice" "a \x41"
		User created successfully
		> LOGOUT
		LOGIN or SIGNUP
		> LOGIN alice a A
		Login successful
		> PASSWD "a \x41" "b"
		OK
		> LOGOUT
		LOGIN or SIGNUP
		> LOGIN "alice" "b"
		Login successful
		> LOGOUT
		LOGIN or SIGNUP`)
	c.send("SIGNUP\nbob\n\"old rule\"\n") // at a prompt a quote is a part of it, as it was on one line
	c.expectText("Enter username: Enter password: User created successfully\n")
	c.talk(`
		> LOGOUT
		LOGIN or SIGNUP
		> LOGIN bob "old rule"
		Login successful
		> UNREGISTER "old rul"
		!AUTH_FAILED
		> PASSWD "old rule" x
		!AUTH_FAILED
		> UNREGISTER "old rule"
		OK
		.`)
}

// The two readings of a quoted password are one attempt, also for a user that there is not.
func TestTwoReadingsAreOneFailure(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, _ *Server, dial func() *testClient) {
		dial().talk("LOGIN or SIGNUP\n> SIGNUP u x\nUser created successfully")
		for _, name := range []string{"u", "nobody"} {
			c := dial()
			c.talk("LOGIN or SIGNUP" + strings.Repeat("\n> LOGIN "+name+" \"wrong\"\n!AUTH_FAILED", 4) + "\n> PING\nPONG\n> LOGIN " + name + " \" x\"\n!BAD_PASSWORD\n.")
		}
	})
}

// A user has no more connections than it may, and others have theirs; one that ends makes room.
func TestConnectionsOfAUser(t *testing.T) {
	onEach(t, func(t *testing.T, start starter) {
		w := start(t, Config{MaxPerUser: 2})
		w.user("u")
		second := w.user("u")
		third := w.dial()
		third.talk("LOGIN or SIGNUP\n> LOGIN u pw-u\n!TOO_MANY_CONNECTIONS\n.")
		w.user("v").talk("> PING\nPONG")
		second.talk("> QUIT\nBYE\n.")
		until(t, "the session has ended", func() bool { return w.server.Stats().Sessions.LoggedIn == 2 })
		w.user("u").talk("> PING\nPONG")
		if n := w.server.Stats().Sessions.Crowded; n != 1 {
			t.Errorf("%d logins were refused", n)
		}
	})
}
