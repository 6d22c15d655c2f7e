package daemon_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ciderd/internal/certs"
	"ciderd/internal/daemon"
)

// redisAt connects to a port for clients of Redis; secure: to the one with TLS.
func (a *authority) redisAt(n *node, secure bool) *client {
	a.t.Helper()
	address := n.RedisAddr()
	if secure {
		address = n.RedisTLSAddr()
	}
	conn, err := net.Dial("tcp", address.String())
	if err != nil {
		a.t.Fatal(err)
	}
	a.t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(2 * time.Minute))
	if !secure {
		return &client{conn, bufio.NewReader(conn)}
	}
	pool, err := certs.OpenPool(a.file())
	if err != nil {
		a.t.Fatal(err)
	}
	encrypted := tls.Client(conn, &tls.Config{RootCAs: pool.Roots(), ServerName: "127.0.0.1"})
	return &client{encrypted, bufio.NewReader(encrypted)}
}

// The ports for clients of Redis have the users and the items of the others.
func TestRedisPorts(t *testing.T) {
	t.Setenv("CIDERD_LISTEN_REDIS", "127.0.0.1:0")
	t.Setenv("CIDERD_LISTEN_REDIS_TLS", "127.0.0.1:0")
	t.Setenv("CIDERD_LISTEN_TEXT_TLS", "127.0.0.1:0")
	a := newAuthority(t)
	certFile, keyFile := a.issue("ciderd", 50)
	n := open(t, t.TempDir(), fmt.Sprintf(tlsBlock, certFile, keyFile))
	defer n.stop()
	n.talk("SIGNUP alice secret", "User created", "SET k v", "OK")
	for _, secure := range []bool{false, true} {
		c := a.redisAt(n, secure)
		for _, step := range [][2]string{{"PING", "-NOAUTH"}, {"AUTH alice secret", "+OK"}, {"EXISTS k", ":1"}} {
			if got := c.ask(step[0]); !strings.HasPrefix(got, step[1]) {
				t.Errorf("%s is answered %s", step[0], got)
			}
		}
	}
}

// A port for clients of Redis that is taken is an error if somebody has asked for it; else the node does without.
func TestATakenRedisPort(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dir := t.TempDir()
	n := &node{t: t, path: filepath.Join(dir, "ciderd.hcl"), dir: filepath.Join(dir, "data")}
	c := n.config("")
	c.Redis = l.Addr().String()
	logs := daemon.NewLogs(c)
	if _, err := daemon.Open(c, "test", logs); err == nil || !strings.Contains(err.Error(), "the port for clients") {
		t.Errorf("it opens: %v", err)
	}
	c.RedisByDefault = true
	d, err := daemon.Open(c, "test", logs)
	if err != nil {
		t.Fatal(err)
	}
	n.Daemon, n.logs = d, logs
	if d.RedisAddr() != nil || d.Addr() == nil {
		t.Errorf("it listens on %v and %v", d.RedisAddr(), d.Addr())
	}
	n.stop()
}
