package fsm

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/raft"
)

// node is an FSM with the log that it is fed, and what it told its hooks.
type node struct {
	*FSM
	tb       testing.TB
	index    uint64
	sequence uint64           // of the batches that do makes
	told     map[batchID]told // by Results
	order    []batchID
	restored []batchID // by Restored, without an origin
	stamps   []int64
	fatal    []error
}

type batchID struct {
	origin      string
	incarnation uint64
	sequence    uint64
}

type told struct{ results []Result }

func newNode(tb testing.TB, self string) *node {
	n := &node{tb: tb, told: map[batchID]told{}}
	n.FSM = New(self, Hooks{
		Stamp: func(ms int64) { n.stamps = append(n.stamps, ms) },
		Results: func(incarnation, sequence uint64, results []Result) {
			id := batchID{self, incarnation, sequence}
			if _, twice := n.told[id]; twice {
				tb.Errorf("the results of %v were told twice", id)
			}
			n.told[id] = told{results}
			n.order = append(n.order, id)
		},
		Restored: func(incarnation, sequence uint64) {
			n.restored = append(n.restored, batchID{"", incarnation, sequence})
		},
		Fatal: func(err error) { n.fatal = append(n.fatal, err) },
	})
	return n
}

// entry encodes a batch.
func entry(h Header, commands ...Command) []byte {
	var body []byte
	for i := range commands {
		body = AppendCommand(body, &commands[i])
		h.Version = max(h.Version, byte(commands[i].Since()))
	}
	h.Count = len(commands)
	return AppendBatch(nil, h, body)
}

func (n *node) feed(entries ...[]byte) {
	logs := make([]*raft.Log, len(entries))
	for i, e := range entries {
		n.index++
		logs[i] = &raft.Log{Index: n.index, Term: 1, Type: raft.LogCommand, Data: e}
	}
	n.ApplyBatch(logs)
}

// do applies the commands in one batch of this node's own, at the time stamp.
func (n *node) do(stamp int64, commands ...Command) []Result {
	n.tb.Helper()
	n.sequence++
	n.feed(entry(Header{Origin: []byte(n.self), Incarnation: 1, Sequence: n.sequence, Stamp: stamp}, commands...))
	got, ok := n.told[batchID{n.self, 1, n.sequence}]
	if !ok || len(got.results) != len(commands) {
		n.tb.Fatalf("no results of batch %d", n.sequence)
	}
	return got.results
}

// one applies one command and compares its result.
func (n *node) one(stamp int64, c Command, want Result) {
	n.tb.Helper()
	if got := n.do(stamp, c)[0]; !sameResult(got, want) {
		n.tb.Errorf("at %d: operation %d of %q gave %s, want %s", stamp, c.Op, c.Key, inWords(got), inWords(want))
	}
}

// inWords is all that a result says.
func inWords(r Result) string {
	s := fmt.Sprintf("kind %d, %d", r.Kind, r.N)
	d := r.Details
	if d == nil {
		return s
	}
	if r.Kind == KindValue {
		s += fmt.Sprintf(" %q version %d deadline %d", d.Item.Value, d.Item.Version, d.Item.Deadline)
	}
	for _, of := range d.Results {
		s += " (" + inWords(of) + ")"
	}
	if d.View != nil {
		s += fmt.Sprintf(" version %d", d.View.Version())
		var lines []string
		d.View.Range(func(key, value []byte, version uint64, deadline int64) bool {
			lines = append(lines, fmt.Sprintf(" %q %q %d %d", key, value, version, deadline))
			return true
		})
		slices.Sort(lines)
		s += strings.Join(lines, "")
	}
	return s
}

func sameResult(a, b Result) bool { return inWords(a) == inWords(b) }

func sameResults(a, b []Result) bool { return slices.EqualFunc(a, b, sameResult) }

// withUser is a node whose user 1 is alice.
func withUser(tb testing.TB) *node {
	n := newNode(tb, "a/1")
	n.one(1, Command{Op: OpSignup, Name: []byte("alice"), Value: []byte("hash")}, Result{Kind: KindUser, N: 1})
	return n
}

func set(key, value string) Command {
	return Command{Op: OpSet, User: 1, Key: []byte(key), Value: []byte(value)}
}

func setFor(key, value string, ttl int64) Command {
	c := set(key, value)
	c.TTL = ttl
	return c
}

func once(id string, c Command) Command {
	c.Once = []byte(id)
	return c
}

func words(all ...string) (w [][]byte) {
	for _, s := range all {
		w = append(w, []byte(s))
	}
	return w
}

// sink takes a snapshot; after room bytes (if positive) it is a full disk.
type sink struct {
	bytes.Buffer
	room              int
	closed, cancelled bool
}

var errDiskFull = errors.New("disk full")

func (s *sink) Write(p []byte) (int, error) {
	if s.room > 0 && s.Len()+len(p) > s.room {
		return 0, errDiskFull
	}
	return s.Buffer.Write(p)
}
func (s *sink) ID() string    { return "snapshot" }
func (s *sink) Close() error  { s.closed = true; return nil }
func (s *sink) Cancel() error { s.cancelled = true; return nil }

func (n *node) snapshot() raft.FSMSnapshot {
	n.tb.Helper()
	s, err := n.Snapshot()
	if err != nil {
		n.tb.Fatal(err)
	}
	return s
}

func persist(tb testing.TB, s raft.FSMSnapshot) []byte {
	tb.Helper()
	var out sink
	if err := s.Persist(&out); err != nil {
		tb.Fatal(err)
	}
	if !out.closed || out.cancelled {
		tb.Fatal("a snapshot that was persisted was not closed")
	}
	s.Release()
	return slices.Clone(out.Bytes())
}

func (n *node) restore(snapshot []byte) {
	n.tb.Helper()
	if err := n.Restore(io.NopCloser(bytes.NewReader(snapshot))); err != nil {
		n.tb.Fatal(err)
	}
}

// copied is a new node of the same server that has been restored from this one.
func (n *node) copied() *node {
	n.tb.Helper()
	c := newNode(n.tb, n.self)
	c.restore(persist(n.tb, n.snapshot()))
	c.index, c.sequence = n.index, n.sequence
	return c
}

func sameDump(tb testing.TB, what string, got, want *FSM) {
	tb.Helper()
	if g, w := got.Dump(), want.Dump(); g != w {
		tb.Fatalf("%s differs:\n%s\nwant:\n%s", what, g, w)
	}
}
