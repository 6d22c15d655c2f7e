package cluster

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"ciderd/internal/fsm"
)

// The bounds of the write path on one node.
const (
	maxBatchCommands = 1024
	maxBatchBytes    = 256 << 10
	// maxWindow is how many batches may be unresolved. Three keep the log, the net and the FSM busy
	// at once; more made batches smaller and nothing faster.
	maxWindow = 3
	// maxWindowBytes stops the window earlier when batches are large.
	maxWindowBytes = 16 << 20
	// What waits in the intake at most; beyond it the answer is ErrBusy (or ErrNoLeader).
	maxIntakeCommands = 1 << 18
	maxIntakeBytes    = 64 << 20
	// worthCommands and worthBytes are what has to wait before a batch is made beside others in
	// flight: each log entry costs a commit round of about a millisecond of two cores, whatever is
	// in it, so small batches side by side make all of them slower.
	worthCommands = 256
	worthBytes    = 32 << 10
	// linger is how long the first batch waits for as many commands as the last one had. A single
	// client's last batch had one, so it never waits.
	linger = 200 * time.Microsecond
	// stallTimeout is how long the oldest batch may be on its way before everything is sent again.
	// Whatever was lost where, sending again is harmless (see fsm: a batch is applied if and only
	// if it is the next one of its origin).
	stallTimeout = 2 * time.Second
)

// sink is where batches go: this node's own log while it leads, or the leader.
type sink interface {
	// send takes the entry on; that says nothing of its fate. An error breaks the sink.
	send(b *batch) error
	// broken is closed when the sink is known to have lost something.
	broken() <-chan struct{}
	// leader is the server id of the node that it leads to.
	leader() string
	close()
}

// pipeline is this node's way into the log.
//
// Invariants, under mu:
//   - intake holds proposals that are in no batch; window holds batches with consecutive
//     sequences, oldest first, none of which has been applied here; window ends at sequence.
//   - batches up to sentTo have been sent through the present sink.
//
// One goroutine (run) makes batches and sends. Raft's goroutine resolves them, through applied and
// restored: it alone says that a batch is done. A sink never does, so it may lose, repeat or
// reorder nothing but time: after any trouble the whole window is sent again, in order.
type pipeline struct {
	origin      []byte
	incarnation uint64
	log         hclog.Logger
	open        func(ctx context.Context) (sink, error) // to the present leader
	leader      func() string                           // its server id; empty: none known

	wake          chan struct{} // there may be something to send
	leaderChanged chan struct{}

	mu           sync.Mutex
	intake       []*Proposal
	intakeCount  int
	intakeBytes  int
	window       []*batch
	windowBytes  int
	sequence     uint64
	sentTo       uint64
	lastCount    int       // commands in the last batch that was made
	lingerUntil  time.Time // zero: not lingering
	progress     time.Time // when the window's oldest batch became that
	haveSink     bool
	closed       bool
	closedWindow chan struct{} // closed when closed and nothing is left
}

func newPipeline(origin string, incarnation uint64, log hclog.Logger) *pipeline {
	return &pipeline{
		origin: []byte(origin), incarnation: incarnation, log: log,
		wake: make(chan struct{}, 1), leaderChanged: make(chan struct{}, 1),
		closedWindow: make(chan struct{}),
	}
}

func (p *pipeline) poke() { signal(p.wake) }

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// propose hands over count encoded commands, which must not be touched any more.
func (p *pipeline) propose(commands []byte, count int, timeout time.Duration) *Proposal {
	prop := &Proposal{
		commands: commands, count: count, deadline: time.Now().Add(timeout), pipeline: p, done: make(chan struct{}),
	}
	p.mu.Lock()
	err := p.admit(prop)
	wake := p.worthWaking()
	p.mu.Unlock()
	if err != nil {
		prop.finish(nil, err)
	} else if wake {
		p.poke()
	}
	return prop
}

// worthWaking tells whether the sender would do something with what waits: with many clients most
// proposals only join others that are being held back. mu is held.
func (p *pipeline) worthWaking() bool {
	switch {
	case len(p.window) >= maxWindow:
		return false
	case len(p.window) > 0:
		return p.intakeCount >= worthCommands || p.intakeBytes >= worthBytes
	}
	return p.lingerUntil.IsZero() || p.intakeCount >= p.lastCount
}

func (p *pipeline) admit(prop *Proposal) error {
	switch {
	case p.closed:
		return ErrShutdown
	case p.intakeCount+prop.count <= maxIntakeCommands && p.intakeBytes+len(prop.commands) <= maxIntakeBytes:
	case p.haveSink:
		return ErrBusy
	default:
		return ErrNoLeader
	}
	p.intake = append(p.intake, prop)
	p.intakeCount += prop.count
	p.intakeBytes += len(prop.commands)
	return nil
}

// withdraw takes a proposal out of the intake; false means that it is not there any more.
func (p *pipeline) withdraw(prop *Proposal) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.Index(p.intake, prop)
	if i < 0 {
		return false
	}
	p.intake = slices.Delete(p.intake, i, i+1)
	p.intakeCount -= prop.count
	p.intakeBytes -= len(prop.commands)
	p.checkClosed()
	return true
}

// applied is called on Raft's goroutine: a batch of this server has taken effect here.
func (p *pipeline) applied(incarnation, sequence uint64, results []fsm.Result) {
	if incarnation != p.incarnation {
		return // of the process before this one: nobody here waits for it
	}
	p.mu.Lock()
	var done *batch
	if len(p.window) > 0 && p.window[0].sequence == sequence {
		done = p.pop()
	}
	p.checkClosed()
	p.mu.Unlock()
	if done != nil {
		done.finish(results, nil)
		p.poke()
	}
}

// restored is called on Raft's goroutine: a snapshot has taken effect here that holds this
// server's batches up to sequence. Their results went with the entries.
func (p *pipeline) restored(incarnation, sequence uint64) {
	if incarnation != p.incarnation {
		return
	}
	p.mu.Lock()
	var done []*batch
	for len(p.window) > 0 && p.window[0].sequence <= sequence {
		done = append(done, p.pop())
	}
	p.checkClosed()
	p.mu.Unlock()
	for _, b := range done {
		b.finish(nil, ErrTimeout)
	}
	p.poke()
}

// pop removes the oldest batch; mu is held.
func (p *pipeline) pop() *batch {
	b := p.window[0]
	p.window[0] = nil
	p.window = p.window[1:]
	p.windowBytes -= len(b.entry)
	p.progress = time.Now()
	return b
}

// close refuses what comes from now on, and returns when everything accepted has its end, when
// nobody waits for it any more, or when ctx ends: then what is left gets ErrShutdown or ErrTimeout.
func (p *pipeline) close(ctx context.Context) {
	p.mu.Lock()
	p.closed = true
	p.checkClosed()
	ctx, cancel := context.WithDeadline(ctx, p.lastDeadline())
	p.mu.Unlock()
	defer cancel()
	select {
	case <-p.closedWindow:
	case <-ctx.Done():
	}
	p.abandon()
}

// abandon refuses what comes from now on, and gives everything accepted its end now.
func (p *pipeline) abandon() {
	p.mu.Lock()
	p.closed = true
	window, intake := p.window, p.intake
	p.window, p.intake = nil, nil
	p.intakeCount, p.intakeBytes, p.windowBytes = 0, 0, 0
	p.checkClosed()
	p.mu.Unlock()
	for _, b := range window {
		b.finish(nil, ErrTimeout)
	}
	for _, prop := range intake {
		prop.finish(nil, ErrShutdown)
	}
}

// lastDeadline is when the last of those who wait gives up; mu is held.
func (p *pipeline) lastDeadline() (last time.Time) {
	latest := func(props []*Proposal) {
		for _, prop := range props {
			if prop.deadline.After(last) {
				last = prop.deadline
			}
		}
	}
	latest(p.intake)
	for _, b := range p.window {
		latest(b.proposals)
	}
	return last
}

// checkClosed is called with mu held after something was resolved.
func (p *pipeline) checkClosed() {
	if !p.closed || len(p.window) > 0 || len(p.intake) > 0 {
		return
	}
	select {
	case <-p.closedWindow:
	default:
		close(p.closedWindow)
	}
}
