package pipeline

import (
	"context"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"ciderd/internal/fsm"
	"ciderd/internal/tally"
)

// The bounds of the write path on one node.
const (
	maxBatchCommands = 1024
	maxBatchBytes    = 256 << 10
	// maxWindow is how many batches may be unresolved. Three keep the log, the network and the FSM busy at once;
	// more made batches smaller and nothing faster.
	maxWindow = 3
	// maxWindowBytes stops the window earlier when batches are large.
	maxWindowBytes = 16 << 20
	// maxBatchWork bounds the bytes of stored values that a batch makes every node copy, beyond its own bytes. A
	// few bytes of EXPIRE or APPEND copy a whole value, and a thousand of them, from any number of sessions, would
	// hold up all writes for most of a second.
	maxBatchWork = maxBatchBytes
	// worthCommands and worthBytes are how much must wait before a batch is made while others are in flight: each
	// log entry costs a commit round of about a millisecond of two cores, whatever is in it, so small batches next
	// to each other make all of them slower.
	worthCommands = 256
	worthBytes    = 32 << 10
	// stallTimeout is how long the oldest batch may be in flight before everything is sent again. Whatever was
	// lost, sending again is harmless (see fsm: a batch is applied if and only if it is the next one of its
	// origin).
	stallTimeout = 2 * time.Second
)

// Sink is where batches go: this node's own log while it leads, or the leader. One goroutine uses it.
type Sink interface {
	// Send takes a batch; that says nothing about its outcome. An error breaks the sink.
	Send(b *Batch) error
	// Broken is closed when the sink is known to have lost something.
	Broken() <-chan struct{}
	// Leader returns the server id of the node that the sink leads to.
	Leader() string
	// Close closes it; what it has taken may or may not enter the log.
	Close()
}

// Config is what a pipeline needs to know.
type Config struct {
	// Origin and Incarnation are part of each batch: the server id, and the number of this process.
	Origin      string
	Incarnation uint64
	// Leader returns the leader's server id; empty: none is known.
	Leader func() string
	// Open connects to the current leader, or fails.
	Open func(ctx context.Context) (Sink, error)
	// Outrun is called when the state has batches of this server that this process has not made: what it makes as
	// this incarnation will never be applied. Nothing is applied until Renew. Outrun is called on Raft's goroutine
	// and must not block. Nil: it is not reported.
	Outrun func(incarnation uint64)
	Log    hclog.Logger
}

// Pipeline is this node's way into the log.
//
// Invariants, under mu:
//   - intake holds the proposals that are in no batch; window holds batches with consecutive
//     sequences, oldest first, none of which has been applied here; window ends at sequence.
//   - batches up to sentTo have been sent through the present sink.
//
// One goroutine (Run) makes batches and sends them. Raft's goroutine resolves them, through Applied and Restored:
// it alone reports that a batch is done. A sink never does, so it may lose, repeat or reorder batches at the cost
// of time only: after any trouble the whole window is sent again, in order.
type Pipeline struct {
	config Config

	timers        sync.Pool     // of *time.Timer, for Wait
	wake          chan struct{} // there may be something to send
	leaderChanged chan struct{}

	mu           sync.Mutex
	incarnation  uint64
	intake       intake
	window       []*Batch
	windowBytes  int
	sequence     uint64
	sentTo       uint64
	expected     int       // commands that were unresolved when the last batch was done, its own included
	delay        delay     // while waiting for as many
	progress     time.Time // when the window's oldest batch became the oldest
	haveSink     bool
	counts       Stats
	closed       bool
	closedWindow chan struct{} // closed when closed and nothing is left

	commit, sizes *tally.Histogram // see Stats
}

// New returns a pipeline that accepts proposals; Run sends them.
func New(c Config) *Pipeline {
	return &Pipeline{
		config: c, incarnation: c.Incarnation, wake: make(chan struct{}, 1), leaderChanged: make(chan struct{}, 1),
		closedWindow: make(chan struct{}),
		commit:       tally.NewHistogram(tally.Latencies), sizes: tally.NewHistogram(tally.Sizes),
	}
}

// LeaderChanged notes that Leader, or what Open would do, may have changed. It never blocks.
func (p *Pipeline) LeaderChanged() { signal(p.leaderChanged) }

func (p *Pipeline) poke() { signal(p.wake) }

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Propose hands over a group, to become part of one log entry. The caller must not touch its commands any more. A
// group may exceed 1,024 commands, 256 KiB or as much work only if it is a single command. Propose never blocks;
// timeout is when Wait gives up.
func (p *Pipeline) Propose(g fsm.Group, timeout time.Duration) *Proposal {
	prop := &Proposal{
		commands: g.Commands, size: size{g.Count, len(g.Commands), g.Work}, version: g.Version, user: g.User,
		deadline: time.Now().Add(timeout), pipeline: p, done: make(chan struct{}),
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

// worthWaking reports whether the sender would do anything with what waits: with many clients most proposals only
// join others that are held back. mu is held.
func (p *Pipeline) worthWaking() bool {
	switch {
	case len(p.window) >= maxWindow:
		return false
	case len(p.window) > 0:
		return p.intake.commands >= worthCommands || p.intake.bytes >= worthBytes
	}
	return !p.delay.begun() || p.intake.commands >= p.expected
}

func (p *Pipeline) admit(prop *Proposal) error {
	switch {
	case p.closed:
		return ErrShutdown
	case p.intake.admits(prop):
	case p.haveSink:
		return ErrBusy
	default:
		return ErrNoLeader
	}
	p.intake.add(prop)
	return nil
}

// withdraw takes a proposal out of the intake; false means that it is no longer there.
func (p *Pipeline) withdraw(prop *Proposal) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.intake.remove(prop) {
		return false
	}
	if p.intake.empty() {
		p.delay = delay{} // else the next proposal would assume that the sender is about to look
	}
	p.checkClosed()
	return true
}

// Applied is called on Raft's goroutine when a batch of this server has been applied here.
func (p *Pipeline) Applied(incarnation, sequence uint64, results []fsm.Result) {
	p.mu.Lock()
	if p.outrun(incarnation, sequence) || incarnation < p.incarnation {
		p.mu.Unlock()
		return // of an earlier process, or of none: no caller here waits for it
	}
	var done *Batch
	if len(p.window) > 0 && p.window[0].sequence == sequence {
		done = p.pop()
	}
	p.checkClosed()
	p.mu.Unlock()
	if done != nil {
		p.commit.Since(done.made)
		done.finish(results, nil)
		p.poke()
	}
}

// Restored is called on Raft's goroutine when a snapshot has been restored here that holds this server's batches up
// to sequence. Their results are lost with the entries.
func (p *Pipeline) Restored(incarnation, sequence uint64) {
	p.mu.Lock()
	if p.outrun(incarnation, sequence) || incarnation < p.incarnation {
		p.mu.Unlock()
		return
	}
	var done []*Batch
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

// outrun reports whether a batch of this server has been applied that comes after all that this process has made,
// and if so calls Config.Outrun; mu is held.
func (p *Pipeline) outrun(incarnation, sequence uint64) bool {
	ahead := incarnation > p.incarnation || incarnation == p.incarnation && sequence > p.sequence
	if ahead && p.config.Outrun != nil {
		p.config.Outrun(incarnation)
	}
	return ahead
}

// Incarnation returns the incarnation that batches are made with now.
func (p *Pipeline) Incarnation() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.incarnation
}

// Renew gives the window's batches another incarnation, which must be above the one that has outrun this one. None
// of them has been applied, and none would ever be under the old incarnation: a batch of a lower incarnation is
// skipped. So each is still applied once.
func (p *Pipeline) Renew(incarnation uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if incarnation <= p.incarnation {
		return
	}
	p.incarnation, p.sequence, p.sentTo, p.windowBytes = incarnation, 0, 0, 0
	for i, b := range p.window {
		p.sequence++
		p.window[i] = &Batch{
			incarnation: incarnation, sequence: p.sequence, entry: fsm.Renumber(b.entry, incarnation, p.sequence),
			proposals: b.proposals, count: b.count, made: b.made,
		}
		p.windowBytes += len(p.window[i].entry)
	}
	p.poke()
}

// pop removes the oldest batch; mu is held.
func (p *Pipeline) pop() *Batch {
	b := p.window[0]
	p.window[0] = nil
	p.window = p.window[1:]
	p.windowBytes -= len(b.entry)
	p.expected = min(b.count+p.intake.commands, maxBatchCommands)
	p.progress = time.Now()
	return b
}

// Close refuses new proposals, and returns when everything accepted is resolved, when no caller waits for it any
// more, or when ctx ends: then what is left gets ErrShutdown or ErrTimeout.
func (p *Pipeline) Close(ctx context.Context) {
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
	p.Abandon()
}

// Abandon refuses new proposals, and resolves everything accepted now.
func (p *Pipeline) Abandon() {
	p.mu.Lock()
	p.closed = true
	window, waiting := p.window, p.intake.all()
	p.window, p.windowBytes = nil, 0
	p.checkClosed()
	p.mu.Unlock()
	for _, b := range window {
		b.finish(nil, ErrTimeout)
	}
	for _, prop := range waiting {
		prop.finish(nil, ErrShutdown)
	}
}

// lastDeadline returns when the last waiting caller gives up; mu is held.
func (p *Pipeline) lastDeadline() (last time.Time) {
	latest := func(prop *Proposal) {
		if prop.deadline.After(last) {
			last = prop.deadline
		}
	}
	p.intake.each(latest)
	for _, b := range p.window {
		for _, prop := range b.proposals {
			latest(prop)
		}
	}
	return last
}

// checkClosed is called with mu held after proposals were resolved.
func (p *Pipeline) checkClosed() {
	if !p.closed || len(p.window) > 0 || !p.intake.empty() {
		return
	}
	select {
	case <-p.closedWindow:
	default:
		close(p.closedWindow)
	}
}
