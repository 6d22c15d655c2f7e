package server

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
)

// inBubble runs a test in fake time, with a server and a way to connect to it. There is no kernel in
// between: a write blocks until the other end reads.
func inBubble(t *testing.T, cfg Config, test func(t *testing.T, s *Server, dial func() *client)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := New(cfg, newFakeNode(), newHasher(t), hclog.NewNullLogger())
		defer s.Close()
		test(t, s, func() *client {
			ours, theirs := net.Pipe()
			s.admit(theirs)
			return newClient(t, ours)
		})
	})
}

func since(start time.Time) time.Duration { return time.Since(start).Round(time.Second) }

func TestLoginTimeout(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, _ *Server, dial func() *client) {
		c := dial()
		begin := time.Now()
		c.expect("LOGIN or SIGNUP")
		// What the client does meanwhile does not give it more time.
		for range 5 {
			time.Sleep(10 * time.Second)
			c.talk("> PING\nPONG")
		}
		c.send("SIGNUP\n")
		c.expectText("Enter username: ")
		c.expectCode("LOGIN_TIMEOUT")
		c.expectEnd()
		if d := since(begin); d != time.Minute {
			t.Errorf("ended after %v", d)
		}
	})
}

func TestLogoutStartsTheLoginTimeoutAnew(t *testing.T) {
	inBubble(t, Config{LoginTimeout: 10 * time.Second}, func(t *testing.T, _ *Server, dial func() *client) {
		c := dial()
		c.talk("LOGIN or SIGNUP\n> SIGNUP u x\nUser created successfully")
		time.Sleep(time.Hour) // no idle timeout
		begin := time.Now()
		c.talk("> LOGOUT\nLOGIN or SIGNUP\n!LOGIN_TIMEOUT\n.")
		if d := since(begin); d != 10*time.Second {
			t.Errorf("ended after %v", d)
		}
	})
}

func TestIdleTimeout(t *testing.T) {
	inBubble(t, Config{IdleTimeout: 30 * time.Minute}, func(t *testing.T, _ *Server, dial func() *client) {
		c := dial()
		c.talk("LOGIN or SIGNUP\n> SIGNUP u x\nUser created successfully")
		for range 10 {
			time.Sleep(29 * time.Minute)
			c.talk("> PING\nPONG")
		}
		begin := time.Now()
		c.talk("!IDLE_TIMEOUT\n.")
		if d := since(begin); d != 30*time.Minute {
			t.Errorf("ended after %v", d)
		}
	})
}

// The deadline on the connection is not set at every Read, and still is right.
func TestIdleTimeoutAfterABurst(t *testing.T) {
	inBubble(t, Config{IdleTimeout: time.Minute}, func(t *testing.T, s *Server, dial func() *client) {
		c := dial()
		c.talk("LOGIN or SIGNUP\n> SIGNUP u x\nUser created successfully")
		for range 3 {
			for range 20 {
				time.Sleep(time.Second)
				go c.sendBeside(strings.Repeat("PING\n", 2000)) // brings the Reader's large buffer into play
				for range 2000 {
					c.expect("PONG")
				}
			}
			time.Sleep(59 * time.Second)
			c.talk("> PING\nPONG")
		}
		begin := time.Now()
		c.talk("!IDLE_TIMEOUT\n.")
		if d := since(begin); d != time.Minute {
			t.Errorf("ended after %v", d)
		}
	})
}

// An idle session lets go of the buffers of its last burst.
func TestIdleSessionIsSmall(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, s *Server, dial func() *client) {
		c := dial()
		c.talk("LOGIN or SIGNUP\n> SIGNUP u x\nUser created successfully")
		go c.sendBeside(strings.Repeat("SET k v\n", 5000) + "MSET" + strings.Repeat(" k v", 5000) + "\n")
		for range 5001 {
			c.expect("OK")
		}
		time.Sleep(2 * burstHold)
		synctest.Wait()
		for session := range s.sessions {
			if session.in.Size() > readerIdle || session.out != nil || session.writes.group != nil ||
				cap(session.req.Words) > wordsKept || cap(session.cmd.Words) > wordsKept {
				t.Errorf("an idle session holds %d bytes in its reader, %v, %v, %d words",
					session.in.Size(), session.out, session.writes.group, cap(session.req.Words))
			}
		}
		c.talk("> GET k\nv")
	})
}

// A client that sends a million commands and reads nothing is not read from while its replies are
// stuck, and is cut off when it has taken none of them for a while.
func TestClientThatReadsNothing(t *testing.T) {
	inBubble(t, Config{StallTimeout: 30 * time.Second}, func(t *testing.T, s *Server, dial func() *client) {
		c := dial()
		c.talk("LOGIN or SIGNUP\n> SIGNUP u x\nUser created successfully")
		value := strings.Repeat("v", 100_000)
		go c.sendBeside("SET k " + value + "\n")
		c.expect("OK")
		begin := time.Now()
		c.conn.SetWriteDeadline(begin.Add(10 * time.Second))
		n, err := io.WriteString(c.conn, strings.Repeat("GET k\n", 1_000_000))
		if !errors.Is(err, os.ErrDeadlineExceeded) || n > readerBurst {
			t.Errorf("%d bytes were read (%v) from a client that reads nothing", n, err)
		}
		// It is not cut off while it takes a little.
		for range 3 {
			time.Sleep(20 * time.Second)
			c.expectText(value[:5000])
		}
		synctest.Wait()
		if s.Sessions() != 1 {
			t.Error("the session has ended")
		}
		s.running.Wait()
		// The last bytes were taken 70 s after begin.
		if d := time.Since(begin); d < 100*time.Second || d > 115*time.Second {
			t.Errorf("cut off after %v", d)
		}
	})
}

// A session whose password has changed gets no more than a moment for the reply that it is in: else
// who takes that slowly would go on reading the cache.
func TestPasswdEndsASlowReader(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, s *Server, dial func() *client) {
		owner, slow := dial(), dial()
		owner.talk("LOGIN or SIGNUP\n> SIGNUP u x\nUser created successfully\n> SET k " + strings.Repeat("v", 50_000) + "\nOK")
		slow.talk("LOGIN or SIGNUP\n> LOGIN u x\nLogin successful\n> MGET" + strings.Repeat(" k", 1000))
		slow.expectText("vvv")
		owner.talk("> PASSWD x y\nOK")
		begin := time.Now()
		for buf := make([]byte, 1000); ; time.Sleep(100 * time.Millisecond) {
			if _, err := slow.conn.Read(buf); err != nil {
				break
			}
		}
		if d := time.Since(begin); d > 3*lingerTime {
			t.Errorf("it went on for %v", d)
		}
	})
}

// But that moment begins when there is something to say.
func TestPasswdLetsACommandFinish(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, s *Server, dial func() *client) {
		release := make(chan struct{})
		s.node.(*fakeNode).onSync = func(context.Context) error { <-release; return nil }
		owner, waits := dial(), dial()
		owner.talk("LOGIN or SIGNUP\n> SIGNUP u x\nUser created successfully")
		waits.talk("LOGIN or SIGNUP\n> LOGIN u x\nLogin successful\n> SYNC")
		synctest.Wait()
		owner.talk("> PASSWD x y\nOK")
		time.Sleep(3 * lingerTime)
		close(release)
		waits.talk("OK\n!SESSION_ENDED\n.")
	})
}

func TestFiveFailuresEndASession(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, _ *Server, dial func() *client) {
		c := dial()
		c.talk(`
			LOGIN or SIGNUP
			> LOGIN u x
			!AUTH_FAILED
			> SIGNUP u/ x
			!BAD_USERNAME
			> PING
			PONG
			> LOGIN u
			!ARGS
			> NONSENSE
			!AUTH_REQUIRED
			> LOGIN u x
			!AUTH_FAILED
			> LOGIN u x
			!AUTH_FAILED
			.`)
	})
}

// Logins that wait, for a turn or because of failures before, do not hold up a shutdown.
func TestShutdownEndsWaitingLogins(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, s *Server, dial func() *client) {
		c := dial()
		c.talk("LOGIN or SIGNUP\n> LOGIN u x\n!AUTH_FAILED\n> LOGIN u x\n!AUTH_FAILED\n> LOGIN u x")
		synctest.Wait() // it sleeps now
		begin := time.Now()
		done := make(chan error, 1)
		go func() { done <- s.Shutdown(t.Context()) }()
		c.talk("!SHUTTING_DOWN")
		if d := time.Since(begin); d != 0 {
			t.Errorf("the login waited for another %v", d)
		}
		c.conn.Close()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestEmptyAndTooLongAnswersToPrompts(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, _ *Server, dial func() *client) {
		c := dial()
		c.expect("LOGIN or SIGNUP")
		go c.sendBeside("SIGNUP\n\nx\nSIGNUP\nu\n\nLOGIN\n" + strings.Repeat("u", 600) +
			"\nx\nLOGIN\nu\n" + strings.Repeat("p", 600) + "\nSIGNUP\n u \n pass word \nLOGOUT\nLOGIN u pass word\n")
		c.talk(`
			Enter username: Enter password: ERR BAD_USERNAME a user name is 1 to 64 of A-Z a-z 0-9 . _ - @
			Enter username: Enter password: ERR BAD_PASSWORD a password is 1 to 72 bytes
			Enter username: ERR LINE_TOO_LONG a line has at most 512 bytes here; this one was skipped
			!AUTH_REQUIRED
			Enter username: Enter password: ERR LINE_TOO_LONG a line has at most 512 bytes here; this one was skipped
			Enter username: Enter password: User created successfully
			LOGIN or SIGNUP
			Login successful`)
	})
}

// Each is a failed attempt, as every other error in a login.
func TestFiveTooLongAnswersEndASession(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, _ *Server, dial func() *client) {
		c := dial()
		c.expect("LOGIN or SIGNUP")
		go c.sendBeside(strings.Repeat("LOGIN\n"+strings.Repeat("u", 600)+"\n", 5))
		c.talk(strings.Repeat("Enter username: ERR LINE_TOO_LONG a line has at most 512 bytes here; this one was skipped\n", 5) + ".")
	})
}
