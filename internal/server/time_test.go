package server

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// inBubble runs a test in fake time, with a server and a way to connect to it. There is no kernel in
// between: a write blocks until the other end reads. It runs on a plain port and on one that encrypts.
func inBubble(t *testing.T, cfg Config, test func(t *testing.T, s *Server, dial func() *testClient)) {
	t.Helper()
	inNodesBubble(t, cfg, func(t *testing.T, _ fakeNode, s *Server, dial func() *testClient) { test(t, s, dial) })
}

// inNodesBubble is inBubble for a test that needs the node.
func inNodesBubble(t *testing.T, cfg Config, test func(t *testing.T, node fakeNode, s *Server, dial func() *testClient)) {
	t.Helper()
	a := newAuthority(t)
	for name, p := range map[string]port{"plain": {}, "tls": {tls: func() *tls.Config { return a.serverConfig("cider-1") }}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, node := newTestServer(t, cfg)
				defer s.Close()
				test(t, node, s, func() *testClient {
					ours, theirs := net.Pipe()
					s.admit(theirs, p)
					if p.tls != nil {
						ours = tls.Client(ours, a.clientConfig("cider-1"))
					}
					return newClient(t, ours)
				})
			})
		})
	}
}

func since(start time.Time) time.Duration { return time.Since(start).Round(time.Second) }

func TestLoginTimeout(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, _ *Server, dial func() *testClient) {
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
	inBubble(t, Config{LoginTimeout: 10 * time.Second}, func(t *testing.T, _ *Server, dial func() *testClient) {
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
	inBubble(t, Config{IdleTimeout: 30 * time.Minute}, func(t *testing.T, _ *Server, dial func() *testClient) {
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
	inBubble(t, Config{IdleTimeout: time.Minute}, func(t *testing.T, s *Server, dial func() *testClient) {
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

// onlyClient is a client that has signed up, from both ends.
func onlyClient(t *testing.T, s *Server) (*textClient, *testClient) {
	ours, theirs := net.Pipe()
	k := newSocket(theirs, theirs.RemoteAddr())
	p := port{}
	s.enter(k, p)
	only := newTextClient(s, k, p)
	go func() {
		defer s.leave(k)
		only.run()
	}()
	c := newClient(t, ours)
	c.talk("LOGIN or SIGNUP\n> SIGNUP u x\nUser created successfully")
	return only, c
}

// An idle client lets go of the buffers of its last burst.
func TestIdleClientIsSmall(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, s *Server, _ func() *testClient) {
		only, c := onlyClient(t, s)
		go c.sendBeside(strings.Repeat("SET k v\n", 5000) + "MSET" + strings.Repeat(" k v", 5000) + "\nMGET k\n")
		for range 5001 {
			c.expect("OK")
		}
		c.expect("v", "END")
		time.Sleep(2 * burstHold)
		synctest.Wait()
		if held := only.in.Size(); held > readerIdle || only.out.buffer != nil || cap(only.req.Words) > wordsKept {
			t.Errorf("an idle client holds %d bytes in its reader, %v, %d words", held, only.out.buffer, cap(only.req.Words))
		}
		if only.req.Key != nil || slices.ContainsFunc(only.req.Words[:cap(only.req.Words)], func(w []byte) bool { return w != nil }) {
			t.Error("an idle client keeps a buffer by what it was last asked")
		}
		c.talk("> GET k\nv")
	})
}

// A burst that fills the small buffer of a reader exactly has it borrow a large one for what does not come.
func TestIdleClientIsSmallAfterItsBuffersFill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newTestServer(t, Config{})
		defer s.Close()
		only, c := onlyClient(t, s)
		c.send(strings.Repeat("\n", only.in.Size()))
		time.Sleep(2 * burstHold)
		synctest.Wait()
		if held := only.in.Size(); held > readerIdle {
			t.Errorf("an idle client holds %d bytes in its reader", held)
		}
	})
}

// A client that sends a million commands and reads nothing is not read from while its replies are
// stuck, and is cut off when it has taken none of them for a while.
func TestClientThatReadsNothing(t *testing.T) {
	inBubble(t, Config{StallTimeout: 30 * time.Second}, func(t *testing.T, s *Server, dial func() *testClient) {
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
			c.expectText(value[:20_000]) // more than a record: else it may come from the buffers of this end
		}
		synctest.Wait()
		if s.Stats().Connections != 1 {
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
	inBubble(t, Config{}, func(t *testing.T, s *Server, dial func() *testClient) {
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
	inNodesBubble(t, Config{}, func(t *testing.T, node fakeNode, _ *Server, dial func() *testClient) {
		release := make(chan struct{})
		node.OnSync = func(context.Context) error { <-release; return nil }
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
	inBubble(t, Config{}, func(t *testing.T, _ *Server, dial func() *testClient) {
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
	inBubble(t, Config{}, func(t *testing.T, s *Server, dial func() *testClient) {
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
	inBubble(t, Config{}, func(t *testing.T, _ *Server, dial func() *testClient) {
		c := dial()
		c.expect("LOGIN or SIGNUP")
		go c.sendBeside("SIGNUP\n\nx\nSIGNUP\nu\n\nLOGIN\n" + strings.Repeat("u", 600) +
			"\nx\nLOGIN\nu\n" + strings.Repeat("p", 600) + "\nSIGNUP\n u \n pass word \nLOGOUT\nLOGIN u pass word\n")
		c.talk(`
			Enter username: Enter password: ERR BAD_USERNAME a user name is 1 to 64 of A-Z a-z 0-9 . _ - @
			Enter username: Enter password: ERR BAD_PASSWORD a password is 1 to 72 bytes
			Enter username: ERR LINE_TOO_LONG the line is longer than 512 bytes; it was skipped
			!AUTH_REQUIRED
			Enter username: Enter password: ERR LINE_TOO_LONG the line is longer than 512 bytes; it was skipped
			Enter username: Enter password: User created successfully
			LOGIN or SIGNUP
			Login successful`)
	})
}

// Each is a failed attempt, as every other error in a login.
func TestFiveTooLongAnswersEndASession(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, _ *Server, dial func() *testClient) {
		c := dial()
		c.expect("LOGIN or SIGNUP")
		go c.sendBeside(strings.Repeat("LOGIN\n"+strings.Repeat("u", 600)+"\n", 5))
		c.talk(strings.Repeat("Enter username: ERR LINE_TOO_LONG the line is longer than 512 bytes; it was skipped\n", 5) + ".")
	})
}
