package redis

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"ciderd/internal/accounts"
	"ciderd/internal/auth"
	"ciderd/internal/session"
	"ciderd/internal/tally"
	"ciderd/test/nodetest"
)

// node is a node that says what it is.
type node struct{ *nodetest.Node }

func (n node) Self() (name, role string) { return "cider-1", "leader" }

func (n node) Facts() iter.Seq2[string, string] {
	return maps.All(map[string]string{"node": "cider-1"})
}

// world is the sessions of a node, without connections.
type world struct {
	t     testing.TB
	node  node
	all   *session.Sessions
	redis *Sessions
	table *tally.Table
}

func start(t testing.TB, cfg session.Config) *world {
	t.Helper()
	hasher, err := auth.NewHasher(auth.Options{Cost: auth.MinCost})
	if err != nil {
		t.Fatal(err)
	}
	n := node{nodetest.New()}
	a := accounts.New(accounts.Config{MaxUsers: 100, WriteTimeout: time.Second}, n, hasher)
	w := &world{t: t, node: n, all: session.New(cfg, session.Bounds{}, n, a, hclog.NewNullLogger())}
	w.redis, w.table = New(Config{}, w.all), tally.NewTable(len(Names()))
	t.Cleanup(w.all.Close)
	return w
}

// peer is a client, and what it has been sent.
type peer struct {
	*Session
	t     testing.TB
	out   []byte
	ended atomic.Bool
	full  bool             // there is no memory for it
	taken map[uint64]int64 // bytes that are charged to each user that it was
	most  int64            // of taken
	sends func()           // called when something may be sent
}

func (w *world) open() *peer {
	p := &peer{t: w.t, taken: map[uint64]int64{}}
	p.Session = w.redis.Open(p, Addresses{Remote: "192.0.2.1:5000", Local: "192.0.2.9:6379"}, p, w.table)
	w.t.Cleanup(func() {
		p.Close()
		p.nothingTaken()
	})
	return p
}

// user opens a session and signs up or logs in as name.
func (w *world) user(name string) *peer {
	w.t.Helper()
	p := w.open()
	verb := "SIGNUP"
	if _, known := w.node.FSM().Lookup([]byte(name)); known {
		verb = "AUTH"
	}
	p.talk("> " + verb + " " + name + " secret\n+OK")
	return p
}

// What a session needs of its client.

func (p *peer) Address() string { return "192.0.2.1" }
func (p *peer) End()            { p.ended.Store(true) }
func (p *peer) Ended() bool     { return p.ended.Load() }
func (p *peer) HungUp() bool    { return false }

func (p *peer) Watch(ctx context.Context) (context.Context, func()) { return ctx, func() {} }

func (p *peer) Take(n int64) bool {
	p.taken[p.User()] += n
	p.most = max(p.most, p.taken[p.User()])
	return !p.full
}

func (p *peer) Give(n int64) { p.taken[p.User()] -= n }

func (p *peer) nothingTaken() {
	p.t.Helper()
	for user, n := range p.taken {
		if n != 0 {
			p.t.Errorf("%d bytes are still charged to user %d", n, user)
		}
	}
}

// What a Writer needs of it.

func (p *peer) Buffer() []byte { return p.out }
func (p *peer) Keep(b []byte)  { p.out = b }
func (p *peer) Flush()         {}

func (p *peer) Emit(b []byte) {
	if p.sends != nil {
		p.sends()
	}
	p.out = b
}

func (p *peer) Send(b []byte) {
	p.out = append(p.out, b...)
}

// do serves a request, waits until it is answered, and returns the reply.
func (p *peer) do(args ...string) string {
	p.out = p.out[:0]
	p.serve(args...)
	p.Session.Wait()
	return string(p.out)
}

// serve serves a request, in memory that is used for other things afterwards.
func (p *peer) serve(args ...string) {
	words := make([][]byte, len(args))
	for i, arg := range args {
		words[i] = []byte(arg)
	}
	p.Serve(words)
	for _, word := range words {
		clear(word)
	}
}

// talk plays a conversation: a line with "> " before it is sent, "~ " begins the start of a reply, and all else is a
// reply as shown writes it.
func (p *peer) talk(script string) {
	p.t.Helper()
	var sent, got string
	for line := range strings.Lines(strings.TrimSpace(script)) {
		line = strings.TrimSpace(line)
		if text, send := strings.CutPrefix(line, "> "); send {
			sent, got = text, shown(p.do(split(p.t, text)...))
			continue
		}
		if start, ok := strings.CutPrefix(line, "~ "); ok && strings.HasPrefix(got, start) {
			continue
		}
		if got != line {
			p.t.Errorf("%s\n  is answered %s\n  instead of  %s", sent, got, line)
		}
	}
}

// shown is a reply on one line.
func shown(reply string) string {
	return strings.TrimSuffix(strings.ReplaceAll(reply, "\r\n", " "), " ")
}

// split splits a line at blanks; a word may be quoted as in Go.
func split(t testing.TB, line string) (args []string) {
	t.Helper()
	for line = strings.TrimSpace(line); line != ""; line = strings.TrimLeft(line, " ") {
		if quoted, err := strconv.QuotedPrefix(line); err == nil && line[0] == '"' {
			word, _ := strconv.Unquote(quoted)
			args, line = append(args, word), line[len(quoted):]
			continue
		}
		word, rest, _ := strings.Cut(line, " ")
		args, line = append(args, word), rest
	}
	return args
}

func numbered(name string, n int) (keys []string) {
	for i := range n {
		keys = append(keys, fmt.Sprint(name, i))
	}
	return keys
}
