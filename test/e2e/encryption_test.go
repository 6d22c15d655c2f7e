//go:build e2e

package e2e

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"ciderd/test/harness"
)

// TestEncryptUnderLoad takes a cluster that runs in plain text to encryption between its nodes and back, by reloads,
// one node at a time and under load: no client sees an error, nothing is lost, and no node elects.
func TestEncryptUnderLoad(t *testing.T) {
	c := harness.Start(t, harness.Options{Nodes: 3, Config: patient})
	c.MakeCertificates()
	c.PeerTLS("off")
	c.WriteConfig(patient)
	for _, n := range c.Nodes { // for the clients' ports with TLS, which need a restart
		restartAs(t, n, harness.Binary(t))
	}
	harness.MakeUser(t, c.Leader(), "operator")
	l := startLoad(t, c)
	terms := termsOf(t, c)
	for _, mode := range []string{"prefer", "require", "prefer", "off"} {
		c.PeerTLS(mode)
		c.WriteConfig(patient)
		for _, n := range c.Nodes {
			n.Signal(syscall.SIGHUP)
			harness.Eventually(t, n.Name+" has "+mode, func() error { return saysPeerTLS(t, n, mode) })
			l.progress(t, 20, c.Nodes...)
		}
		want := map[string]string{"prefer": "prefer all nodes speak TLS", "require": "require", "off": "off"}[mode]
		for _, n := range c.Nodes {
			harness.Eventually(t, n.Name+" says "+want, func() error { return saysPeerTLS(t, n, want) })
		}
		l.progress(t, 100, c.Nodes...)
	}
	l.halt()
	l.check(t, c, c.Nodes)
	if now := termsOf(t, c); now != terms {
		t.Errorf("terms were %s, and are %s: there was an election", terms, now)
	}
}

// termsOf returns what all nodes say of the term.
func termsOf(t *testing.T, c *harness.Cluster) (all string) {
	t.Helper()
	if err := eachStatus(t, c, func(s map[string]string) error { all += s["node"] + " " + s["term"] + ";"; return nil }); err != nil {
		t.Fatal(err)
	}
	return all
}

// saysPeerTLS wants a node's STATUS to say how it speaks to others; words may follow.
func saysPeerTLS(t *testing.T, n *harness.Node, want string) error {
	t.Helper()
	conn := harness.LoginAs(t, n, "operator")
	defer func() { _ = conn.Close() }()
	s, err := conn.Status()
	if err == nil && !strings.HasPrefix(s["peer_tls"], want) {
		err = fmt.Errorf("peer_tls %s", s["peer_tls"])
	}
	return err
}

// encryptedCluster is three nodes that have never spoken plain text, and a user that is the operator.
func encryptedCluster(t *testing.T) *harness.Cluster {
	t.Helper()
	c := harness.New(t, harness.Options{Nodes: 3, Config: patient})
	c.MakeCertificates()
	c.WriteConfig(patient)
	for _, n := range c.Nodes {
		n.Start()
	}
	c.WaitReady()
	harness.MakeUser(t, c.Leader(), "operator")
	return c
}

// TestNewClusterEncrypted forms a cluster of nodes that never speak plain text, renews all certificates under load,
// restarts a node and wipes one.
func TestNewClusterEncrypted(t *testing.T) {
	c := encryptedCluster(t)
	l := startLoad(t, c)
	var clients []net.Conn
	for _, n := range c.Nodes {
		conn, err := tls.Dial("tcp", n.TextTLS, &tls.Config{InsecureSkipVerify: true}) // this is about the connection
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		_ = conn.SetDeadline(time.Now().Add(2 * harness.Limit))
		clients = append(clients, conn)
		answers(t, conn, "", harness.Banner)
	}
	for _, n := range c.Nodes {
		if err := saysPeerTLS(t, n, "require"); err != nil {
			t.Error(err)
		}
		c.RenewCertificate(n)
		n.Signal(syscall.SIGHUP)
		harness.Eventually(t, n.Name+" has its new certificate", func() error { return hasLogged(n, "certificates read again") })
		l.progress(t, 50, c.Nodes...)
		for _, conn := range clients {
			answers(t, conn, "PING\n", "PONG")
		}
	}
	follower := c.Followers(c.Leader())[0]
	restartAs(t, follower, harness.Binary(t))
	l.progress(t, 50, c.Nodes...)
	follower.Kill()
	follower.WipeData()
	follower.Start()
	follower.WaitServing()
	l.progress(t, 50, c.Nodes...)
	l.halt()
	l.check(t, c, c.Followers(follower))
}

// answers wants a line for what is sent.
func answers(t *testing.T, conn net.Conn, send, want string) {
	t.Helper()
	got := make([]byte, len(want)+1)
	_, err := io.WriteString(conn, send)
	if err == nil {
		_, err = io.ReadFull(conn, got)
	}
	if err != nil || string(got) != want+"\n" {
		t.Errorf("%q is answered %q, %v", send, got, err)
	}
}

// TestStrangersHandshakes has strangers begin handshakes by the thousand, on the ports of nodes and of clients, and
// leave them where they are, break them off, or finish them without a certificate: the cluster goes on writing, nobody
// elects, and a node that restarts meanwhile is heard.
func TestStrangersHandshakes(t *testing.T) {
	c := encryptedCluster(t)
	l := startLoad(t, c)
	terms := termsOf(t, c)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	var begun atomic.Int64
	for _, n := range c.Nodes {
		for _, address := range []string{n.Peer(), n.TextTLS} {
			for how := range 4 {
				wg.Go(func() {
					var left []net.Conn
					for !stopped(stop) {
						conn, err := net.DialTimeout("tcp", address, 5*time.Second)
						if err != nil {
							continue // the port of the node that is away
						}
						begun.Add(1)
						left = append(left, strangersHandshake(conn, how))
						if len(left) > 100 {
							_ = left[0].Close()
							left = left[1:]
						}
					}
					for _, conn := range left {
						_ = conn.Close()
					}
				})
			}
		}
	}
	harness.Eventually(t, "thousands of handshakes", func() error {
		if n := begun.Load(); n < 3000 {
			return fmt.Errorf("%d", n)
		}
		return nil
	})
	l.progress(t, 50, c.Nodes...)
	if now := termsOf(t, c); now != terms {
		t.Errorf("terms were %s, and are %s: there was an election", terms, now)
	}
	follower := c.Followers(c.Leader())[0]
	restartAs(t, follower, harness.Binary(t))
	l.progress(t, 50, c.Nodes...)
	close(stop)
	wg.Wait()
	l.halt()
	l.check(t, c, c.Followers(follower))
	t.Logf("%d connections", begun.Load())
}

func stopped(stop chan struct{}) bool {
	select {
	case <-stop:
		return true
	default:
		return false
	}
}

// strangersHandshake begins a handshake in one of four ways: with nothing, with a part of it, with garbage behind its
// header, and as a client without a certificate, as far as that gets.
func strangersHandshake(conn net.Conn, how int) net.Conn {
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	switch how {
	case 1:
		_, _ = conn.Write([]byte{0x16, 3, 1, 2, 0, 1, 0})
	case 2:
		_, _ = conn.Write(append([]byte{0x16, 3, 1, 0, 200}, make([]byte, 200)...))
	case 3:
		secret := tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
		if secret.Handshake() == nil {
			_, _ = secret.Write([]byte("CIDERPEER\x01R"))
			_, _ = secret.Read(make([]byte, 100))
		}
	}
	return conn
}
