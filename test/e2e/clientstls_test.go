//go:build e2e

package e2e

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"ciderd/test/harness"
)

// Clients that speak TLS and check the certificate; ncat knows no addresses in it. ncat ends its input with a FIN and nothing more, socat with TLS's
// close_notify; s_client reads on and leaves the end to the server. ncat compares names only, and no addresses.
var encryptingClients = []realClient{
	{name: "openssl s_client, QUIT", quit: true,
		args: []string{"openssl", "s_client", "-quiet", "-verify_return_error", "-verify_ip", "HOST", "-CAfile", "ROOTS", "-connect", "HOST:PORT"}},
	{name: "openssl s_client of TLS 1.2, QUIT", quit: true,
		args: []string{"openssl", "s_client", "-quiet", "-tls1_2", "-verify_return_error", "-CAfile", "ROOTS", "-connect", "HOST:PORT"}},
	{name: "openssl s_client -crlf, QUIT", quit: true,
		args: []string{"openssl", "s_client", "-quiet", "-crlf", "-verify_return_error", "-CAfile", "ROOTS", "-connect", "HOST:PORT"}},
	{name: "ncat --ssl", args: []string{"ncat", "--ssl-verify", "--ssl-trustfile", "ROOTS", "localhost", "PORT"}},
	{name: "ncat --ssl, QUIT", quit: true, args: []string{"ncat", "--ssl-verify", "--ssl-trustfile", "ROOTS", "localhost", "PORT"}},
	{name: "socat", args: []string{"socat", "-t60", "-", "OPENSSL:HOST:PORT,cafile=ROOTS"}},
	{name: "socat, QUIT", quit: true, args: []string{"socat", "-t60", "-", "OPENSSL:HOST:PORT,cafile=ROOTS"}},
}

// encrypted is a node with a port that encrypts, beside the plain one.
type encrypted struct {
	c    *harness.Cluster
	n    *harness.Node
	addr string // of that port
}

// startEncrypted starts a node with a certificate; listen is added to the block of that name.
func startEncrypted(t *testing.T, listen string) *encrypted {
	t.Helper()
	c := harness.New(t, harness.Options{})
	e := &encrypted{c, c.Nodes[0], c.Nodes[0].TextTLS}
	c.MakeCertificates()
	c.WriteConfig("listen {\n" + listen + "\n}")
	e.n.Start()
	c.WaitReady()
	return e
}

func (e *encrypted) ca() string { return e.c.Authority() }

// TestEncryptingClients is TestRealClients for clients that speak TLS.
func TestEncryptingClients(t *testing.T) {
	e := startEncrypted(t, "")
	pipeInto(t, e.n, e.addr, e.ca(), encryptingClients)
}

// TestTypingIntoOpenSSL is a session of somebody who types: prompts come without a line end, and each line is answered
// before the next one is typed.
func TestTypingIntoOpenSSL(t *testing.T) {
	harness.Need(t, "openssl")
	harness.Need(t, "script")
	e := startEncrypted(t, "")
	term := startTerminal(t, "openssl s_client -quiet -CAfile "+e.ca()+" -connect "+e.addr)
	term.types("SIGNUP\n")
	term.hears("\nEnter username: ")
	term.types("typed-" + harness.Unique() + "\n")
	term.hears("\nEnter password: ")
	term.asks("secret", "User created successfully")
	term.asks("SET foo bar", "OK")
	term.asks("GET foo", "bar")
	term.asks("QUIT", "BYE")
	term.ends()
}

// TestReplacedCertificate: a certificate that is replaced is used by the next client, and who is connected goes on.
func TestReplacedCertificate(t *testing.T) {
	harness.Need(t, "openssl")
	harness.Need(t, "script")
	e := startEncrypted(t, "")
	serial := func() string {
		out, err := exec.Command("sh", "-c", "openssl s_client -connect "+e.addr+" </dev/null 2>/dev/null | openssl x509 -noout -serial").Output()
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	before := serial()
	term := startTerminal(t, "openssl s_client -quiet -CAfile "+e.ca()+" -connect "+e.addr)
	e.c.RenewCertificate(e.n)
	e.n.Signal(syscall.SIGHUP)
	harness.Eventually(t, "another certificate", func() error {
		if serial() == before {
			return errors.New("it is the old one")
		}
		return nil
	})
	term.asks("PING still here", "still here")
	term.asks("QUIT", "BYE")
	term.ends()
}

// TestProxiedClients: behind a proxy each client has its own address, before TLS too; without the header nobody is served.
func TestProxiedClients(t *testing.T) {
	e := startEncrypted(t, `proxy_from = ["127.0.0.1"]`)
	const header = "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x07\xc0\x00\x02\x01\x04\xd2\x1f\x90" // 192.0.2.7:1234 to 192.0.2.1:8080
	for name, addr := range map[string]string{"plain": e.n.Text, "tls": e.addr} {
		for first, want := range map[string]string{header: harness.Banner + "\n", "": ""} {
			conn, err := net.Dial("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(harness.Limit))
			if _, err := io.WriteString(conn, first); err != nil {
				t.Fatal(err)
			}
			if addr == e.addr && first != "" {
				conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true}) // who it is, is not what this is about
			}
			if _, err := io.WriteString(conn, "PING\nPING\nPING\nPING\nQUIT\n"); err != nil {
				t.Fatal(err)
			}
			got, _ := io.ReadAll(conn) // the end may be a reset
			if !strings.HasPrefix(string(got), want) || want == "" && len(got) > 0 {
				t.Errorf("%s: after %q got %q", name, first, got)
			}
		}
	}
}

// TestCLIEncrypted: `ciderd cli -tls` talks to a node whose certificate is that of an authority that it is told, and to no
// other one.
func TestCLIEncrypted(t *testing.T) {
	e := startEncrypted(t, "")
	user := "typist-" + harness.Unique()
	harness.MakeUser(t, e.n, user)
	cli := func(stdin string, args ...string) said {
		t.Helper()
		return program(t, stdin, append([]string{"cli", "-addr", e.addr}, args...)...)
	}
	s := cli(harness.Password+"\n", "-tls", "-ca", e.ca(), "-user", user, "-c", `SET k "a b"`)
	does(t, s)
	if s.out != "OK\n" {
		t.Errorf("it prints %q", s.out)
	}
	s = cli(harness.Password+"\nGET k\nHAS none\n", "-ca", e.ca(), "-user", user) // -ca says that it is to encrypt
	does(t, s)
	if s.out != "a b\nfalse\n" {
		t.Errorf("it prints %q", s.out)
	}
	fails(t, cli("", "-tls", "-c", "PING"), 1, "certificate signed by unknown authority")
	stranger := harness.New(t, harness.Options{})
	stranger.MakeCertificates()
	fails(t, cli("", "-tls", "-ca", stranger.Authority(), "-c", "PING"), 1, "certificate")
	fails(t, cli("", "-c", "PING"), 1, "One that encrypts wants -tls")
	fails(t, program(t, "", "cli", "-addr", e.n.Text, "-tls", "-ca", e.ca(), "-c", "PING"), 1, "tls: ")
}
