package resp

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
)

// live is a connection to a redis-server 7.0, the reference for every word and byte. Tests that compare with it are
// left out where there is none; what it answers is also checked in, where a test can do with that.
type live struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
	path string
}

// startLive runs a server for one test.
func startLive(t *testing.T) *live {
	t.Helper()
	version, err := exec.Command("redis-server", "--version").Output()
	if err != nil || !strings.Contains(string(version), "v=7.0.") {
		t.Skipf("no redis-server 7.0 is installed: %v %s", err, version)
	}
	dir, err := os.MkdirTemp("", "resp") // not the test's own, whose name may be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "s")
	ctx, stop := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, "redis-server", "--port", "0", "--unixsocket", path, "--save", "", "--enable-debug-command", "yes", "--daemonize", "no",
		"--databases", "1")
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
			l := &live{t: t, path: path}
			l.dial()
			return l
		}
	}
	t.Fatal("redis-server ended")
	return nil
}

// dial makes a new connection.
func (l *live) dial() {
	l.t.Helper()
	if l.conn != nil {
		l.conn.Close()
	}
	conn, err := net.Dial("unix", l.path)
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(5 * time.Minute)) // a test that waits for nothing must end
	l.conn, l.in = conn, bufio.NewReader(conn)
}

// do returns the reply to one request, as it was sent.
func (l *live) do(args ...string) string {
	l.t.Helper()
	l.send(bulks(args...))
	return l.reply()
}

func (l *live) send(s string) {
	l.t.Helper()
	if _, err := io.WriteString(l.conn, s); err != nil {
		l.t.Fatal(err)
	}
}

func (l *live) reply() string {
	l.t.Helper()
	reply, err := readReply(l.in)
	if err != nil {
		l.t.Fatal(err)
	}
	return reply
}

// readReply reads one reply of RESP 2 or 3.
func readReply(in *bufio.Reader) (string, error) {
	line, err := in.ReadString('\n')
	if err != nil {
		return line, err
	}
	n, _ := strconv.Atoi(strings.TrimRight(line[1:], "\r\n"))
	switch line[0] {
	case '$', '=':
		if n < 0 {
			return line, nil
		}
		data := make([]byte, n+2)
		_, err := io.ReadFull(in, data)
		return line + string(data), err
	case '*', '~', '>', '%':
		if line[0] == '%' {
			n *= 2
		}
		for range n {
			element, err := readReply(in)
			if line += element; err != nil {
				return line, err
			}
		}
	}
	return line, nil
}
