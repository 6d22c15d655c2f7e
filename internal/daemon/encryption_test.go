package daemon_test

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ciderd/internal/certs"
	"ciderd/internal/daemon"
)

// authority makes certificates in a directory.
type authority struct {
	*certs.Authority
	t   *testing.T
	dir string
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a, err := certs.NewAuthority("test", time.Now())
	dir := t.TempDir()
	if err == nil {
		err = a.Write(dir)
	}
	if err != nil {
		t.Fatal(err)
	}
	return &authority{a, t, dir}
}

func (a *authority) file() string { return filepath.Join(a.dir, certs.AuthorityFile) }

// issue puts a new pair for a name in the place of the old one.
func (a *authority) issue(name string, days int) (certFile, keyFile string) {
	a.t.Helper()
	cert, key, err := a.Issue([]string{name}, []net.IP{net.IPv4(127, 0, 0, 1)}, time.Now(), days)
	if err == nil {
		certFile, keyFile, err = certs.WritePair(a.dir, name, cert, key)
	}
	if err != nil {
		a.t.Fatal(err)
	}
	return certFile, keyFile
}

// client is a connection with TLS.
type client struct {
	net.Conn
	r *bufio.Reader
}

// dial connects with TLS, and returns what the server's certificate is.
func (a *authority) dial(n *node, own ...tls.Certificate) (*client, *x509.Certificate, error) {
	a.t.Helper()
	pool, err := certs.OpenPool(a.file())
	if err != nil {
		a.t.Fatal(err)
	}
	conn, err := tls.Dial("tcp", n.TLSAddr().String(), &tls.Config{RootCAs: pool.Roots(), ServerName: "127.0.0.1", Certificates: own})
	if err != nil {
		return nil, nil, err
	}
	a.t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(2 * time.Minute))
	c := &client{conn, bufio.NewReader(conn)}
	if line, err := c.r.ReadString('\n'); err != nil || !strings.HasPrefix(line, "LOGIN") {
		return nil, nil, fmt.Errorf("the banner is %q: %w", line, err)
	}
	return c, conn.ConnectionState().PeerCertificates[0], nil
}

func (c *client) ask(line string) string {
	if _, err := fmt.Fprintln(c, line); err != nil {
		return err.Error()
	}
	return c.next()
}

// next returns the next line; END after an error, so that whoever reads to there comes to an end.
func (c *client) next() string {
	line, err := c.r.ReadString('\n')
	if err != nil {
		return "END"
	}
	return strings.TrimSpace(line)
}

const tlsBlock = "limits {}\ntls {\n  cert_file = %q\n  key_file = %q\n}\n"

func (n *node) reload(more string) error {
	n.config(more)
	_, err := n.Reload()
	return err
}

// A certificate is replaced while the node runs: new connections get the new one, and none is dropped; files that do not
// work change nothing.
func TestReplacedCertificate(t *testing.T) {
	t.Setenv("CIDERD_LISTEN_TEXT_TLS", "127.0.0.1:0")
	a := newAuthority(t)
	more := func(certFile, keyFile string) string { return fmt.Sprintf(tlsBlock, certFile, keyFile) }
	certFile, keyFile := a.issue("ciderd", 50)
	n := open(t, t.TempDir(), more(certFile, keyFile))
	defer n.stop()
	old, first, err := a.dial(n)
	if err != nil {
		t.Fatal(err)
	}
	if got := old.ask("SIGNUP alice some-password"); !strings.HasPrefix(got, "User created") {
		t.Fatal(got)
	}
	again := func(what string, want *x509.Certificate) *x509.Certificate {
		t.Helper()
		_, got, err := a.dial(n)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if want != nil && !got.Equal(want) {
			t.Errorf("%s: another certificate", what)
		}
		if got := old.ask("SET k v"); got != "OK" {
			t.Errorf("%s: the first connection: %s", what, got)
		}
		return got
	}
	if err := n.reload(more(certFile, keyFile)); err != nil {
		t.Error(err)
	}
	again("nothing changed", first)
	a.issue("ciderd", 60)
	again("not told yet", first)
	if err := n.reload(more(certFile, keyFile)); err != nil {
		t.Error(err)
	}
	second := again("replaced", nil)
	if second.Equal(first) {
		t.Error("the new certificate is not used")
	}
	if err := os.WriteFile(certFile, []byte("garbage"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := n.reload(more(certFile, keyFile)); err != nil {
		t.Error("the rest of the file is taken over:", err)
	}
	again("garbage", second)
	nowhere := filepath.Join(a.dir, "nowhere.pem")
	if err := n.reload(more(nowhere, keyFile)); err == nil || !strings.Contains(err.Error(), nowhere) {
		t.Error(err)
	}
	again("another file, which is not there", second)
	otherCert, otherKey := a.issue("other", 10)
	if err := n.reload(more(otherCert, otherKey)); err != nil {
		t.Error(err)
	}
	if third := again("another file", nil); third.Equal(second) {
		t.Error("the other file's certificate is not used")
	}
	want, found := "notice "+otherCert+" expires in 9 days", false
	for line := old.ask("STATUS"); line != "END" && !found; line = old.next() {
		found = strings.HasPrefix(line, want)
	}
	if !found {
		t.Error("nothing says that it expires soon")
	}
}

// With client_ca_file clients need a certificate, of the authorities that the file has at the moment.
func TestClientsCertificates(t *testing.T) {
	t.Setenv("CIDERD_LISTEN_TEXT_TLS", "127.0.0.1:0")
	a, others := newAuthority(t), newAuthority(t)
	certFile, keyFile := a.issue("ciderd", 50)
	pair := func(a *authority) tls.Certificate {
		certFile, keyFile := a.issue("client", 50)
		pair, err := tls.LoadX509KeyPair(certFile, keyFile)
		if err != nil {
			t.Fatal(err)
		}
		return pair
	}
	more := strings.TrimSuffix(fmt.Sprintf(tlsBlock, certFile, keyFile), "}\n") + fmt.Sprintf("client_ca_file = %q\n}\n", others.file())
	n := open(t, t.TempDir(), more)
	defer n.stop()
	check := func(what string, works bool, own ...tls.Certificate) {
		t.Helper()
		if _, _, err := a.dial(n, own...); (err == nil) != works {
			t.Errorf("%s: %v", what, err)
		}
	}
	check("none", false)
	check("of another authority", false, pair(a))
	check("right", true, pair(others))
	text, err := os.ReadFile(a.file())
	if err == nil {
		err = os.WriteFile(others.file(), text, 0o600)
	}
	if err == nil {
		err = n.reload(more)
	}
	if err != nil {
		t.Fatal(err)
	}
	check("of the new authority", true, pair(a))
	check("of the old one", false, pair(others))
}

// Certificates that do not work are an error of configuration at the start, and nothing is left behind.
func TestStartWithoutCertificate(t *testing.T) {
	dir := t.TempDir()
	n := &node{t: t, path: filepath.Join(dir, "ciderd.hcl"), dir: filepath.Join(dir, "data")}
	c := n.config(fmt.Sprintf(tlsBlock, filepath.Join(dir, "no.pem"), filepath.Join(dir, "no-key.pem")))
	logs := daemon.NewLogs(c)
	defer logs.Close()
	_, err := daemon.Open(c, "test", logs)
	if err == nil || daemon.ExitCode(err) != 78 || !strings.Contains(err.Error(), "no.pem") {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(n.dir); err == nil {
		t.Error("it has made its directory")
	}
}
