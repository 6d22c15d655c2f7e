package peer

import (
	"crypto/tls"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
)

// pipes is a port of net.Pipes, whose deadlines run in a bubble's time.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), done: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}
func (p *pipes) Close() error   { p.once.Do(func() { close(p.done) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

func (p *pipes) dial() net.Conn {
	here, there := net.Pipe()
	p.conns <- there
	return here
}

func inBubble(t *testing.T, test func(*testing.T, *pipes, *Listener)) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipes()
		l := NewListener(p, bob, isMember, hclog.NewNullLogger())
		l.Handle(KindForward, func(conn net.Conn, _ Identity) { _, _ = io.Copy(conn, conn) })
		l.Start()
		defer l.Close()
		test(t, p, l)
	})
}

// Who says nothing, or half a greeting, or one byte a second, is dropped after helloTimeout.
func TestSlowClient(t *testing.T) {
	for name, behave := range map[string]func(net.Conn){
		"silent": func(net.Conn) {},
		"half":   func(c net.Conn) { _, _ = c.Write(goodHello()[:20]) },
		"drop by drop": func(c net.Conn) {
			for _, b := range goodHello() {
				if _, err := c.Write([]byte{b}); err != nil {
					return
				}
				time.Sleep(time.Second)
			}
		},
		"deaf": func(c net.Conn) { _, _ = c.Write(goodHello()) }, // and does not read the answer
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, p *pipes, _ *Listener) {
				start := time.Now()
				conn := p.dial()
				var wg sync.WaitGroup
				wg.Go(func() { behave(conn) })
				defer wg.Wait()
				time.Sleep(helloTimeout + time.Millisecond) // in the bubble's time
				synctest.Wait()
				_ = conn.SetReadDeadline(time.Now().Add(time.Hour))
				if _, err := conn.Read(make([]byte, 1)); err != io.EOF {
					t.Errorf("not dropped: %v", err)
				}
				if waited := time.Since(start); waited > helloTimeout+time.Second {
					t.Errorf("dropped after %v", waited)
				}
			})
		})
	}
}

// The deadline of the greeting must not outlive it.
func TestNoDeadlineBehindTheGreeting(t *testing.T) {
	inBubble(t, func(t *testing.T, p *pipes, _ *Listener) {
		conn := p.dial()
		defer conn.Close()
		if _, err := conn.Write(goodHello()); err != nil {
			t.Fatal(err)
		}
		if _, err := readReply(readerOf(conn), false); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * helloTimeout)
		go func() { _, _ = conn.Write([]byte("x")) }()
		if b, err := io.ReadAll(io.LimitReader(conn, 1)); err != nil || string(b) != "x" {
			t.Errorf("echo %q, error %v", b, err)
		}
	})
}

// Strangers cannot take more than maxHandshakes places, and keep nobody out: the oldest of them gives way.
func TestStrangersTakeNoMoreThanTheirPlaces(t *testing.T) {
	inBubble(t, func(t *testing.T, p *pipes, l *Listener) {
		first := p.dial()
		defer first.Close()
		for range 300 {
			defer p.dial().Close()
		}
		synctest.Wait()
		l.unproven.mu.Lock()
		if n := len(l.unproven.taken[""]); n != maxHandshakes {
			t.Errorf("%d connections are being served", n)
		}
		l.unproven.mu.Unlock()
		if _, err := first.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("the oldest: %v", err)
		}
		start := time.Now()
		conn := p.dial()
		defer conn.Close()
		if _, err := conn.Write(goodHello()); err != nil {
			t.Fatal(err)
		}
		if _, err := readReply(readerOf(conn), false); err != nil {
			t.Fatal(err)
		}
		if waited := time.Since(start); waited > 0 {
			t.Errorf("served after %v", waited)
		}
	})
}

// One node's connections have a bound, and its oldest gives way; another's are not touched.
func TestConnectionsOfANodeAreBounded(t *testing.T) {
	inBubble(t, func(t *testing.T, p *pipes, l *Listener) {
		open := func(from Identity) net.Conn {
			conn := p.dial()
			if _, err := conn.Write((&hello{kind: KindForward, from: from, want: "bob"}).encode()); err != nil {
				t.Fatal(err)
			}
			if _, err := readReply(readerOf(conn), false); err != nil {
				t.Fatal(err)
			}
			return conn
		}
		l.member = func(string) bool { return true }
		carol := open(Identity{Cluster: "prod", Node: "carol", ServerID: "carol/1"})
		defer carol.Close()
		first := open(alice)
		defer first.Close()
		for range maxConns + 10 {
			defer open(alice).Close()
		}
		if _, err := first.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("the oldest: %v", err)
		}
		go func() { _, _ = carol.Write([]byte("x")) }()
		if b, err := io.ReadAll(io.LimitReader(carol, 1)); err != nil || string(b) != "x" {
			t.Errorf("another's: %q, %v", b, err)
		}
	})
}

// Close ends handlers and handshakes, also when all places are taken, and waits for them.
func TestCloseEndsEverything(t *testing.T) {
	inBubble(t, func(t *testing.T, p *pipes, l *Listener) {
		ended := 0
		l.Handle('X', func(conn net.Conn, _ Identity) {
			_, _ = conn.Read(make([]byte, 1)) // until it is closed
			ended++
		})
		served := p.dial()
		if _, err := served.Write((&hello{kind: 'X', from: alice, want: "bob"}).encode()); err != nil {
			t.Fatal(err)
		}
		if _, err := readReply(readerOf(served), false); err != nil {
			t.Fatal(err)
		}
		for range maxHandshakes {
			p.dial()
		}
		synctest.Wait()
		start := time.Now()
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		if ended != 1 {
			t.Error("Close did not wait for a handler")
		}
		if waited := time.Since(start); waited > 0 {
			t.Errorf("Close took %v", waited)
		}
		if _, err := served.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("a connection lives on: %v", err)
		}
	})
}

// The TLS handshake and the hello have no more time together than a hello alone, however they are dragged out.
func TestSlowHandshake(t *testing.T) {
	begin := clientHello(t)
	dribble := func(conn net.Conn, b []byte) {
		for i := range b {
			if _, err := conn.Write(b[i : i+1]); err != nil {
				return
			}
			time.Sleep(time.Second)
		}
	}
	for name, behave := range map[string]func(net.Conn, *Security){
		"a byte":       func(c net.Conn, _ *Security) { _, _ = c.Write(begin[:1]) },
		"drop by drop": func(c net.Conn, _ *Security) { dribble(c, begin) },
		"deaf":         func(c net.Conn, _ *Security) { _, _ = c.Write(begin) },
		"late": func(c net.Conn, s *Security) {
			time.Sleep(helloTimeout - time.Second)
			if err := tls.Client(c, s.dialConfig("bob")).Handshake(); err != nil {
				t.Error(err)
			}
		},
		"then drop by drop": func(c net.Conn, s *Security) {
			time.Sleep(helloTimeout - time.Second)
			dribble(tls.Client(c, s.dialConfig("bob")), goodHello())
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, p *pipes, l *Listener) {
				ca := newAuthority(t)
				l.security = ca.of("bob", Require)
				start := time.Now()
				conn := p.dial()
				var wg sync.WaitGroup
				wg.Go(func() { behave(conn, ca.of("alice", Require)) })
				defer wg.Wait()
				time.Sleep(helloTimeout + time.Millisecond)
				synctest.Wait()
				_ = conn.SetReadDeadline(time.Now().Add(time.Hour))
				if _, err := io.Copy(io.Discard, conn); err != nil {
					t.Errorf("not dropped: %v", err)
				}
				if waited := time.Since(start); waited > helloTimeout+time.Second {
					t.Errorf("dropped after %v", waited)
				}
			})
		})
	}
}
