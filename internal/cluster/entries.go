package cluster

import (
	"errors"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"ciderd/internal/clock"
	"ciderd/internal/eviction"
	"ciderd/internal/fsm"
)

// enqueueTimeout is how long Raft may take to accept an entry into its queue.
const enqueueTimeout = 2 * time.Second

var errNotLeading = errors.New("not the leader")

// entries is the only way for batches to become entries of this node's Raft, while it leads.
type entries struct {
	raft     *consensus
	closed   func() bool // commands that make the state grow are refused
	weights  *weights
	formats  *formats
	clock    *clock.Clock
	notifier *notifier
	evictor  *eviction.Evictor
	log      hclog.Logger
}

// enqueue checks and stamps an entry in place and gives it to Raft, which keeps it.
func (e *entries) enqueue(entry []byte) (raft.ApplyFuture, error) {
	if !e.raft.Leads() {
		return nil, errNotLeading
	}
	refusal := fsm.Refusal{Growth: e.closed(), Weights: e.weights.now()}
	return e.formats.enter(entry, refusal, func(entry []byte) (future raft.ApplyFuture, err error) {
		err = e.evictor.Admit(entry, func() error {
			future = e.give(entry)
			return nil
		})
		return future, err
	})
}

// give stamps an entry and gives it to Raft.
func (e *entries) give(entry []byte) raft.ApplyFuture {
	fsm.SetStamp(entry, e.clock.Now())
	return e.raft.Apply(entry, enqueueTimeout)
}

// mayEvict reports whether this node leads and knows the time, with which entries are stamped.
func (e *entries) mayEvict() bool { return e.raft.Leads() && e.clock.Settled() }

// evict gives Raft an eviction, which is no batch of an origin: if it is lost, another one is made.
func (e *entries) evict(entry []byte) error {
	if !e.mayEvict() {
		return errNotLeading
	}
	e.give(entry)
	return nil
}

// proposer gives stamped entries to this node's Raft while it leads, in order. They come from this node's own
// pipeline, or from another node's connection.
type proposer struct {
	entries *entries
	futures chan raft.ApplyFuture
	failed  chan struct{} // closed after the first entry that failed
	wg      sync.WaitGroup
}

// inRaft is how many entries of one origin may be in Raft at a time.
const inRaft = 64

func (e *entries) newProposer() *proposer {
	p := &proposer{entries: e, futures: make(chan raft.ApplyFuture, inRaft), failed: make(chan struct{})}
	p.wg.Go(p.watch)
	return p
}

// propose stamps entry in place and gives it to Raft, which keeps it. It returns once the entry is in Raft's queue;
// if it fails later, failed is closed.
func (p *proposer) propose(entry []byte) error {
	future, err := p.entries.enqueue(entry)
	if err != nil {
		return err
	}
	return p.await(future)
}

// await has watch wait for the entry's outcome, once there are not too many others.
func (p *proposer) await(future raft.ApplyFuture) error {
	select {
	case p.futures <- future:
		return nil
	case <-p.failed:
		return errNotLeading
	}
}

// watch waits for the entries' outcomes, in order. A future's error may or may not mean that the entry is lost.
// Either way everything that is not done is sent again, so the two are treated alike.
func (p *proposer) watch() {
	// One goroutine waits for all futures. If Raft does not answer one when it shuts down, the goroutine never
	// ends.
	asked, ends := make(chan raft.ApplyFuture), make(chan error, 1)
	defer close(asked)
	go func() {
		for f := range asked {
			ends <- f.Error()
		}
	}()
	for future := range p.futures {
		asked <- future
		err := raft.ErrRaftShutdown
		select {
		case err = <-ends:
		case <-p.entries.raft.stopped:
		}
		if err != nil {
			p.entries.log.Debug("an entry did not make it", "error", err)
			p.entries.evictor.Lose()
			close(p.failed)
			for range p.futures { // until close
			}
			return
		}
		if term, ok := future.Response().(uint64); ok {
			p.entries.notifier.committed(term, future.Index())
		}
	}
}

func (p *proposer) close() {
	close(p.futures)
	p.wg.Wait()
}
