package server

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"ciderd/internal/cluster"
)

func TestTooManyConnections(t *testing.T) {
	onEach(t, func(t *testing.T, start starter) {
		for name, cfg := range map[string]Config{
			"in all":      {MaxConnections: 2},
			"per address": {MaxPerAddress: 2},
		} {
			t.Run(name, func(t *testing.T) {
				w := start(t, cfg)
				w.t = t
				a := w.user("u")
				w.user("u")
				w.dial().talk("!TOO_MANY_CONNECTIONS\n.")
				c := w.dial()
				io.WriteString(c.conn, "LOGIN u pw-u\n") // unread input does not destroy the answer
				c.talk("!TOO_MANY_CONNECTIONS\n.")
				a.talk("> QUIT\nBYE\n.")
				a.conn.Close()
				until(t, "there is a place again", func() bool { return w.server.Stats().Connections == 1 })
				w.user("u").talk("> PING\nPONG")
			})
		}
	})
}

// Telling clients that there is no place for them is bounded too.
func TestRefusalsAreBounded(t *testing.T) {
	s, _ := newTestServer(t, Config{MaxConnections: 1})
	defer s.Close()
	var ends []net.Conn
	for range maxRefusals + 10 {
		ours, theirs := net.Pipe() // nobody reads, so a refusal takes its time
		ends = append(ends, ours)
		s.admit(theirs, port{})
	}
	s.mu.Lock()
	n := len(s.open)
	s.mu.Unlock()
	if n > maxRefusals+1 {
		t.Errorf("%d sessions", n)
	}
	for _, c := range ends {
		c.Close()
	}
}

func TestHTTPIsCutOff(t *testing.T) {
	onEach(t, func(t *testing.T, start starter) {
		w := start(t, Config{})
		for _, first := range []string{"GET / HTTP/1.1\r\nHost: x\r\n\r\nSIGNUP u x\r\n", "POST / HTTP/1.1\r\n\r\n", "\r\nHost: x\r\n",
			"\xef\xbb\xbfGET / HTTP/1.1\r\nSIGNUP u x\r\n", "PROPFIND /x HTTP/1.1\r\n\r\nSIGNUP u x\r\n",
			"POST /" + strings.Repeat("x", 600) + " HTTP/1.1\r\nHost: x\r\n\r\nSIGNUP u x\r\n",
			"GET /" + strings.Repeat("x", 100_000) + " HTTP/1.1\r\n\r\nSIGNUP u x\r\n",
			"Host: " + strings.Repeat("x", 600) + "\r\nSIGNUP u x\r\n",
			strings.Repeat("M", 40) + " /" + strings.Repeat("x", 600) + " HTTP/1.1\r\nX: x\r\n\r\nSIGNUP u x\r\n",
			"\xef\xbb\xbfPOST /" + strings.Repeat("x", 600) + " HTTP/1.1\r\nSIGNUP u x\r\n",
			"POST /" + strings.Repeat("x", 600), "POST /no-end", "PING\r\nHost: no-end",
		} {
			c := w.dial()
			io.WriteString(c.conn, first)
			c.expect("LOGIN or SIGNUP")
			if rest, _ := io.ReadAll(c.r); len(rest) > 0 && string(rest) != "PONG\n" { // the end may be a reset
				t.Errorf("%q was answered %q", first, rest)
			}
		}
		if n := w.node.FSM().Stats().Users; n != 0 {
			t.Error("a browser has signed up")
		}
		c := w.dial()
		c.talk("LOGIN or SIGNUP\n> PING\nPONG\n> POST / HTTP/1.1\n!AUTH_REQUIRED\n> Host: x\n.")
		c = w.dial()
		c.talk("LOGIN or SIGNUP\n> GET /" + strings.Repeat("x", 600) + "\n!LINE_TOO_LONG")
	})
}

func TestTelnet(t *testing.T) {
	onEach(t, func(t *testing.T, start starter) {
		c := start(t, Config{HidePassword: HideTelnet}).dial()
		c.expect("LOGIN or SIGNUP")
		c.send("\xff\xfd\x01SIGNUP\r\n")
		c.expectText("Enter username: \xff\xfc\x01")
		c.send("u\r\n")
		c.expectText("\xff\xfb\x01Enter password: ")
		c.send("\xff\xfd\x01secret\r\x00")
		c.expectText("\xff\xfc\x01\nUser created successfully\n")
		c.send("SET a typo\xff\xf4\xff\xfd\x06SET a 1\r\n")
		c.expectText("\xff\xfc\x06OK\n") // in its place: telnet throws away what comes before it
		c.send("GET b\r\nINCR b\r\nIN\xff\xfd\x06CR b\r\n\xff\xfd\x06GET b\r\n")
		c.expectText("NOT_FOUND\n1\n\xff\xfc\x062\n\xff\xfc\x062\n")
		c.send("GET a\r\n\x04\r\n")
		c.expectText("1\nBYE\n")
		c.expectEnd()
	})
}

// Synch (telnet> send synch) is IAC DM; by RFC 854 the DM is urgent, of the telnet that Linux has the
// IAC is. All of it is taken out.
func TestTelnetSynch(t *testing.T) {
	c := start(t, Config{}).dial()
	c.expect("LOGIN or SIGNUP")
	c.send("PI")
	raw, err := c.tcp().SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	raw.Control(func(fd uintptr) { err = syscall.Sendto(int(fd), []byte{0xff}, syscall.MSG_OOB, nil) })
	if err != nil {
		t.Fatal(err)
	}
	c.talk("> \xf2NG\nPONG")
}

func TestHidePassword(t *testing.T) {
	onEach(t, func(t *testing.T, start starter) {
		for mode, want := range map[string]string{
			HideNever:  "Enter username: Enter password: Login",
			HideTelnet: "Enter username: Enter password: Login",
			HideAlways: "Enter username: \xff\xfb\x01Enter password: \xff\xfc\x01\nLogin",
		} {
			w := start(t, Config{HidePassword: mode})
			w.user("u")
			c := w.dial()
			c.expect("LOGIN or SIGNUP")
			c.send("LOGIN\nu\npw-u\n")
			c.expectText(want + " successful\n")
		}
	})
}

func TestPanicEndsOneSession(t *testing.T) {
	onEach(t, func(t *testing.T, start starter) {
		w := start(t, Config{})
		a, b := w.user("u"), w.user("u")
		w.node.OnSync = func(context.Context) error { panic("secret value") }
		a.talk("> SYNC\n!INTERNAL\n.")
		b.talk("> SET k v\nOK")
	})
}

func TestSyncErrors(t *testing.T) {
	w := start(t, Config{WriteTimeout: time.Millisecond})
	c := w.user("u")
	w.node.OnSync = func(ctx context.Context) error {
		<-ctx.Done()
		return context.Cause(ctx)
	}
	c.talk("> SYNC\n!TIMEOUT")
	w.node.OnSync = func(context.Context) error { return cluster.ErrNoLeader }
	c.talk("> SYNC\n!NO_LEADER")
}

func TestShutdownFinishesWhatWasRead(t *testing.T) {
	onEach(t, func(t *testing.T, start starter) {
		w := start(t, Config{})
		idle, busy, before := w.user("u"), w.user("u"), w.dial()
		before.expect("LOGIN or SIGNUP")
		w.node.Hold = make(chan struct{})
		n := len(w.node.Sizes())
		busy.send("SET a 1\nGET a\n")
		until(t, "the write is on its way", func() bool { return len(w.node.Sizes()) == n+1 })
		done := make(chan error, 1)
		go func() { done <- w.server.Shutdown(context.Background()) }()
		idle.talk("!SHUTTING_DOWN\n.")
		before.talk("!SHUTTING_DOWN\n.")
		close(w.node.Hold)
		busy.talk("OK\n1\n!SHUTTING_DOWN\n.")
		for _, c := range []*testClient{idle, busy, before} {
			c.conn.Close()
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
		if _, err := net.Dial("tcp", w.addr); err == nil {
			t.Error("the port is still open")
		}
		if err := w.server.Serve(nopListener{}); !errors.Is(err, ErrClosed) {
			t.Errorf("Serve after Shutdown: %v", err)
		}
	})
}

type nopListener struct{ net.Listener }

func (nopListener) Close() error { return nil }

func TestShutdownCutsOffWhoDoesNotEnd(t *testing.T) {
	onEach(t, func(t *testing.T, start starter) {
		w := start(t, Config{})
		stuck := w.user("u")
		stuck.talk("> SET k " + strings.Repeat("v", 100_000) + "\nOK")
		go io.WriteString(stuck.conn, strings.Repeat("GET k\n", 100_000))
		stuck.expectText("v")
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if err := w.server.Shutdown(ctx); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if n := w.server.Stats().Connections; n != 0 {
			t.Errorf("%d sessions are left", n)
		}
	})
}

// shortListener runs out of file descriptors now and then.
type shortListener struct {
	net.Listener
	calls atomic.Int64
}

func (l *shortListener) Accept() (net.Conn, error) {
	switch l.calls.Add(1) % 3 {
	case 0:
		return nil, &net.OpError{Op: "accept", Net: "tcp", Err: syscall.EMFILE}
	case 1:
		return nil, &net.OpError{Op: "accept", Net: "tcp", Err: syscall.ECONNABORTED}
	}
	return l.Listener.Accept()
}

func TestAcceptSurvivesAShortage(t *testing.T) {
	w := start(t, Config{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- w.server.Serve(&shortListener{Listener: l}) }()
	w.addr = l.Addr().String()
	for range 3 {
		w.user("u").talk("> PING\nPONG")
	}
	w.server.Close()
	if err := <-served; err != nil {
		t.Error(err)
	}
}

func TestServeReturnsAListenersEnd(t *testing.T) {
	s, _ := newTestServer(t, Config{})
	defer s.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if err := s.Serve(l); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Serve on a closed listener: %v", err)
	}
}

func TestClientAddress(t *testing.T) {
	for addr, want := range map[string]string{
		"10.1.2.3:4":              "10.1.2.3",
		"[::ffff:10.1.2.3]:4":     "10.1.2.3",
		"[2001:db8:1:2:3::4%e]:5": "2001:db8:1:2::/64",
	} {
		if got := clientAddress(fakeAddr(addr)); got != want {
			t.Errorf("clientAddress(%s) = %s, want %s", addr, got, want)
		}
	}
}

type fakeAddr string

func (a fakeAddr) Network() string { return "tcp" }
func (a fakeAddr) String() string  { return string(a) }
