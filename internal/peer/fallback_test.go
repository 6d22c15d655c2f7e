package peer

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// firsts is a port that notes the first byte of each connection.
type firsts struct {
	address string
	mu      sync.Mutex
	bytes   []byte
}

func noteFirsts(t *testing.T, serve func(conn net.Conn)) *firsts {
	f := &firsts{}
	f.address = listen(t, func(conn net.Conn) {
		r := readerOf(conn)
		first, err := r.Peek(1)
		if err != nil {
			return
		}
		f.mu.Lock()
		f.bytes = append(f.bytes, first[0])
		f.mu.Unlock()
		serve(&buffered{Conn: conn, r: r})
	})
	return f
}

// take returns what came since the last time, a letter for each connection: T for TLS, P for a plain one.
func (f *firsts) take() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	text := strings.NewReplacer("\x16", "T", "C", "P").Replace(string(f.bytes))
	f.bytes = nil
	return text
}

// oldest answers as the release before the first with claims does: it knows one hello, tells everybody which node it
// is, and reads no further than that takes.
func oldest(read func(io.Reader) []byte) func(net.Conn) {
	return func(conn net.Conn) {
		head := read(conn)
		reason := ""
		if !bytes.HasPrefix(head, []byte(magicOld)) {
			reason = notOurs
		}
		b := []byte{1}
		if reason != "" {
			b[0] = 0
		}
		for _, field := range []string{"bob", "bob/22bb", reason} {
			b = appendField(b, field)
		}
		_, _ = conn.Write(b)
		if reason == "" {
			_, _ = io.Copy(io.Discard, conn)
		}
	}
}

// readHead reads the head of a hello, and leaves the rest to make a reset of the answer.
func readHead(r io.Reader) []byte {
	head := make([]byte, len(magic)+1)
	_, _ = io.ReadFull(r, head)
	return head
}

// readAll reads what has come.
func readAll(r io.Reader) []byte {
	b := make([]byte, readBuffer)
	n, _ := r.Read(b)
	return b[:n]
}

// A node with Prefer finds those that speak no TLS, of any release, and remembers them.
func TestPreferMeetsOldReleases(t *testing.T) {
	ca := newAuthority(t)
	current := startServer(t, nil)
	through := func(conn net.Conn) { // to a node with Off: this release, and those before it with claims
		there, err := net.Dial("tcp", current.address)
		if err != nil {
			return
		}
		defer there.Close()
		var wg sync.WaitGroup
		wg.Go(func() {
			_, _ = io.Copy(there, conn)
			_ = there.(*net.TCPConn).CloseWrite()
		})
		_, _ = io.Copy(conn, there)
		conn.Close()
		wg.Wait()
	}
	for name, c := range map[string]struct {
		serve       func(net.Conn)
		first, next string
	}{
		"the oldest":              {oldest(readAll), "TPP", "PP"},
		"the oldest, with resets": {oldest(readHead), "TPP", "PP"},
		"off":                     {through, "TP", "P"},
		"closes without an answer": {func(conn net.Conn) {
			if h := readAll(conn); h[0] == typeHandshake {
				return
			}
			_, _ = conn.Write(encodeReply(bob, nil, false))
			_, _ = io.Copy(io.Discard, conn)
		}, "TP", "P"},
	} {
		f, own := noteFirsts(t, c.serve), ca.of("alice", Prefer)
		for _, want := range []string{c.first, c.next, c.next} {
			conn, remote, err := dialler{security: own}.dial(t.Context(), f.address, &hello{kind: KindForward, from: alice, want: "bob"})
			if err != nil || remote.ServerID != bob.ServerID {
				t.Fatalf("%s: met %+v, error %v", name, remote, err)
			}
			conn.Close()
			if got := f.take(); got != want {
				t.Errorf("%s: %s, want %s", name, got, want)
			}
		}
		own.plain["bob"] = time.Now().Add(-plainFor)
		conn, _, err := dialler{security: own}.dial(t.Context(), f.address, &hello{kind: KindForward, from: alice, want: "bob"})
		if err != nil {
			t.Fatal(name, err)
		}
		conn.Close()
		if got := f.take(); got != c.first {
			t.Errorf("%s, after a while: %s", name, got)
		}
	}
}

// The oldest release calls a node with Prefer, and is welcome.
func TestOldReleaseCallsPrefer(t *testing.T) {
	ca := newAuthority(t)
	s := startSecured(t, ca.of("bob", Prefer))
	conn, _, err := dialler{}.once(t.Context(), s.address, &hello{kind: KindForward, from: alice, want: "bob", old: true}, false)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
}

// Whatever goes wrong with TLS is no reason to speak plainly: an attacker needs more than to spoil a handshake.
func TestNoFallback(t *testing.T) {
	ca := newAuthority(t)
	alert := []byte{21, 3, 3, 0, 2, 2, 40} // handshake failure
	for name, serve := range map[string]func(net.Conn){
		"an alert":        func(conn net.Conn) { _, _ = readAll(conn), write(conn, alert) },
		"half an alert":   func(conn net.Conn) { _, _ = readAll(conn), write(conn, alert[:3]) },
		"half a record":   func(conn net.Conn) { _, _ = readAll(conn), write(conn, []byte{22, 3}) },
		"a bad record":    func(conn net.Conn) { _, _ = readAll(conn), write(conn, []byte{22, 9, 9, 0, 1, 0}) },
		"data at once":    func(conn net.Conn) { _, _ = readAll(conn), write(conn, []byte{23, 3, 3, 0, 1, 0}) },
		"silence":         untilClosed,
		"another's":       tlsServer(ca.of("carol", Require).acceptConfig()),
		"a foreign one's": tlsServer(newAuthority(t).of("bob", Require).acceptConfig()),
		"TLS 1.2":         tlsServer(&tls.Config{MaxVersion: tls.VersionTLS12, Certificates: []tls.Certificate{*ca.issue("bob", nil)}}),
		"closed at last":  tlsServer(ca.of("bob", Require).acceptConfig()),
	} {
		f := noteFirsts(t, serve)
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		for range 3 {
			conn, _, err := dialler{security: ca.of("alice", Prefer)}.dial(ctx, f.address, &hello{kind: KindForward, from: alice, want: "bob"})
			if err == nil || conn != nil || errors.Is(err, errNotTLS) || errors.Is(err, errUnanswered) {
				t.Errorf("%s: error %v", name, err)
			}
		}
		cancel()
		if got := f.take(); strings.Trim(got, "T") != "" || got == "" {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func write(conn net.Conn, b []byte) error {
	_, err := conn.Write(b)
	return err
}

// tlsServer takes the handshake and the hello, and says nothing.
func tlsServer(config *tls.Config) func(net.Conn) {
	return func(conn net.Conn) { _, _ = readHello(readerOf(tls.Server(conn, config))) }
}

// A node that was seen to speak no TLS, and connects with it, is dialled with it.
func TestPreferLearnsFromCallers(t *testing.T) {
	ca := newAuthority(t)
	s := startSecured(t, ca.of("bob", Prefer))
	s.security.notePlain("alice")
	if is, err := meet(t, s.address, ca.of("alice", Require), alice); err != nil || !is {
		t.Fatal(is, err)
	}
	if s.security.plainLately("alice") {
		t.Error("it is expected to speak none")
	}
}

// Thousands of handshakes that do not end never keep a known node out. One may take its place while it proves itself, if
// 64 come within that time; it gets in with the next try or so.
func TestFloodOfHandshakes(t *testing.T) {
	ca := newAuthority(t)
	s := startSecured(t, ca.of("bob", Require))
	begin := clientHello(t)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	for k := range 4 {
		wg.Go(func() { flood(ctx, s.address, begin, k) })
	}
	own := ca.of("alice", Require)
	for in := 0; in < 20 || s.counts.rejected.Load() < 4000; in++ {
		err := errUnanswered
		for try := 0; try < 20 && err != nil; try++ {
			_, err = meet(t, s.address, own, alice)
		}
		if err != nil {
			t.Fatalf("after %d times: %v", in, err)
		}
	}
}

// flood begins handshakes until ctx ends, and ends none: it sends a part of begin, then a byte at a time, if at all.
func flood(ctx context.Context, address string, begin []byte, k int) {
	var open []net.Conn
	for i := k; ctx.Err() == nil; i += 97 {
		time.Sleep(time.Millisecond)
		conn, err := net.Dial("tcp", address)
		if err != nil {
			continue
		}
		_, _ = conn.Write(begin[:1+i%len(begin)])
		if open = append(open, conn); len(open) > 50 {
			_, _ = open[25].Write(begin[:1])
			open[0].Close()
			open = open[1:]
		}
	}
	for _, conn := range open {
		conn.Close()
	}
}

// clientHello is what a handshake begins with.
func clientHello(t *testing.T) []byte {
	here, there := net.Pipe()
	defer there.Close()
	go func() {
		_ = tls.Client(here, &tls.Config{InsecureSkipVerify: true}).Handshake()
	}()
	b := make([]byte, readBuffer)
	n, err := there.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return b[:n]
}
