package server

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"ciderd/internal/auth"
	"ciderd/internal/clock"
	"ciderd/internal/cluster"
	"ciderd/internal/fsm"
)

// patience is how long a test waits for what must come; only a failing test waits that long.
const testPatience = 20 * time.Second

// fakeNode applies what is proposed at once, to an FSM of its own.
type fakeNode struct {
	fsm    *fsm.FSM
	clock  *clock.Clock
	hands  *hands
	ready  atomic.Bool
	reads  atomic.Int32          // what all servers are thought to read
	fail   atomic.Pointer[error] // what Wait and Sync answer, if set; nothing is applied
	onSync func(context.Context) error
	hold   chan struct{} // if set, a Wait takes one from it first

	refuses int // what the leader knows that all read, if that is less

	mu       sync.Mutex
	index    uint64
	sequence uint64
	results  []fsm.Result
	groups   []int // the sizes of what was proposed
	bytes    []int
	waited   int // proposals whose Wait has been called
	ahead    int // the most that were proposed and not waited for
}

// hands is a clock that tests move.
type hands struct{ ms atomic.Int64 }

func (h *hands) Monotonic() time.Duration { return time.Duration(h.ms.Load()) * time.Millisecond }
func (h *hands) Wall() int64              { return 1_700_000_000_000 }

func newFakeNode() *fakeNode {
	h := &hands{}
	n := &fakeNode{clock: clock.New(h), hands: h}
	n.clock.Settle(h.Wall())
	n.fsm = fsm.New("node/1", fsm.Hooks{
		Stamp:   n.clock.Observe,
		Results: func(_, _ uint64, r []fsm.Result) { n.results = r },
		Fatal:   func(err error) { panic(err) },
	})
	n.ready.Store(true)
	n.reads.Store(fsm.EntryVersion)
	return n
}

func (n *fakeNode) Ready() bool         { return n.ready.Load() }
func (n *fakeNode) FSM() *fsm.FSM       { return n.fsm }
func (n *fakeNode) Clock() *clock.Clock { return n.clock }

func (n *fakeNode) Status() cluster.Status {
	return cluster.Status{Cluster: "test", Node: "cider-1", Role: "leader", Leader: "cider-1", Term: 3, Reads: true, Writes: true,
		Peers:  []cluster.PeerStatus{{Name: "cider-2", Role: "follower", Lag: 7}, {Name: "cider-3", Reason: "connection refused"}},
		Commit: n.fsm.Applied(), Applied: n.fsm.Applied(), Ready: n.Ready(), Voter: true}
}

func (n *fakeNode) Sync(ctx context.Context) error {
	if n.onSync != nil {
		return n.onSync(ctx)
	}
	return n.failure()
}

func (n *fakeNode) failure() error {
	if err := n.fail.Load(); err != nil {
		return *err
	}
	return nil
}

func (n *fakeNode) setFailure(err error) {
	if err == nil {
		n.fail.Store(nil)
		return
	}
	n.fail.Store(&err)
}

type fakeProposal struct {
	node    *fakeNode
	results []fsm.Result
	err     error
}

func (p *fakeProposal) Wait() ([]fsm.Result, error) {
	if p.node.hold != nil {
		<-p.node.hold
	}
	p.node.mu.Lock()
	p.node.waited++
	p.node.mu.Unlock()
	return p.results, p.err
}

func (n *fakeNode) Reads(version int) bool { return version <= int(n.reads.Load()) }

func (n *fakeNode) Propose(g fsm.Group, _ time.Duration) Proposal {
	if err := n.failure(); err != nil {
		return &fakeProposal{node: n, err: err}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.groups, n.bytes = append(n.groups, g.Count), append(n.bytes, len(g.Commands))
	n.ahead = max(n.ahead, len(n.groups)-n.waited)
	n.sequence++
	n.index++
	entry := fsm.AppendBatch(nil, fsm.Header{
		Version: byte(g.Version), Origin: []byte("node/1"), Incarnation: 1, Sequence: n.sequence, Count: g.Count,
	}, g.Commands)
	if n.refuses > 0 {
		entry, _ = fsm.Refuse(entry, fsm.Refusal{Reads: n.refuses})
	}
	fsm.SetStamp(entry, n.clock.Now())
	n.fsm.Apply(&raft.Log{Index: n.index, Term: 3, Type: raft.LogCommand, Data: entry})
	return &fakeProposal{node: n, results: n.results}
}

// proposed lists the sizes of the groups so far.
func (n *fakeNode) proposed() []int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return append([]int(nil), n.groups...)
}

// world is a server on a real port.
type world struct {
	t      *testing.T
	node   *fakeNode
	server *Server
	addr   string
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
	w := &world{t: t, node: newFakeNode()}
	w.server = New(cfg, w.node, newHasher(t), hclog.NewNullLogger())
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w.addr = l.Addr().String()
	served := make(chan error, 1)
	go func() { served <- w.server.Serve(l) }()
	t.Cleanup(func() {
		w.server.Close()
		if err := <-served; err != nil && !errors.Is(err, ErrClosed) {
			t.Errorf("Serve: %v", err)
		}
		if n := len(w.server.sessions); n != 0 {
			t.Errorf("%d sessions are left after Close", n)
		}
		if n := w.server.memory.inUse(); n != 0 {
			t.Errorf("%d bytes of line memory are still charged after Close", n)
		}
	})
	return w
}

// client is the other end of a session.
type client struct {
	t    *testing.T
	conn net.Conn
	r    *bufio.Reader
}

func newClient(t *testing.T, conn net.Conn) *client {
	t.Cleanup(func() { conn.Close() })
	return &client{t: t, conn: conn, r: bufio.NewReader(conn)}
}

// dial connects, without reading the banner.
func (w *world) dial() *client {
	w.t.Helper()
	conn, err := net.Dial("tcp", w.addr)
	if err != nil {
		w.t.Fatal(err)
	}
	conn.SetDeadline(time.Now().Add(testPatience))
	return newClient(w.t, conn)
}

// user connects and signs up or logs in as name.
func (w *world) user(name string) *client {
	w.t.Helper()
	c := w.dial()
	c.expect("LOGIN or SIGNUP")
	if _, known := w.node.fsm.Lookup([]byte(name)); known {
		c.talk("> LOGIN " + name + " pw-" + name + "\nLogin successful")
	} else {
		c.talk("> SIGNUP " + name + " pw-" + name + "\nUser created successfully")
	}
	return c
}

func (c *client) send(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c.conn, text); err != nil {
		c.t.Fatalf("sending %.40q: %v", text, err)
	}
}

// sendBeside sends while the test reads; for another goroutine than the test's.
func (c *client) sendBeside(text string) {
	if _, err := io.WriteString(c.conn, text); err != nil {
		c.t.Errorf("sending %.40q: %v", text, err)
	}
}

func (c *client) line() string {
	c.t.Helper()
	line, err := c.r.ReadString('\n')
	if err != nil {
		c.t.Fatalf("reading a line: %v (so far %q)", err, line)
	}
	return strings.TrimSuffix(line, "\n")
}

func (c *client) expect(lines ...string) {
	c.t.Helper()
	for _, want := range lines {
		if got := c.line(); got != want {
			c.t.Fatalf("got %q, want %q", got, want)
		}
	}
}

// until reads lines up to one that is the given one.
func (c *client) until(line string) {
	c.t.Helper()
	for c.line() != line {
	}
}

// expectText reads exactly text.
func (c *client) expectText(text string) {
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
func (c *client) expectCode(code string) {
	c.t.Helper()
	if got := c.line(); !strings.HasPrefix(got, "ERR "+code+" ") {
		c.t.Fatalf("got %q, want ERR %s", got, code)
	}
}

// expectEnd reads the end of the connection.
func (c *client) expectEnd() {
	c.t.Helper()
	if rest, err := io.ReadAll(c.r); err != nil || len(rest) > 0 {
		c.t.Fatalf("got %q (%v), want the end", rest, err)
	}
}

// talk plays a conversation: a line with "> " before it is sent, one with "~ " is a pattern that the
// next line read must match as a whole, "!CODE" stands for an error reply, "." for the end, and all
// else for itself.
func (c *client) talk(script string) {
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
		runtime.Gosched()
	}
}
