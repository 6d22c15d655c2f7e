//go:build e2e

package e2e

import (
	"bufio"
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"ciderd/test/harness"
)

// respConn is a connection to a server that speaks Redis' protocol.
type respConn struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
}

func dialRESP(t *testing.T, network, address string) *respConn {
	t.Helper()
	conn, err := net.Dial(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(5 * time.Minute)) // a test that waits for nothing must end
	return &respConn{t: t, conn: conn, in: bufio.NewReader(conn)}
}

// do returns the reply to one request, as it was sent.
func (c *respConn) do(args ...string) string {
	c.t.Helper()
	c.send(harness.RESP(args...))
	return c.reply()
}

func (c *respConn) send(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c.conn, text); err != nil {
		c.t.Fatal(err)
	}
}

func (c *respConn) reply() string {
	c.t.Helper()
	reply, err := readRESP(c.in)
	if err != nil {
		c.t.Fatalf("%v, after %q", err, reply)
	}
	return reply
}

// readRESP reads one reply of RESP 2 or 3.
func readRESP(in *bufio.Reader) (string, error) {
	line, err := in.ReadString('\n')
	if err != nil {
		return line, err
	}
	n, _ := strconv.Atoi(strings.TrimRight(line[1:], "\r\n")) // of a type that has no number it is not used
	switch line[0] {
	case '$', '=':
		if n < 0 {
			return line, nil
		}
		data := make([]byte, n+2)
		_, err := io.ReadFull(in, data)
		return line + string(data), err
	case '%':
		n *= 2
		fallthrough
	case '*', '~', '>':
		for range n {
			element, err := readRESP(in)
			if line += element; err != nil {
				return line, err
			}
		}
	}
	return line, nil
}

// startRedis runs a redis-server 7.0 and returns its socket. It has the users of startCiderd, and one database.
func startRedis(t *testing.T) (socket string) {
	t.Helper()
	version, err := exec.Command("redis-server", "--version").Output()
	if err != nil || !strings.Contains(string(version), "v=7.0.") {
		t.Skipf("no redis-server 7.0 is installed, so there is nothing to compare with: %v %s", err, version)
	}
	dir, err := os.MkdirTemp("", "redis") // not the test's own, whose name may be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket = filepath.Join(dir, "s")
	ctx, stop := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, "redis-server", "--port", "0", "--unixsocket", socket, "--save", "", "--daemonize", "no", "--databases", "1",
		"--proto-max-bulk-len", "1mb", "--requirepass", "default-secret", "--user", "alice", "on", ">alice-secret", "~*", "&*", "+@all")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(); cmd.Wait() })
	for s := bufio.NewScanner(out); s.Scan(); {
		if strings.Contains(strings.ToLower(s.Text()), "ready to accept connections") {
			go io.Copy(io.Discard, out)
			return socket
		}
	}
	t.Fatal("redis-server ended")
	return ""
}

// startCiderd runs nodes and returns the address for programs of one that does not lead, or of the only one. alice and
// default have accounts.
func startCiderd(t *testing.T, nodes int) (address string) {
	t.Helper()
	c := harness.Start(t, harness.Options{
		Nodes: nodes, Redis: true,
		Config: "limits { max_value_size = \"1MiB\" }\nauth { bcrypt_cost = 4 }\n",
	})
	at := c.Nodes[0]
	if nodes > 1 {
		at = c.Followers(c.Leader())[0]
	}
	for _, user := range []string{"alice", "default"} {
		if reply := dialRESP(t, "tcp", at.Redis).do("SIGNUP", user, user+"-secret"); reply != "+OK\r\n" {
			t.Fatalf("SIGNUP %s: %q", user, reply)
		}
	}
	return at.Redis
}

// twins are a connection to each of the two, to which the same is sent.
type twins struct {
	t               *testing.T
	theirs, ours    *respConn
	socket, address string
	open            bool       // there is a transaction
	queued          [][]string // its commands
}

func (w *twins) again() *twins {
	w.t.Helper()
	return &twins{t: w.t, theirs: dialRESP(w.t, "unix", w.socket), ours: dialRESP(w.t, "tcp", w.address), socket: w.socket, address: w.address}
}

// do sends a request to both and returns the two replies.
func (w *twins) do(args ...string) (theirs, ours string) {
	w.t.Helper()
	w.theirs.send(harness.RESP(args...))
	w.ours.send(harness.RESP(args...))
	return w.theirs.reply(), w.ours.reply()
}

// must sends a request to both, which must have the same answer, and returns that.
func (w *twins) must(args ...string) string {
	w.t.Helper()
	theirs, ours := w.do(args...)
	if theirs != ours {
		w.t.Fatalf("%q: Redis answers %q, we %q", args, theirs, ours)
	}
	return ours
}

// logIn makes both connections alice's, with a version of the protocol.
func (w *twins) logIn(version string) {
	w.t.Helper()
	for _, reply := range []string{w.theirs.do("HELLO", version, "AUTH", "alice", "alice-secret"), w.ours.do("HELLO", version, "AUTH", "alice", "alice-secret")} {
		if strings.HasPrefix(reply, "-") {
			w.t.Fatalf("HELLO: %q", reply)
		}
	}
}
