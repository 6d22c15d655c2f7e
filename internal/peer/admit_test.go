package peer

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
)

// A stranger learns nothing from the port, but what is in the certificate, and reaches nothing.
func TestStrangerLearnsNothing(t *testing.T) {
	ca := newAuthority(t)
	s := startSecured(t, ca.of("bob", Require))
	for _, b := range [][]byte{goodHello(), []byte("GET / HTTP/1.1\r\n\r\n"), {0}, (&hello{kind: KindForward, from: alice, want: "bob", old: true}).encode()} {
		back := send(t, s.address, b)
		if bytes.Contains(back, []byte("bob")) || bytes.Contains(back, []byte("prod")) {
			t.Errorf("%.20q is answered %q", b, back)
		}
		for _, old := range []bool{false, true} {
			if _, err := readReply(readerOf(&scripted{r: bytes.NewReader(back)}), old); !wantsTLS(err) {
				t.Errorf("%.20q is answered %q, which is read as %v", b, back, err)
			}
		}
	}
	conn, err := tls.Dial("tcp", s.address, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = conn.Write(goodHello())
	_ = conn.SetReadDeadline(time.Now().Add(helloTimeout))
	back, err := io.ReadAll(conn)
	if len(back) > 0 || err == nil || !strings.Contains(err.Error(), "certificate required") {
		t.Errorf("without a certificate: %q, error %v", back, err)
	}
	if s.count() > 0 {
		t.Error("handed over")
	}
}

// scripted is a connection of which only reading matters.
type scripted struct {
	net.Conn
	r io.Reader
}

func (s *scripted) Read(p []byte) (int, error) { return s.r.Read(p) }

// No connection begins where an earlier one has ended: each verifies anew.
func TestNoResumption(t *testing.T) {
	ca := newAuthority(t)
	s := startSecured(t, ca.of("bob", Require))
	cache := &sessions{ClientSessionCache: tls.NewLRUClientSessionCache(8)}
	for range 2 {
		conn, err := tls.Dial("tcp", s.address, &tls.Config{
			InsecureSkipVerify: true, ServerName: "bob", Certificates: []tls.Certificate{*ca.issue("alice", nil)}, ClientSessionCache: cache,
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := shake(conn, &hello{kind: KindForward, from: alice, want: "bob"}); err != nil {
			t.Error(err)
		}
		if conn.ConnectionState().DidResume {
			t.Error("resumed")
		}
		conn.Close()
	}
	if cache.put > 0 {
		t.Errorf("%d tickets", cache.put)
	}
}

type sessions struct {
	tls.ClientSessionCache
	put int
}

func (s *sessions) Put(key string, state *tls.ClientSessionState) {
	s.put++
	s.ClientSessionCache.Put(key, state)
}

// A connection whose other side hangs is closed at once.
func TestCloseDoesNotWait(t *testing.T) {
	ca := newAuthority(t)
	s := startSecured(t, ca.of("bob", Require))
	hang := make(chan struct{})
	defer close(hang)
	s.handlers[KindForward] = func(conn net.Conn, _ Identity) { <-hang } // no connection has been made yet
	conn, _, err := dialler{security: ca.of("alice", Require)}.dial(t.Context(), s.address, &hello{kind: KindForward, from: alice, want: "bob"})
	if err != nil {
		t.Fatal(err)
	}
	tcp := conn.(*tracked).Conn.(*buffered).Conn.(secured).NetConn()
	for size, failed := 1<<20, 0; failed < 50; { // until no message goes, not even a last one
		_ = tcp.SetWriteDeadline(time.Now().Add(2 * time.Millisecond))
		if _, err := tcp.Write(make([]byte, size)); err != nil {
			size, failed = max(1, size/2), failed+1
		} else {
			failed = 0
		}
	}
	_ = tcp.SetWriteDeadline(time.Time{})
	start := time.Now()
	conn.Close()
	if waited := time.Since(start); waited >= 5*time.Second { // which is how long crypto/tls would wait
		t.Errorf("closed after %v", waited)
	}
}

// A caller that is not accepted learns why, also if it has sent more by then.
func TestReasonArrives(t *testing.T) {
	ca := newAuthority(t)
	s := startSecured(t, ca.of("bob", Require))
	conn, err := tls.Dial("tcp", s.address, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for range 3 {
		time.Sleep(50 * time.Millisecond)
		if _, err := conn.Write(goodHello()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := conn.Read(make([]byte, 1)); !isAlert(err) {
		t.Errorf("error %v", err)
	}
}

// A certificate that is not accepted is warned of, and not each time.
func TestWarnsOfCertificates(t *testing.T) {
	ca := newAuthority(t)
	s := startSecured(t, ca.of("bob", Require))
	var said bytes.Buffer
	s.log = hclog.New(&hclog.LoggerOptions{Output: &said, Level: hclog.Info}) // no connection has been made yet
	for range 5 {
		if _, err := meet(t, s.address, NewSecurity(newCredentials(newAuthority(t).issue("alice", nil), ca.pool()), Require), alice); err == nil {
			t.Fatal("accepted")
		}
		send(t, s.address, goodHello())
	}
	s.Close()
	if text := said.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, "[WARN]") || !strings.Contains(text, "unknown authority") {
		t.Errorf("said %q", text)
	}
}

// A node that has shown its certificate keeps its place, however many strangers come.
func TestCertifiedKeepItsPlace(t *testing.T) {
	ca := newAuthority(t)
	s := startSecured(t, ca.of("bob", Require))
	conn, err := tls.Dial("tcp", s.address, ca.of("alice", Require).dialConfig("bob"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	waiting := func(owner string) int {
		s.unproven.mu.Lock()
		defer s.unproven.mu.Unlock()
		return len(s.unproven.taken[owner])
	}
	for end := time.Now().Add(helloTimeout); waiting(certified) == 0 && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	for range 3 * maxHandshakes {
		stranger, err := net.Dial("tcp", s.address)
		if err != nil {
			t.Fatal(err)
		}
		defer stranger.Close()
	}
	for end := time.Now().Add(helloTimeout); s.counts.rejected.Load() < 2*maxHandshakes && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	if _, _, err := shake(conn, &hello{kind: KindForward, from: alice, want: "bob"}); err != nil {
		t.Error(err)
	}
	if n := waiting(strangers); n != maxHandshakes {
		t.Errorf("%d strangers wait", n)
	}
}

// Whatever begins with TLS and is none is dropped, and costs its place for no longer than a hello.
func FuzzAdmit(f *testing.F) {
	ca := newAuthority(f)
	l := &Listener{self: bob, member: isMember, log: hclog.NewNullLogger(), handlers: map[Kind]Handler{}, claims: newClaims(hclog.NewNullLogger())}
	f.Add([]byte{typeHandshake, 3, 1, 0, 1, 1}, uint32(Prefer))
	f.Add(goodHello(), uint32(Require))
	f.Fuzz(func(t *testing.T, b []byte, mode uint32) {
		l.security = ca.of("bob", Mode(mode%3))
		here, there := net.Pipe()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() {
			defer here.Close()
			_, _ = here.Write(b)
		}()
		go func() { <-ctx.Done(); here.Close() }()
		go func() { _, _ = io.Copy(io.Discard, here) }()
		g := &guest{buffered: &buffered{Conn: there, r: readerOf(there)}}
		err := l.admit(g)
		if g.certificate != nil || err == nil && Mode(mode%3) == Require {
			t.Errorf("%q is let in", b)
		}
		there.Close()
	})
}
