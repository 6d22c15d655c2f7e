package server

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"ciderd/internal/accounts"
	"ciderd/internal/auth"
	"ciderd/internal/session"
	"ciderd/test/nodetest"
)

// patience is how long a test waits for what must come; only a failing test waits that long.
const testPatience = 2 * time.Minute

// fakeNode is a node that says what it is.
type fakeNode struct{ *nodetest.Node }

func newFakeNode() fakeNode { return fakeNode{nodetest.New()} }

func (n fakeNode) Self() (name, role string) { return "cider-1", "leader" }

func (n fakeNode) Facts() iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		applied := fmt.Sprint(n.FSM().Applied())
		for _, f := range [][2]string{
			{"node", "cider-1"}, {"waiting", "-"}, {"commit", applied}, {"applied", applied}, {"users", fmt.Sprint(n.FSM().Stats().Users)},
			{"peer", "cider-2 follower 7 ok"}, {"peer", "cider-3 - - connection refused"},
		} {
			if !yield(f[0], f[1]) {
				return
			}
		}
	}
}

// swappedHasher is a hasher that a test may replace.
type swappedHasher struct{ accounts.Hasher }

// newTestServer is New on a node of its own.
func newTestServer(t testing.TB, cfg Config) (*Server, fakeNode) {
	node := newFakeNode()
	a := accounts.New(accounts.Config{WriteTimeout: cfg.WriteTimeout}, node, newHasher(t))
	return New(cfg, node, a, hclog.NewNullLogger()), node
}

// world is a server on a real port.
type world struct {
	t        *testing.T
	node     fakeNode
	hasher   *swappedHasher
	accounts *accounts.Accounts
	server   *Server
	addr     string
	secure   *tls.Config // of clients; nil: they do not encrypt
}

func newHasher(t testing.TB) *auth.Hasher {
	t.Helper()
	h, err := auth.NewHasher(auth.Options{Cost: auth.MinCost, Parallel: 2})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// start starts a server; its goroutines are gone when the test is over.
func start(t *testing.T, cfg Config) *world {
	t.Helper()
	return startBounded(t, cfg, session.Bounds{})
}

// startBounded is start with other bounds on KEYS.
func startBounded(t *testing.T, cfg Config, bounds session.Bounds) *world {
	t.Helper()
	w := newWorld(t, cfg, &bounds)
	w.serve(w.server.Serve)
	return w
}

// newWorld makes a server that serves nothing yet; no bounds are the usual ones.
func newWorld(t *testing.T, cfg Config, bounds *session.Bounds) *world {
	t.Helper()
	if bounds == nil {
		bounds = &session.Bounds{}
	}
	w := &world{t: t, node: newFakeNode(), hasher: &swappedHasher{newHasher(t)}}
	w.accounts = accounts.New(accounts.Config{WriteTimeout: cfg.WriteTimeout}, w.node, w.hasher)
	w.server = newServer(cfg, *bounds, w.node, w.accounts, hclog.NewNullLogger())
	return w
}

// serve opens a port, which is w's from now on; its goroutines are gone when the test is over.
func (w *world) serve(serve func(net.Listener) error) {
	t := w.t
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w.addr = l.Addr().String()
	served := make(chan error, 1)
	go func() { served <- serve(l) }()
	t.Cleanup(func() {
		w.server.Close()
		if err := <-served; err != nil && !errors.Is(err, ErrClosed) {
			t.Errorf("Serve: %v", err)
		}
		if n := len(w.server.open); n != 0 {
			t.Errorf("%d connections are left after Close", n)
		}
		if n := w.server.memory.inUse(); n != 0 {
			t.Errorf("%d bytes of line memory are still charged after Close", n)
		}
	})
}

// testClient is the other end of a session.
type testClient struct {
	t    *testing.T
	conn net.Conn
	r    *bufio.Reader
}

func newClient(t *testing.T, conn net.Conn) *testClient {
	t.Cleanup(func() { conn.Close() })
	return &testClient{t: t, conn: conn, r: bufio.NewReader(conn)}
}

// dial connects, without reading the banner.
func (w *world) dial() *testClient {
	w.t.Helper()
	conn, err := net.Dial("tcp", w.addr)
	if err != nil {
		w.t.Fatal(err)
	}
	conn.SetDeadline(time.Now().Add(testPatience))
	if w.secure != nil {
		conn = tls.Client(conn, w.secure)
	}
	return newClient(w.t, conn)
}

// user connects and signs up or logs in as name.
func (w *world) user(name string) *testClient {
	w.t.Helper()
	c := w.dial()
	c.expect("LOGIN or SIGNUP")
	if _, known := w.node.FSM().Lookup([]byte(name)); known {
		c.talk("> LOGIN " + name + " pw-" + name + "\nLogin successful")
	} else {
		c.talk("> SIGNUP " + name + " pw-" + name + "\nUser created successfully")
	}
	return c
}

func (c *testClient) send(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c.conn, text); err != nil {
		c.t.Fatalf("sending %.40q: %v", text, err)
	}
}

// sendBeside sends while the test reads; for another goroutine than the test's.
func (c *testClient) sendBeside(text string) {
	if _, err := io.WriteString(c.conn, text); err != nil {
		c.t.Errorf("sending %.40q: %v", text, err)
	}
}

func (c *testClient) line() string {
	c.t.Helper()
	line, err := c.r.ReadString('\n')
	if err != nil {
		c.t.Fatalf("reading a line: %v (so far %q)", err, line)
	}
	return strings.TrimSuffix(line, "\n")
}

func (c *testClient) expect(lines ...string) {
	c.t.Helper()
	for _, want := range lines {
		if got := c.line(); got != want {
			c.t.Fatalf("got %q, want %q", got, want)
		}
	}
}

// until reads lines up to one that is the given one.
func (c *testClient) until(line string) {
	c.t.Helper()
	for c.line() != line {
	}
}

// expectText reads exactly text.
func (c *testClient) expectText(text string) {
	c.t.Helper()
	got := make([]byte, len(text))
	if n, err := io.ReadFull(c.r, got); err != nil || string(got) != text {
		same := 0
		for same < n && got[same] == text[same] {
			same++
		}
		c.t.Fatalf("after %d bytes got %.80q (%v), want %.80q", same, got[same:n], err, text[same:])
	}
}

// expectCode reads an error reply.
func (c *testClient) expectCode(code string) {
	c.t.Helper()
	if got := c.line(); !strings.HasPrefix(got, "ERR "+code+" ") {
		c.t.Fatalf("got %q, want ERR %s", got, code)
	}
}

// expectEnd reads the end of the connection.
func (c *testClient) expectEnd() {
	c.t.Helper()
	if rest, err := io.ReadAll(c.r); err != nil || len(rest) > 0 {
		c.t.Fatalf("got %q (%v), want the end", rest, err)
	}
}

// talk plays a conversation: a line with "> " before it is sent, one with "~ " is a pattern that the
// next line read must match as a whole, "!CODE" stands for an error reply, "." for the end, and all
// else for itself.
func (c *testClient) talk(script string) {
	c.t.Helper()
	for step := range strings.Lines(strings.TrimSpace(script)) {
		step = strings.TrimLeft(strings.TrimSuffix(step, "\n"), "\t")
		switch {
		case strings.HasPrefix(step, "> "):
			c.send(step[2:] + "\n")
		case strings.HasPrefix(step, "~ "):
			if got := c.line(); !regexp.MustCompile("^(?:" + step[2:] + ")$").MatchString(got) {
				c.t.Fatalf("got %q, want %s", got, step)
			}
		case strings.HasPrefix(step, "!"):
			c.expectCode(step[1:])
		case step == ".":
			c.expectEnd()
		default:
			c.expect(step)
		}
	}
}

// until waits for a condition.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(testPatience)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("waited too long until %s", what)
		}
		time.Sleep(100 * time.Microsecond) // what it waits for needs the processor
	}
}
