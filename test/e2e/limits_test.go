//go:build e2e

package e2e

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"ciderd/test/harness"
)

// A plainConn is a connection without the harness's choice of an address.
type plainConn struct {
	net.Conn
	lines *bufio.Reader
}

// dialFrom connects from one fixed address; it reads nothing.
func dialFrom(t *testing.T, from, addr string) *plainConn {
	t.Helper()
	d := net.Dialer{Timeout: harness.Limit, LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	conn, err := d.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &plainConn{Conn: conn, lines: bufio.NewReader(conn)}
}

func (p *plainConn) line(limit time.Duration) (string, error) {
	if err := p.SetReadDeadline(time.Now().Add(limit)); err != nil {
		return "", err
	}
	return p.lines.ReadString('\n')
}

// TestBusy: more first logins at once than may wait for bcrypt. What has no place
// in the queue is told so; everything else is judged; nothing is left without an
// answer; and somebody from elsewhere gets in all the while.
func TestBusy(t *testing.T) {
	const (
		conns = 1400
		limit = 5 * time.Minute // each answer may wait for all before it
	)
	// One bcrypt at a time whatever the machine has, and each slow enough for the
	// queue to fill faster than it drains, also if that takes some seconds.
	c := harness.Start(t, harness.Options{
		Config: "auth {\n bcrypt_cost = 8\n login_timeout = \"10m\"\n }",
		Env:    []string{"GOMAXPROCS=2"},
	})
	n := c.Nodes[0]
	crowd := make([]*plainConn, conns)
	for i := range crowd {
		crowd[i] = dialFrom(t, "127.99.0.3", n.Text)
		if line, err := crowd[i].line(limit); line != harness.Banner+"\n" {
			t.Fatalf("connection %d: %q, %v; want the banner", i, line, err)
		}
	}
	for i, p := range crowd {
		if _, err := fmt.Fprintf(p, "LOGIN nobody%d nothing\n", i); err != nil {
			t.Fatal(err)
		}
	}
	harness.LoginAs(t, n, "elsewhere")
	count := make(map[string]int)
	for _, p := range crowd {
		line, err := p.line(limit)
		code, _, _ := strings.Cut(strings.TrimPrefix(line, "ERR "), " ")
		if err != nil || code != "BUSY" && code != "AUTH_FAILED" {
			t.Fatalf("%q, %v; want BUSY or AUTH_FAILED; until here %v", line, err, count)
		}
		count[code]++
	}
	t.Log(count)
	if count["BUSY"] == 0 || count["AUTH_FAILED"] == 0 {
		t.Errorf("%v, want some of both", count)
	}
	// A connection that was told BUSY is as good as before.
	for _, p := range crowd {
		if _, err := io.WriteString(p, "PING\n"); err != nil {
			t.Fatal(err)
		}
		if line, err := p.line(harness.Limit); line != "PONG\n" {
			t.Fatalf("PING after it: %q, %v", line, err)
		}
	}
}

// TestMemoryFull: where the disk is nearly full, what makes the state grow is
// refused in words; reads and deletions go on, and deletions make room for SETs.
func TestMemoryFull(t *testing.T) {
	t.Parallel()
	c := harness.New(t, harness.Options{})
	n := c.Nodes[0]
	n.SmallDisk("48m")
	n.Start()
	n.WaitServing()
	conn := harness.LoginAs(t, n, "hoarder")
	value := strings.Repeat("x", 400<<10)
	// The node looks at its disk twice a second. A client that writes much faster
	// than a disk would, as it can here, is not what this is about.
	pace := time.NewTicker(50 * time.Millisecond)
	defer pace.Stop()
	kept := 0
	for ; ; kept++ {
		<-pace.C
		reply, err := conn.Do("SET k" + strconv.Itoa(kept) + " " + value)
		if harness.Code(err) == "MEMORY_FULL" {
			break
		}
		if err != nil || reply != "OK" {
			t.Fatalf("SET %d: %q, %v; want OK or MEMORY_FULL", kept, reply, err)
		}
		if kept > 48<<20/len(value) {
			t.Fatalf("%d values of %d bytes on a disk of 48 MiB", kept, len(value))
		}
	}
	t.Logf("%d values of %d bytes", kept, len(value))
	if kept == 0 {
		t.Fatal("full from the start")
	}
	mustDo(t, conn, "GET k"+strconv.Itoa(kept), "NOT_FOUND")
	for i := range kept {
		mustDo(t, conn, "GET k"+strconv.Itoa(i), value)
	}
	if _, err := conn.Do("SET small x"); harness.Code(err) != "MEMORY_FULL" {
		t.Errorf("a small SET: %v, want MEMORY_FULL", err)
	}
	mustDo(t, conn, "DELETE k0", "OK")
	mustDo(t, conn, "GET k0", "NOT_FOUND")
	mustDo(t, conn, "COUNT", strconv.Itoa(kept-1))
	// Not lost in a crash either, and the node starts on a disk that is full.
	n.Kill()
	n.Start()
	n.WaitServing()
	conn = harness.LoginAs(t, n, "hoarder")
	mustDo(t, conn, "GET k0", "NOT_FOUND")
	mustDo(t, conn, "COUNT", strconv.Itoa(kept-1))
	mustDo(t, conn, "FLUSH ALL", "OK")
	mustDo(t, conn, "COUNT", "0")
}

// TestTimeoutAndNoLeader: without a quorum a write that is on its way ends with
// TIMEOUT and may have been done, once; after the leader is known to be gone it
// ends with NO_LEADER and never is.
func TestTimeoutAndNoLeader(t *testing.T) {
	t.Parallel()
	c := harness.Start(t, harness.Options{Nodes: 3, Config: `timeouts { write = "2s" }`})
	const user = "patient"
	harness.MakeUser(t, c.Leader(), user)
	done, unknown := 0, 0
	incr := func(conn *harness.Client, key string) string {
		t.Helper()
		_, err := conn.Do("INCR " + key)
		switch code := harness.Code(err); {
		case err == nil:
			done++
		case code == "TIMEOUT":
			unknown++
		case code != "NO_LEADER":
			t.Fatalf("INCR: %v, want a number, TIMEOUT or NO_LEADER", err)
		}
		return harness.Code(err)
	}
	// Which one comes is a race with the leader's noticing that it is alone.
	for tries := 0; unknown == 0; tries++ {
		if tries == 20 {
			t.Fatalf("no TIMEOUT in %d times", tries)
		}
		leader := c.Leader()
		conn := harness.LoginAs(t, leader, user)
		for _, n := range c.Followers(leader) {
			n.Pause()
		}
		incr(conn, "n")
		for _, n := range c.Followers(leader) {
			n.Resume()
		}
		c.WaitReady()
	}
	alone := c.Leader()
	conn := harness.LoginAs(t, alone, user)
	for _, n := range c.Followers(alone) {
		n.Kill()
	}
	harness.Eventually(t, "NO_LEADER", func() error {
		if code := incr(conn, "n"); code != "NO_LEADER" {
			return errors.New(code)
		}
		return nil
	})
	for range 2 {
		if _, err := conn.Do("SET lost x"); harness.Code(err) != "NO_LEADER" {
			t.Errorf("SET: %v, want NO_LEADER again", err)
		}
	}
	harness.Restart(t, c, c.Followers(alone))
	for _, n := range c.Nodes {
		conn := harness.LoginAs(t, n, user)
		mustDo(t, conn, "SYNC", "OK")
		mustDo(t, conn, "GET lost", "NOT_FOUND")
		reply, err := conn.Do("GET n")
		if reply == "NOT_FOUND" {
			reply = "0"
		}
		if got, bad := strconv.Atoi(reply); err != nil || bad != nil || got < done || got > done+unknown {
			t.Errorf("n on %s is %q, %v; want %d to %d", n.Name, reply, err, done, done+unknown)
		}
	}
	sameEverywhere(t, c, user)
	t.Logf("%d done, %d not known", done, unknown)
}
