package server

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"sync"
	"testing"
	"time"

	"ciderd/internal/certs"
)

// authority signs the certificates of a test. Its clock stands still, so that they are valid in bubbles too.
type authority struct {
	t     testing.TB
	ca    *certs.Authority
	roots *x509.CertPool
}

var (
	authorityTime = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	authorityOnce = sync.OnceValues(func() (*certs.Authority, error) { return certs.NewAuthority("test", authorityTime) })
)

func newAuthority(t testing.TB) *authority {
	t.Helper()
	ca, err := authorityOnce()
	if err != nil {
		t.Fatal(err)
	}
	return trusting(t, ca)
}

// strangeAuthority is another one than newAuthority's.
func strangeAuthority(t testing.TB) *authority {
	t.Helper()
	ca, err := certs.NewAuthority("stranger", authorityTime)
	if err != nil {
		t.Fatal(err)
	}
	return trusting(t, ca)
}

func trusting(t testing.TB, ca *certs.Authority) *authority {
	t.Helper()
	dir := t.TempDir()
	if err := ca.Write(dir); err != nil {
		t.Fatal(err)
	}
	pool, err := certs.OpenPool(dir + "/" + certs.AuthorityFile)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{t: t, ca: ca, roots: pool.Roots()}
}

// pair makes a certificate for a name.
func (a *authority) pair(name string) tls.Certificate {
	a.t.Helper()
	cert, key, err := a.ca.Issue([]string{name}, []net.IP{net.IPv4(127, 0, 0, 1)}, authorityTime, 300)
	if err != nil {
		a.t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		a.t.Fatal(err)
	}
	return pair
}

// serverConfig is what a port with a certificate for a name has.
func (a *authority) serverConfig(name string) *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{a.pair(name)}, MinVersion: tls.VersionTLS12, Time: frozen}
}

// clientConfig is what a client has that asks for a name.
func (a *authority) clientConfig(name string) *tls.Config {
	return &tls.Config{RootCAs: a.roots, ServerName: name, Time: frozen}
}

func frozen() time.Time { return authorityTime.Add(time.Hour) }

// starter is start, on one transport or another.
type starter func(t *testing.T, cfg Config) *world

// onEach runs a test on a plain port and on one that encrypts.
func onEach(t *testing.T, test func(t *testing.T, start starter)) {
	t.Run("plain", func(t *testing.T) { test(t, start) })
	t.Run("tls", func(t *testing.T) { test(t, startTLS) })
}

// startTLS is start with a port that encrypts.
func startTLS(t *testing.T, cfg Config) *world {
	t.Helper()
	w := newWorld(t, cfg, nil)
	a := newAuthority(t)
	config := a.serverConfig("cider-1")
	w.serve(func(l net.Listener) error { return w.server.ServeTLS(l, func() *tls.Config { return config }) })
	w.secure = a.clientConfig("cider-1")
	return w
}

// halfClose tells the server that nothing more comes.
func (c *testClient) halfClose() {
	c.t.Helper()
	if err := c.conn.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		c.t.Fatal(err)
	}
}

// tcp is the connection below encryption.
func (c *testClient) tcp() *net.TCPConn {
	if e, ok := c.conn.(*tls.Conn); ok {
		return e.NetConn().(*net.TCPConn)
	}
	return c.conn.(*net.TCPConn)
}
