// Package nodetest is a node for the tests of what is served by one: it applies what is proposed at
// once, to an FSM of its own, and fails, waits and forgets as it is told.
//
// It owns no port, no file and no log. It never is a part of the program.
package nodetest

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"ciderd/internal/accounts"
	"ciderd/internal/clock"
	"ciderd/internal/fsm"
)

// Node is one. All methods may be called from any goroutine; the fields are set before they are needed.
type Node struct {
	// OnSync is what Sync does; nil: it fails as all else does.
	OnSync func(context.Context) error
	// Hold has a Wait take one from it first; nil: nothing waits.
	Hold chan struct{}
	// LeaderReads is what the leader knows that all servers read; 0: all that there is.
	LeaderReads int

	fsm     *fsm.FSM
	clock   *clock.Clock
	ms      atomic.Int64 // of the monotonic clock
	loading atomic.Bool
	reads   atomic.Int32          // what all servers are thought to read
	fail    atomic.Pointer[error] // what Wait and Sync answer, if set; nothing is applied

	mu       sync.Mutex
	index    uint64
	sequence uint64
	results  []fsm.Result
	groups   []Group
	waited   int // proposals whose Wait has been called
	ahead    int
}

// Group is what was proposed at a time.
type Group struct{ Commands, Bytes int }

// New returns a node that has caught up and has no users.
func New() *Node {
	n := &Node{}
	n.clock = clock.New(hands{n})
	n.clock.Settle(hands{n}.Wall())
	n.fsm = fsm.New("node/1", fsm.Hooks{
		Stamp:   n.clock.Observe,
		Results: func(_, _ uint64, r []fsm.Result) { n.results = r },
		Fatal:   func(err error) { panic(err) },
	})
	n.reads.Store(fsm.EntryVersion)
	return n
}

// hands is a clock that tests move.
type hands struct{ *Node }

func (h hands) Monotonic() time.Duration { return time.Duration(h.ms.Load()) * time.Millisecond }
func (h hands) Wall() int64              { return 1_700_000_000_000 }

// Advance moves the clock.
func (n *Node) Advance(d time.Duration) { n.ms.Add(int64(d / time.Millisecond)) }

// SetReady has the node catch up, or be behind again.
func (n *Node) SetReady(ready bool) { n.loading.Store(!ready) }

// SetReads sets what all servers are thought to read.
func (n *Node) SetReads(version int) { n.reads.Store(int32(version)) }

// Fail has what is proposed from now on fail; with nil it is applied again.
func (n *Node) Fail(err error) {
	if err == nil {
		n.fail.Store(nil)
		return
	}
	n.fail.Store(&err)
}

func (n *Node) failure() error {
	if err := n.fail.Load(); err != nil {
		return *err
	}
	return nil
}

// Ready reports whether the node has caught up.
func (n *Node) Ready() bool { return !n.loading.Load() }

// FSM is the state.
func (n *Node) FSM() *fsm.FSM { return n.fsm }

// Clock is the time for reads.
func (n *Node) Clock() *clock.Clock { return n.clock }

// Reads reports whether all servers are thought to read a version.
func (n *Node) Reads(version int) bool { return version <= int(n.reads.Load()) }

// Sync does what OnSync does.
func (n *Node) Sync(ctx context.Context) error {
	if n.OnSync != nil {
		return n.OnSync(ctx)
	}
	return n.failure()
}

// Propose applies a group.
func (n *Node) Propose(g fsm.Group, _ time.Duration) accounts.Proposal {
	if err := n.failure(); err != nil {
		return &proposal{node: n, err: err}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.groups = append(n.groups, Group{Commands: g.Count, Bytes: len(g.Commands)})
	n.ahead = max(n.ahead, len(n.groups)-n.waited)
	n.sequence++
	n.index++
	entry := fsm.AppendBatch(nil, fsm.Header{
		Version: byte(g.Version), Origin: []byte("node/1"), Incarnation: 1, Sequence: n.sequence, Count: g.Count,
	}, g.Commands)
	if n.LeaderReads > 0 {
		entry, _ = fsm.Refuse(entry, fsm.Refusal{Reads: n.LeaderReads})
	}
	fsm.SetStamp(entry, n.clock.Now())
	n.fsm.Apply(&raft.Log{Index: n.index, Term: 3, Type: raft.LogCommand, Data: entry})
	return &proposal{node: n, results: n.results}
}

type proposal struct {
	node    *Node
	results []fsm.Result
	err     error
}

// Wait returns the results.
func (p *proposal) Wait() ([]fsm.Result, error) {
	if p.node.Hold != nil {
		<-p.node.Hold
	}
	p.node.mu.Lock()
	defer p.node.mu.Unlock()
	p.node.waited++
	return p.results, p.err
}

// Groups lists what was proposed so far.
func (n *Node) Groups() []Group {
	n.mu.Lock()
	defer n.mu.Unlock()
	return append([]Group(nil), n.groups...)
}

// Sizes lists how many commands were proposed at a time.
func (n *Node) Sizes() (sizes []int) {
	for _, g := range n.Groups() {
		sizes = append(sizes, g.Commands)
	}
	return sizes
}

// Ahead is the most groups that were proposed and not waited for.
func (n *Node) Ahead() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.ahead
}
