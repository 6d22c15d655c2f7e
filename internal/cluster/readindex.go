package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

var (
	errDeposed = errors.New("this node's leadership could not be confirmed")
	// errLeaderChanged ends a question to a leader that is none any more, as far as is known here.
	errLeaderChanged = errors.New("the leader changed")
)

// reads finds read indexes: log indexes that hold every write acknowledged before they were asked
// for. One round of questions serves all who were waiting when it began; who comes later waits for
// the next, since a round that has begun may be older than what they have seen acknowledged.
type reads struct {
	find func(ctx context.Context) (uint64, error) // one round
	ctx  context.Context

	mu      sync.Mutex // all below
	running bool
	next    *round // not begun yet; nil: nobody waits
	wg      sync.WaitGroup
}

type round struct {
	done  chan struct{}
	index uint64
	err   error
}

func (r *reads) index(ctx context.Context) (uint64, error) {
	r.mu.Lock()
	if r.next == nil {
		r.next = &round{done: make(chan struct{})}
	}
	mine := r.next
	if !r.running {
		r.running = true
		r.wg.Go(r.run)
	}
	r.mu.Unlock()
	select {
	case <-mine.done:
		return mine.index, mine.err
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
}

func (r *reads) run() {
	for {
		r.mu.Lock()
		current := r.next
		r.next = nil
		if current == nil {
			r.running = false
			r.mu.Unlock()
			return
		}
		r.mu.Unlock()
		current.index, current.err = r.find(r.ctx)
		close(current.done)
	}
}

// Bounds of one round.
const (
	termTimeout    = time.Second
	barrierTimeout = 2 * time.Second
)

// readIndexTimeout bounds one round on a follower. A variable for tests.
var readIndexTimeout = 2 * termTimeout

// leaderReadIndex is one round on the leader. hashicorp/raft's VerifyLeader is not enough: it
// counts replies that were sent before it was called. Asking a majority for their term, now, is:
// had a later leader committed anything, a majority would be in its term, and one of those would
// be among the ones we ask.
func (n *Node) leaderReadIndex(ctx context.Context) (uint64, error) {
	if n.raft.State() != raft.Leader {
		return 0, errNotLeading
	}
	if !n.clock.Settled() {
		// What expired while everything was down must not be read again.
		n.settleClock(ctx)
	}
	term := n.raft.CurrentTerm()
	// A new leader does not know what is committed until an entry of its own term is.
	if n.barrierTerm.Load() != term {
		if err := waitFuture(n.raft.Barrier(barrierTimeout), n.stopped); err != nil {
			return 0, fmt.Errorf("barrier: %w", err)
		}
		n.barrierTerm.Store(term)
	}
	index := n.visibleIndex(n.raft.CommitIndex())
	if err := n.confirmTerm(ctx, term); err != nil {
		return 0, err
	}
	if n.raft.State() != raft.Leader || n.raft.CurrentTerm() != term {
		return 0, errDeposed
	}
	return index, nil
}

// visibleIndex is the last index up to commit that an FSM gets to see: it hears of commands and
// configurations, and not of the entries that Raft makes for itself. The commit index and not this
// node's own applied index is where to start: a follower may have applied, and acknowledged, what
// this node's FSM has yet to reach.
func (n *Node) visibleIndex(commit uint64) uint64 {
	applied := n.fsm.Applied()
	for index := commit; index > applied; index-- {
		var entry raft.Log
		if n.storage.Logs.GetLog(index, &entry) != nil {
			return n.fsm.Applied() // compacted: a snapshot holds it, so the FSM has applied it
		}
		if entry.Type == raft.LogCommand || entry.Type == raft.LogConfiguration {
			return index
		}
	}
	return applied
}

// confirmTerm asks the other voters for their term until a majority, this node included, is known
// to be still in term.
func (n *Node) confirmTerm(ctx context.Context, term uint64) error {
	switch {
	case plantNaiveSync:
		return nil
	case plantVerifyLeader:
		return waitFuture(n.raft.VerifyLeader(), n.stopped)
	}
	others, selfVotes := n.voters()
	need := (len(others)+1)/2 + 1
	if !selfVotes {
		need = len(others)/2 + 1
	}
	agreed := 0
	if selfVotes {
		agreed = 1
	}
	ctx, cancel := context.WithTimeout(ctx, termTimeout)
	defer cancel()
	answers := make(chan bool, len(others))
	for _, id := range others {
		go func() {
			a, err := n.ask(ctx, id, question{Term: &termQuestion{}})
			answers <- err == nil && a.Term != nil && a.Term.Term == term
		}()
	}
	for range others {
		if agreed >= need {
			break
		}
		if <-answers {
			agreed++
		}
	}
	if agreed < need {
		return errDeposed
	}
	return nil
}

// leaderQuestion is the question for a read index that this node has put to a leader: one at a time.
type leaderQuestion struct {
	leader string
	end    context.CancelCauseFunc
}

// endOldQuestion ends the question to a leader that this one has followed. One that hangs does not answer,
// and all that wait for a read index here wait for its answer, while its successor could give one.
func (n *Node) endOldQuestion(leader string) {
	if q := n.asked.Load(); q != nil && q.leader != leader {
		q.end(errLeaderChanged)
	}
}

// readIndex finds a read index wherever the leader is, once.
func (n *Node) readIndex(ctx context.Context) (uint64, error) {
	leader := n.leader()
	switch leader {
	case "":
		return 0, ErrNoLeader
	case n.self.ServerID:
		return n.reads.index(ctx)
	}
	ctx, cancel := context.WithTimeout(ctx, readIndexTimeout)
	defer cancel()
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	n.asked.Store(&leaderQuestion{leader, end})
	defer n.asked.Store(nil)
	n.endOldQuestion(n.leader()) // it may have changed before there was a question to end
	a, err := n.ask(ctx, leader, question{ReadIndex: &readIndexQuestion{TimeoutMS: readIndexTimeout.Milliseconds()}})
	switch {
	case err != nil:
		return 0, err
	case a.ReadIndex == nil:
		return 0, errors.New(a.Error)
	}
	// The leader's clock is where the log's time goes on: what is due there is due here.
	n.clock.Settle(a.ReadIndex.Now)
	n.clock.Observe(a.ReadIndex.Now)
	return a.ReadIndex.Index, nil
}

// syncRetry is the pause between two tries to get a read index.
const syncRetry = 10 * time.Millisecond

// Sync returns once this node has applied every write that anyone had been told OK for when Sync
// was called. It tries until ctx ends, and then gives ErrNoLeader if no leader was known, else
// ErrTimeout.
func (n *Node) Sync(ctx context.Context) error {
	for {
		index, err := n.syncs.index(ctx)
		if err == nil {
			err = n.fsm.WaitApplied(ctx, index)
		}
		if err == nil {
			return nil
		}
		select {
		case <-time.After(syncRetry):
		case <-n.stopped:
			return ErrShutdown
		case <-ctx.Done():
			if n.leader() == "" {
				return ErrNoLeader
			}
			return ErrTimeout
		}
	}
}
