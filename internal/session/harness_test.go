package session

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"ciderd/internal/accounts"
	"ciderd/internal/auth"
	"ciderd/internal/protocol"
	"ciderd/internal/tally"
	"ciderd/test/nodetest"
)

// node is a node that says what it is.
type node struct{ *nodetest.Node }

func (n node) Self() (name, role string) { return "cider-1", "leader" }

func (n node) Facts() iter.Seq2[string, string] {
	return maps.All(map[string]string{"node": "cider-1"})
}

// world is the sessions of a node, without a connection or a protocol.
type world struct {
	t        *testing.T
	node     node
	sessions *Sessions
	table    *tally.Table
}

func start(t *testing.T, cfg Config, bounds Bounds) *world {
	t.Helper()
	hasher, err := auth.NewHasher(auth.Options{Cost: auth.MinCost})
	if err != nil {
		t.Fatal(err)
	}
	n := node{nodetest.New()}
	a := accounts.New(accounts.Config{MaxUsers: 100, WriteTimeout: time.Second}, n, hasher)
	w := &world{t: t, node: n, sessions: New(cfg, bounds, n, a, hclog.NewNullLogger()), table: tally.NewTable(len(commands))}
	t.Cleanup(w.sessions.Close)
	return w
}

// peer is a client, and what it has been answered.
type peer struct {
	*Session
	t       *testing.T
	said    []string // replies, see recorder
	ended   atomic.Bool
	reset   atomic.Bool
	failed  bool // see protocol.Reply
	full    bool // there is no memory for it
	taken   int64
	onReply func() // nil: nothing
	onLook  func() // before it is looked whether the client has reset the connection; nil: nothing
}

func (w *world) open() *peer {
	p := &peer{t: w.t}
	p.Session = w.sessions.Open(p, recorder{p}, w.table)
	w.t.Cleanup(p.Close)
	return p
}

// user opens a session and signs up or logs in as name.
func (w *world) user(name string) *peer {
	w.t.Helper()
	p := w.open()
	req := protocol.Request{Verb: protocol.VerbSignup, User: []byte(name), Password: []byte("x")}
	want := fmt.Sprint(protocol.SignedUp)
	if _, known := w.node.FSM().Lookup(req.User); known {
		req.Verb, want = protocol.VerbLogin, fmt.Sprint(protocol.LoggedIn)
	}
	p.do(req, want)
	return p
}

// do serves a request, and wants these replies.
func (p *peer) do(req protocol.Request, want ...string) {
	p.t.Helper()
	p.said = nil
	p.Do(&req)
	p.Wait()
	if !slices.Equal(p.said, want) {
		p.t.Fatalf("%v is answered %q, want %q", req.Verb, p.said, want)
	}
}

func (p *peer) Address() string { return "192.0.2.1" }
func (p *peer) End()            { p.ended.Store(true) }
func (p *peer) Ended() bool     { return p.ended.Load() }

func (p *peer) HungUp() bool {
	if p.onLook != nil {
		p.onLook()
	}
	return p.reset.Load()
}

func (p *peer) Watch(ctx context.Context) (context.Context, func()) { return ctx, func() {} }

func (p *peer) Take(n int64) bool {
	p.taken += n
	return !p.full
}

func (p *peer) Give(n int64) { p.taken -= n }

// recorder is a Reply that keeps what is answered in words of its own.
type recorder struct{ *peer }

func (r recorder) say(parts ...any) {
	r.said = append(r.said, strings.TrimSpace(fmt.Sprintln(parts...)))
	if r.onReply != nil {
		r.onReply()
	}
}

func (r recorder) Word(w protocol.Word)                     { r.say(w) }
func (r recorder) Int(n int64)                              { r.say("int", n) }
func (r recorder) Value(v []byte)                           { r.say("value", string(v)) }
func (r recorder) Key(key []byte)                           { r.say("key", string(key)) }
func (r recorder) Versioned(version, left uint64, v []byte) { r.say("item", version, left, string(v)) }
func (r recorder) Conflict(version uint64)                  { r.say("conflict", version) }
func (r recorder) Text(line string)                         { r.say("text", line) }
func (r recorder) Begin(n int)                              { r.say("begin", n) }
func (r recorder) End()                                     { r.say("end") }
func (r recorder) More(key []byte)                          { r.say("more", string(key)) }
func (r recorder) Fact(name, value string)                  { r.say("fact", name, value) }
func (r recorder) Error(code protocol.Code, _ string)       { r.failed = true; r.say("error", code) }
func (r recorder) Failed() (failed bool)                    { failed, r.failed = r.failed, false; return failed }
func (r recorder) Flush()                                   { r.say("flush") }

// until waits for a condition; only a failing test waits long.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !ok(); time.Sleep(100 * time.Microsecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited too long until %s", what)
		}
	}
}
