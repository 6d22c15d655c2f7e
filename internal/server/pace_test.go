package server

import (
	"io"
	"sync"
	"testing"
	"time"
)

// typed sends text a byte at a time, with a pause before each byte but the first.
func (c *testClient) typed(text string, pause time.Duration) {
	c.t.Helper()
	for i := range len(text) {
		if i > 0 {
			time.Sleep(pause)
		}
		c.send(text[i : i+1])
	}
}

// trickle sends a byte after each pause until the connection takes no more.
func (c *testClient) trickle(pause time.Duration) {
	for {
		if _, err := io.WriteString(c.conn, "x"); err != nil {
			return
		}
		time.Sleep(pause)
	}
}

func TestTricklingBeforeLogin(t *testing.T) {
	for name, tc := range map[string]struct {
		first string
		pause time.Duration // between bytes, behind first
		ends  time.Duration
	}{
		"a byte every four seconds":       {"", 4 * time.Second, 26 * time.Second},
		"a byte and nothing":              {"", time.Hour, 20 * time.Second},
		"much at once, and nothing":       {"LOGIN alice a-password-that-has-no-end", time.Hour, 20 * time.Second},
		"a line over the limit":           {string(make([]byte, 700)), time.Hour, 20 * time.Second},
		"a byte a second has all of it":   {"", time.Second, time.Minute},
		"in an answer to a prompt":        {"LOGIN\nali", time.Hour, 20 * time.Second},
		"behind a line that was complete": {"PING\nPI", time.Hour, 20 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, Config{}, func(t *testing.T, s *Server, dial func() *testClient) {
				c := dial()
				c.expect("LOGIN or SIGNUP")
				begin := time.Now()
				answers := make(chan string, 1)
				go func() {
					b, _ := io.ReadAll(c.r)
					answers <- string(b)
				}()
				c.send(tc.first)
				var wg sync.WaitGroup
				wg.Go(func() { c.trickle(tc.pause) })
				s.running.Wait()
				if d := since(begin); d != tc.ends {
					t.Errorf("ended after %v, want %v", d, tc.ends)
				}
				want := "ERR LOGIN_TIMEOUT that line came too slowly; connect again\n"
				if tc.ends == time.Minute {
					want = "ERR LOGIN_TIMEOUT no login in 1m; connect again\n"
				}
				if got := <-answers; len(got) < len(want) || got[len(got)-len(want):] != want {
					t.Errorf("the last of the answers %q is not %q", got, want)
				}
				wg.Wait()
			})
		})
	}
}

// A person at a telnet that sends each character as it is typed.
func TestTypingSlowlyBeforeLogin(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, _ *Server, dial func() *testClient) {
		c := dial()
		c.talk("LOGIN or SIGNUP\n> SIGNUP alice " + "correct horse battery" + "\nUser created successfully\n> LOGOUT\nLOGIN or SIGNUP")
		c.typed("LOGIN\n", 300*time.Millisecond)
		c.expectText("Enter username: ")
		c.typed("alice\n", 500*time.Millisecond)
		c.expectText("Enter password: ")
		c.typed("correct horse", time.Second)
		time.Sleep(19 * time.Second)
		c.typed(" battery\n", time.Second)
		c.expect("Login successful")
	})
}

// What was typed is not a line any more after Ctrl-C, and there is all the time for another.
func TestPaceAfterCtrlC(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, _ *Server, dial func() *testClient) {
		c := dial()
		c.expect("LOGIN or SIGNUP")
		c.send("LOG")
		time.Sleep(19 * time.Second)
		c.send("\x03")
		time.Sleep(30 * time.Second)
		c.talk("> PING\nPONG")
	})
}

// After the login a line may take as long as it likes.
func TestNoPaceAfterLogin(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, _ *Server, dial func() *testClient) {
		c := dial()
		c.talk("LOGIN or SIGNUP\n> SIGNUP u x\nUser created successfully")
		c.send("PI")
		time.Sleep(time.Hour)
		c.talk("> NG\nPONG")
	})
}

// Each line has its own time, also one that comes with the end of the last.
func TestPaceOfEachLine(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, _ *Server, dial func() *testClient) {
		c := dial()
		c.expect("LOGIN or SIGNUP")
		c.send("P")
		for range 3 {
			time.Sleep(19 * time.Second)
			c.send("ING\nP")
			c.expect("PONG")
		}
	})
}
