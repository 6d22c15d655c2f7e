package peer

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
)

// startSecured is startServer with a Security.
func startSecured(tb testing.TB, s *Security) *server {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	server := &server{Listener: NewListener(l, bob, isMember, hclog.NewNullLogger()), address: l.Addr().String()}
	server.security = s
	server.Handle(KindForward, server.noting(func(conn net.Conn) { _, _ = io.Copy(conn, conn) }))
	server.Handle(KindQuery, server.noting(untilClosed))
	server.Start()
	tb.Cleanup(func() { server.Close() })
	return server
}

// meet connects to bob as alice and reports whether the connection works, and is encrypted.
func meet(t *testing.T, address string, s *Security, from Identity) (encrypted bool, err error) {
	t.Helper()
	conn, remote, err := dialler{security: s}.dial(t.Context(), address, &hello{kind: KindForward, from: from, want: "bob/22bb"})
	if err != nil {
		return false, err
	}
	defer conn.Close()
	if remote.ServerID != bob.ServerID {
		t.Errorf("met %+v", remote)
	}
	_ = conn.SetDeadline(time.Now().Add(helloTimeout))
	if _, err := conn.Write([]byte("hello")); err != nil {
		return false, err
	}
	var echo [5]byte
	if _, err := io.ReadFull(conn, echo[:]); err != nil || string(echo[:]) != "hello" {
		t.Errorf("echo %q, error %v", echo, err)
	}
	return isSecured(conn), nil
}

func isSecured(conn net.Conn) bool {
	if t, ok := conn.(*tracked); ok {
		conn = t.Conn
	}
	_, ok := conn.(*buffered).Conn.(secured)
	return ok
}

// badCertificates are those that nobody may accept of a node, with what is said of them.
func badCertificates(ca *authority) map[string]struct {
	make func(node string, end x509.ExtKeyUsage) *tls.Certificate
	says string
} {
	type bad = struct {
		make func(node string, end x509.ExtKeyUsage) *tls.Certificate
		says string
	}
	changed := func(says string, change func(*x509.Certificate)) bad {
		return bad{func(node string, _ x509.ExtKeyUsage) *tls.Certificate { return ca.issue(node, change) }, says}
	}
	named := func(names ...string) bad {
		return changed("not for", func(c *x509.Certificate) { c.DNSNames = names })
	}
	return map[string]bad{
		"expired":                 changed("expired", func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }),
		"too early":               changed("not yet valid", func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Minute) }),
		"foreign":                 {func(node string, _ x509.ExtKeyUsage) *tls.Certificate { return newAuthority(ca.tb).issue(node, nil) }, "unknown authority"},
		"wildcard":                named("*"),
		"wildcard of a domain":    named("*.example", "example"),
		"common name only":        named(),
		"another node's":          named("carol"),
		"the name in other cases": named("ALICE", "BOB"),
		"the name as a beginning": named("alice.example", "bob.example"),
		"the names in one":        named("alice,bob", "alice bob"),
		"nameless":                changed("not for", func(c *x509.Certificate) { c.DNSNames, c.Subject = nil, pkix.Name{} }),
		"none":                    {func(string, x509.ExtKeyUsage) *tls.Certificate { return nil }, "certificate"},
		"for the other end": {func(node string, end x509.ExtKeyUsage) *tls.Certificate {
			other := x509.ExtKeyUsageServerAuth
			if end == other {
				other = x509.ExtKeyUsageClientAuth
			}
			return ca.issue(node, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{other} })
		}, "key usage"},
		"for mail": {func(node string, _ x509.ExtKeyUsage) *tls.Certificate {
			return ca.issue(node, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection} })
		}, "key usage"},
	}
}

// No end accepts a certificate that does not prove which node is at the other.
func TestBadCertificates(t *testing.T) {
	ca := newAuthority(t)
	good := startSecured(t, ca.of("bob", Require))
	own := ca.of("alice", Require)
	if encrypted, err := meet(t, good.address, own, alice); err != nil || !encrypted {
		t.Fatalf("good ones: encrypted %v, error %v", encrypted, err)
	}
	if n := len(own.open); n > 0 {
		t.Errorf("%d connections are taken for open", n)
	}
	met := good.count()
	for _, mode := range []Mode{Prefer, Require} {
		good.security.SetMode(mode)
		for name, bad := range badCertificates(ca) {
			own := NewSecurity(newCredentials(bad.make("alice", x509.ExtKeyUsageClientAuth), ca.pool()), mode)
			if _, err := meet(t, good.address, own, alice); err == nil {
				t.Errorf("%v, the dialler's, %s: accepted", mode, name)
			}
			theirs := startSecured(t, NewSecurity(newCredentials(bad.make("bob", x509.ExtKeyUsageServerAuth), ca.pool()), mode))
			_, err := meet(t, theirs.address, ca.of("alice", mode), alice)
			if err == nil || errors.Is(err, errNotTLS) {
				t.Errorf("%v, the listener's, %s: error %v", mode, name, err)
			}
			if name != "none" && (!strings.Contains(err.Error(), bad.says) || !strings.Contains(Reason(err, alice, "bob", "", time.Second), "not accepted here")) {
				t.Errorf("%v, the listener's, %s: error %v, want %q", mode, name, err, bad.says)
			}
			if theirs.count() > 0 {
				t.Errorf("%v, the listener's, %s: handed over", mode, name)
			}
		}
	}
	if n := good.count() - met; n > 0 {
		t.Errorf("%d of the diallers were handed over", n)
	}
}

// Without an authority nobody is known, least of all by the machine's own.
func TestNoAuthorities(t *testing.T) {
	ca := newAuthority(t)
	pem := t.TempDir() + "/roots.pem" // what the machine trusts
	if err := os.WriteFile(pem, pemOf(ca), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SSL_CERT_FILE", pem)
	none := NewSecurity(newCredentials(ca.issue("bob", nil), nil), Require)
	s := startSecured(t, none)
	if _, err := meet(t, s.address, ca.of("alice", Require), alice); err == nil {
		t.Error("the listener knows the caller")
	}
	s = startSecured(t, ca.of("bob", Require))
	none = NewSecurity(newCredentials(ca.issue("alice", nil), nil), Require)
	if _, err := meet(t, s.address, none, alice); err == nil || !strings.Contains(err.Error(), "no authority") {
		t.Errorf("the caller knows the listener: %v", err)
	}
	if _, err := meet(t, s.address, NewSecurity(nil, Require), alice); err == nil {
		t.Error("a Security with nothing works")
	}
	if s.count() > 0 {
		t.Error("handed over")
	}
}

// TLS 1.2 is not spoken, at either end.
func TestOldTLS(t *testing.T) {
	ca := newAuthority(t)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		config := &tls.Config{
			MaxVersion: version, InsecureSkipVerify: true, Certificates: []tls.Certificate{*ca.issue("alice", nil)}, ClientAuth: tls.RequireAnyClientCert,
		}
		s := startSecured(t, ca.of("bob", Require))
		conn, err := tls.Dial("tcp", s.address, config)
		if (err == nil) != (version == tls.VersionTLS13) {
			t.Errorf("%s of the dialler: %v", tls.VersionName(version), err)
		}
		if conn != nil {
			conn.Close()
		}
		theirs := config.Clone()
		theirs.Certificates = []tls.Certificate{*ca.issue("bob", nil)}
		address := listen(t, func(conn net.Conn) {
			server := tls.Server(conn, theirs)
			if _, err := readHello(readerOf(server)); err == nil {
				_, _ = server.Write(encodeReply(bob, nil, false))
				_, _ = io.Copy(server, server)
			}
		})
		if _, err := meet(t, address, ca.of("alice", Require), alice); (err == nil) != (version == tls.VersionTLS13) {
			t.Errorf("%s of the listener: %v", tls.VersionName(version), err)
		}
	}
}

// Each mode of one end meets each of the other, also one that the other end has just changed to.
func TestModes(t *testing.T) {
	ca := newAuthority(t)
	const plain, encrypted, either, refused = "plain", "encrypted", "either", "refused"
	want := map[[2]Mode]string{ // of the dialler, of the listener
		{Off, Off}: plain, {Off, Prefer}: plain, {Off, Require}: refused,
		{Prefer, Off}: plain, {Prefer, Prefer}: either, {Prefer, Require}: encrypted,
		{Require, Off}: refused, {Require, Prefer}: encrypted, {Require, Require}: encrypted,
	}
	for _, mode := range []Mode{Off, Prefer, Require} {
		s, own := startSecured(t, ca.of("bob", Off)), ca.of("alice", mode)
		for i, theirs := range []Mode{Off, Prefer, Require, Off, Require, Prefer, Off} {
			s.security.SetMode(theirs)
			got := refused
			is, err := meet(t, s.address, own, alice)
			if err == nil {
				got = plain
				if is {
					got = encrypted
				}
			}
			if w := want[[2]Mode{mode, theirs}]; got != w && !(w == either && got != refused) {
				t.Errorf("%d: %v meets %v: %s, %v; want %s", i, mode, theirs, got, err, w)
			}
		}
		if is, err := meet(t, s.address, nil, alice); err != nil || is {
			t.Errorf("no Security meets Off: %v", err)
		}
	}
	s := startSecured(t, ca.of("bob", Prefer))
	if is, err := meet(t, s.address, ca.of("alice", Prefer), alice); err != nil || !is {
		t.Errorf("Prefer meets Prefer: encrypted %v, error %v", is, err)
	}
}

// What a node is refused with says what to change.
func TestReasonsOfModes(t *testing.T) {
	ca := newAuthority(t)
	s := startSecured(t, ca.of("bob", Require))
	for want, own := range map[string]*Security{
		"encrypted connections only": nil,
		"does not accept this node":  NewSecurity(newCredentials(newAuthority(t).issue("alice", nil), ca.pool()), Require),
	} {
		_, err := meet(t, s.address, own, alice)
		if text := Reason(err, alice, "bob", s.address, time.Second); !strings.Contains(text, want) {
			t.Errorf("%q, want %q", text, want)
		}
	}
	s.security.SetMode(Off)
	_, err := meet(t, s.address, ca.of("alice", Require), alice)
	if text := Reason(err, alice, "bob", s.address, time.Second); !strings.Contains(text, "does not speak TLS") {
		t.Errorf("%q", text)
	}
}

// A node with which this one cannot agree on encryption is there: who recovers a cluster must know.
func TestReachableWithoutAgreement(t *testing.T) {
	ca := newAuthority(t)
	s := startSecured(t, ca.of("bob", Off))
	for _, c := range []struct {
		theirs Mode
		own    *Security
	}{
		{Off, nil}, {Require, nil}, {Off, ca.of("alice", Require)}, {Require, ca.of("alice", Require)}, {Prefer, ca.of("alice", Prefer)},
		{Require, NewSecurity(newCredentials(newAuthority(t).issue("alice", nil), ca.pool()), Require)},
		{Require, newAuthority(t).of("alice", Prefer)},
	} {
		s.security.SetMode(c.theirs)
		n := NewNetwork(alice, Members{{"bob", s.address}, {"carol", "127.0.0.1:1"}}, nil, hclog.NewNullLogger())
		n.Security = c.own
		if got := n.Reachable(t.Context(), []string{"bob/22bb", "carol/1"}, helloTimeout); !slices.Equal(got, []string{"bob/22bb"}) {
			t.Errorf("%v from %v: %q", c.theirs, c.own.Mode(), got)
		}
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	}
}

// A node's certificate speaks for no other node, whatever the hello says and is for.
func TestCertificateOfAnother(t *testing.T) {
	ca := newAuthority(t)
	s := startSecured(t, ca.of("bob", Require))
	carol := ca.of("carol", Require)
	for name, from := range map[string]Identity{
		"another":             alice,
		"another's server":    {Cluster: "prod", Node: "carol", ServerID: "alice/11aa"},
		"another's name":      {Cluster: "prod", Node: "alice", ServerID: "carol/1"},
		"this node":           {Cluster: "prod", Node: "bob", ServerID: "bob/22bb", Nonce: "x"},
		"this node's server":  {Cluster: "prod", Node: "carol", ServerID: "bob/22bb", Nonce: "x"},
		"this node's process": {Cluster: "prod", Node: "carol", ServerID: bob.ServerID, Nonce: bob.Nonce},
		"nobody":              {Cluster: "prod"},
	} {
		for _, kind := range []Kind{KindForward, KindRaft, KindQuery, KindClaim, 'X'} {
			for _, old := range []bool{false, true} {
				h := &hello{kind: kind, from: from, want: "bob", old: old}
				_, _, err := dialler{security: carol}.once(t.Context(), s.address, h, true)
				if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "certificate") {
					t.Errorf("%s, for %c, old %v: %v", name, kind, old, err)
				}
			}
		}
	}
	if s.Claimed(alice.ServerID) || s.Claimed(bob.ServerID) || len(s.claims.said) > 0 {
		t.Error("it has claimed something")
	}
	for _, old := range []bool{false, true} {
		conn, _, err := dialler{security: ca.of("alice", Require)}.once(t.Context(), s.address, &hello{kind: KindForward, from: alice, want: "bob", old: old}, true)
		if err != nil {
			t.Errorf("the node itself, old %v: %v", old, err)
			continue
		}
		conn.Close()
	}
}

// A node that answers with its own certificate, and says that it is another server, is not believed.
func TestAnswerOfAnother(t *testing.T) {
	ca := newAuthority(t)
	for name, says := range map[string]Identity{
		"another": alice, "another's server": {Node: "bob", ServerID: "alice/11aa"}, "another's name": {Node: "alice", ServerID: "bob/22bb"},
	} {
		config := ca.of("bob", Require).acceptConfig()
		address := listen(t, func(conn net.Conn) {
			server := tls.Server(conn, config)
			if _, err := readHello(readerOf(server)); err == nil {
				_, _ = server.Write(encodeReply(says, nil, false))
			}
		})
		conn, _, err := dialler{security: ca.of("alice", Require)}.dial(t.Context(), address, &hello{kind: KindForward, from: alice, want: "bob"})
		if err == nil || conn != nil {
			t.Errorf("%s: believed", name)
		}
	}
}

// A new authority comes, pairs are made anew, the old authority goes: each handshake takes what is there, and no open
// connection ends.
func TestReplacedCertificates(t *testing.T) {
	first, second := newAuthority(t), newAuthority(t)
	theirs, own := newCredentials(first.issue("bob", nil), first.pool()), newCredentials(first.issue("alice", nil), first.pool())
	s, mine := startSecured(t, NewSecurity(theirs, Require)), NewSecurity(own, Require)
	open := func() net.Conn {
		t.Helper()
		conn, _, err := dialler{security: mine}.dial(t.Context(), s.address, &hello{kind: KindForward, from: alice, want: "bob"})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return conn
	}
	conns := []net.Conn{open()}
	both := poolOf(first, second)
	for _, step := range []func(){
		func() { theirs.roots.Store(both) },
		func() { own.roots.Store(both) },
		func() { theirs.cert.Store(second.issue("bob", nil)) },
		func() { own.cert.Store(second.issue("alice", nil)) },
		func() { theirs.roots.Store(second.pool()) },
		func() { own.roots.Store(second.pool()) },
	} {
		step()
		conns = append(conns, open())
	}
	own.cert.Store(first.issue("alice", nil))
	if _, err := meet(t, s.address, mine, alice); err == nil {
		t.Error("a certificate of the old authority is accepted")
	}
	for i, conn := range conns {
		if _, err := conn.Write([]byte("x")); err != nil {
			t.Errorf("connection %d: %v", i, err)
		}
		if _, err := io.ReadFull(conn, make([]byte, 1)); err != nil {
			t.Errorf("connection %d: %v", i, err)
		}
	}
}
