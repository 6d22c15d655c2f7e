package server

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// waitFor has a handshake of an address wait for a slot, and tells its name with one.
func waitFor(h *handshakes, address, name string, got chan<- string, until time.Time) {
	s := &handshakeSlot{of: h, address: address, until: until}
	go func() {
		err := s.acquire()
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			name = "late " + name
		case err != nil:
			name = err.Error()
		}
		got <- name
	}()
	synctest.Wait()
}

// Slots go round over addresses, whoever has more handshakes; those of an address are served in their order.
func TestHandshakesAreFair(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHandshakes()
		h.free = 1
		first := handshakeSlot{of: h, address: "flood"}
		if err := first.acquire(); err != nil {
			t.Fatal(err)
		}
		got := make(chan string, 10)
		never := time.Now().Add(time.Hour)
		for _, name := range []string{"a1", "a2", "a3", "b1", "c1", "b2"} {
			waitFor(h, name[:1], name, got, never)
		}
		var order []string
		first.release()
		for range 6 {
			synctest.Wait()
			order = append(order, <-got)
			h.release()
		}
		if want := []string{"a1", "b1", "c1", "a2", "b2", "a3"}; !slices.Equal(order, want) {
			t.Errorf("the slots went to %v, want %v", order, want)
		}
		first.release() // it has none
		if h.free != 1 || h.round.Len() != 0 || len(h.addresses) != 0 {
			t.Errorf("%d slots are free and %d addresses wait in the end", h.free, h.round.Len())
		}
	})
}

// Who gives up loses its place, and no slot is lost.
func TestHandshakesGiveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHandshakes()
		h.free = 1
		first := handshakeSlot{of: h, address: "x"}
		first.acquire()
		got := make(chan string, 10)
		waitFor(h, "a", "a1", got, time.Now().Add(time.Second))
		waitFor(h, "a", "a2", got, time.Now().Add(time.Hour))
		waitFor(h, "b", "b1", got, time.Now().Add(time.Second))
		time.Sleep(time.Second)
		synctest.Wait()
		if late := []string{<-got, <-got}; !slices.Contains(late, "late a1") || !slices.Contains(late, "late b1") {
			t.Errorf("gave up: %v", late)
		}
		first.release()
		if name := <-got; name != "a2" {
			t.Errorf("%s has the slot", name)
		}
		h.leave("a", make(chan struct{})) // it got the slot as it gave up
		if h.free != 1 || h.round.Len() != 0 || len(h.addresses) != 0 {
			t.Errorf("%d slots are free and %d addresses wait in the end", h.free, h.round.Len())
		}
	})
}

// A server that stops does not wait for handshakes that wait for a slot.
func TestStoppingEndsWaitingHandshakes(t *testing.T) {
	w := startTLS(t, Config{})
	w.server.shaking.mu.Lock()
	w.server.shaking.free = 0
	w.server.shaking.mu.Unlock()
	ended := make(chan error, 1)
	c := w.dial()
	go func() { ended <- c.conn.(*tls.Conn).Handshake() }()
	waiting := func() bool {
		w.server.shaking.mu.Lock()
		defer w.server.shaking.mu.Unlock()
		return len(w.server.shaking.addresses) == 1
	}
	until(t, "it waits for a slot", waiting)
	if err := w.server.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	if <-ended == nil {
		t.Error("the handshake was done")
	}
}

// Nothing is computed for a client that has gone while its handshake waited.
func TestHandshakesOfThoseWhoHaveGone(t *testing.T) {
	w := newWorld(t, Config{}, nil)
	a := newAuthority(t)
	asked := make(chan struct{}, 1)
	config := a.serverConfig("cider-1")
	config.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		asked <- struct{}{}
		return nil, nil
	}
	w.serve(func(l net.Listener) error { return w.server.ServeTLS(l, func() *tls.Config { return config }) })
	w.secure = a.clientConfig("cider-1")
	h := w.server.shaking
	h.mu.Lock()
	h.free = 0
	h.mu.Unlock()
	c := w.dial()
	go c.conn.(*tls.Conn).Handshake()
	until(t, "it waits for a slot", func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		return len(h.addresses) == 1
	})
	c.reset()
	h.release()
	until(t, "it has ended", func() bool { return w.server.Stats().Connections == 0 })
	if len(asked) > 0 {
		t.Error("the handshake went on")
	}
}

// A handshake has a slot only while it computes: those that wait for their clients, forever if it were for them, keep
// nobody else out.
func TestSlowHandshakesKeepNobodyOut(t *testing.T) {
	w := startTLS(t, Config{})
	for range 50 {
		c, h := w.dialHalves()
		sent := 0
		h.hold = func(p []byte) int { // all of the first message, and nothing of what answers the server's
			if sent++; sent > 1 {
				return 0
			}
			return len(p)
		}
		if err := c.conn.(*tls.Conn).Handshake(); err != nil {
			t.Fatal(err)
		}
	}
	w.user("u").talk("> PING\nPONG")
	if n := w.server.Connections(); n != 51 {
		t.Errorf("%d connections are counted", n)
	}
	w.server.shaking.mu.Lock()
	defer w.server.shaking.mu.Unlock()
	if w.server.shaking.free != newHandshakes().free {
		t.Errorf("%d slots are free", w.server.shaking.free)
	}
}

// However its bytes come, a handshake has no more time than a login, and takes of the time of that.
func TestHandshakeHasTheTimeOfALogin(t *testing.T) {
	a := newAuthority(t)
	config := a.serverConfig("cider-1")
	admit := func(s *Server) net.Conn {
		ours, theirs := net.Pipe()
		s.admit(theirs, port{tls: func() *tls.Config { return config }})
		return ours
	}
	for name, trickle := range map[string]func(conn net.Conn){
		"nothing": func(net.Conn) {},
		"a byte now and then": func(conn net.Conn) {
			for _, b := range []byte("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03and so on") {
				time.Sleep(10 * time.Second)
				if _, err := conn.Write([]byte{b}); err != nil {
					return
				}
			}
		},
		"all but the end": func(conn net.Conn) {
			tls.Client(&halves{Conn: conn, hold: func(p []byte) int { return len(p) - 1 }}, a.clientConfig("cider-1")).Handshake()
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, _ := newTestServer(t, Config{})
				defer s.Close()
				begin := time.Now()
				conn := admit(s)
				var wg sync.WaitGroup
				wg.Go(func() { trickle(conn) })
				s.running.Wait()
				if d := since(begin); d < time.Minute || d > time.Minute+lingerTime {
					t.Errorf("ended after %v", d)
				}
				conn.Close()
				wg.Wait()
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		s, _ := newTestServer(t, Config{})
		defer s.Close()
		begin := time.Now()
		conn := admit(s)
		time.Sleep(50 * time.Second)
		newClient(t, tls.Client(conn, a.clientConfig("cider-1"))).talk("LOGIN or SIGNUP\n!LOGIN_TIMEOUT\n.")
		if d := since(begin); d != time.Minute {
			t.Errorf("handshake and login took %v", d)
		}
	})
}

// What a client sends before anybody knows it is bounded.
func TestLongHandshakeEnds(t *testing.T) {
	w := startTLS(t, Config{})
	conn := w.plain()
	defer conn.Close()
	// A ClientHello that says it has 64 KB, of which the last byte never comes.
	hello := append([]byte{1, 0, 0xff, 0xff}, make([]byte, 0xfffe)...)
	for len(hello) > 0 {
		n := min(len(hello), 16<<10)
		conn.Write(append([]byte{22, 3, 1, byte(n >> 8), byte(n)}, hello[:n]...)) // the end may come at any time
		hello = hello[n:]
	}
	if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("it is waited for")
	}
	until(t, "it has ended", func() bool { return w.server.Stats().Connections == 0 })
}

// A client that takes the last reply and not the end of TLS holds its connection for no more than a moment.
func TestEndThatIsNotTaken(t *testing.T) {
	a := newAuthority(t)
	config := a.serverConfig("cider-1")
	synctest.Test(t, func(t *testing.T) {
		s, _ := newTestServer(t, Config{})
		defer s.Close()
		ours, theirs := net.Pipe()
		s.admit(theirs, port{tls: func() *tls.Config { return config }})
		c := newClient(t, tls.Client(ours, a.clientConfig("cider-1")))
		c.talk("LOGIN or SIGNUP\n> QUIT\nBYE")
		begin := time.Now()
		s.running.Wait()
		if d := since(begin); d != lingerTime {
			t.Errorf("it took %v", d)
		}
	})
}

// Clients over a limit cost a handshake each, which is bounded in time.
func TestRefusalsDoNotWaitForHandshakes(t *testing.T) {
	a := newAuthority(t)
	config := a.serverConfig("cider-1")
	synctest.Test(t, func(t *testing.T) {
		s, _ := newTestServer(t, Config{MaxConnections: 1})
		defer s.Close()
		dial := func() net.Conn {
			ours, theirs := net.Pipe()
			s.admit(theirs, port{tls: func() *tls.Config { return config }})
			return ours
		}
		first := dial()
		defer first.Close()
		begin := time.Now()
		silent := dial()
		if rest, err := io.ReadAll(silent); len(rest) > 0 || err != nil || since(begin) != refusalTime {
			t.Errorf("after %v: %q, %v", since(begin), rest, err)
		}
		newClient(t, tls.Client(dial(), a.clientConfig("cider-1"))).talk("!TOO_MANY_CONNECTIONS\n.")
	})
}
