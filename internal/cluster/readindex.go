package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"ciderd/internal/fsm"
	"ciderd/internal/peer"
	"ciderd/internal/peerstate"
)

var (
	errDeposed = errors.New("this node's leadership could not be confirmed")
	// errLeaderChanged ends a question to a leader that, as far as is known here, no longer leads.
	errLeaderChanged = errors.New("the leader changed")
)

// rounds finds read indexes: log indexes that cover every write acknowledged before the caller asked. One round of
// questions serves all callers that were waiting when it began; later callers wait for the next, since the current
// round may be older than what they have seen acknowledged.
type rounds struct {
	find func(ctx context.Context) (uint64, error) // one round
	ctx  context.Context

	mu      sync.Mutex // all below
	running bool
	next    *round // not begun yet; nil: no caller waits
	wg      sync.WaitGroup
}

type round struct {
	done  chan struct{}
	index uint64
	err   error
}

func (r *rounds) index(ctx context.Context) (uint64, error) {
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

func (r *rounds) run() {
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

// barrierTimeout bounds the barrier of one round.
const barrierTimeout = 2 * time.Second

// termTimeout bounds the answers that a leader waits for in one round, and readIndexTimeout one round on a
// follower. Variables for tests.
var (
	termTimeout      = time.Second
	readIndexTimeout = 2 * termTimeout
)

// readIndexQuestion asks the leader for an index that covers everything acknowledged earlier. Names are on the wire.
var readIndexQuestion = peer.Question[readIndexAsked, readIndexAnswer]{Name: "ReadIndex"}

type (
	readIndexAsked  struct{ TimeoutMS int64 }
	readIndexAnswer struct {
		Index uint64
		Now   int64 // the leader's clock, Unix milliseconds
	}
)

// readIndex finds the log indexes that reads on this node must wait for.
type readIndex struct {
	raft    *consensus
	network *peer.Network
	fsm     *fsm.FSM
	time    *timekeeper

	leading     *rounds       // on the leader
	following   *rounds       // of this node's own sessions
	barrierTerm atomic.Uint64 // the last term in which our barrier was committed
	// asked is the question of this node's current round; nil: no other node is asked.
	asked atomic.Pointer[leaderQuestion]
}

// newReadIndex returns a readIndex whose rounds end with ctx, and which answers other nodes' questions.
func newReadIndex(ctx context.Context, c *consensus, n *peer.Network, t *timekeeper) *readIndex {
	r := &readIndex{raft: c, network: n, fsm: c.fsm, time: t}
	r.leading = &rounds{find: r.onLeader, ctx: ctx}
	r.following = &rounds{find: r.anywhere, ctx: ctx}
	peerstate.Term.Answer(n, func(peer.Identity, struct{}) (peerstate.CurrentTerm, error) {
		return peerstate.CurrentTerm{Term: c.CurrentTerm()}, nil
	})
	readIndexQuestion.Answer(n, func(_ peer.Identity, q readIndexAsked) (readIndexAnswer, error) {
		ctx, cancel := context.WithTimeout(ctx, time.Duration(q.TimeoutMS)*time.Millisecond)
		defer cancel()
		index, err := r.leading.index(ctx)
		return readIndexAnswer{Index: index, Now: t.clock.Now()}, err
	})
	return r
}

// close returns when no round is in progress.
func (r *readIndex) close() {
	r.leading.wg.Wait()
	r.following.wg.Wait()
}

// onLeader is one round on the leader. hashicorp/raft's VerifyLeader is not enough: it counts replies that were
// sent before it was called. Asking a majority for their term now is enough: had a later leader committed anything,
// a majority would be in its term, and one of those would be among the nodes asked.
func (r *readIndex) onLeader(ctx context.Context) (uint64, error) {
	if !r.raft.Leads() {
		return 0, errNotLeading
	}
	r.time.settled(ctx) // what expired while everything was down must not become readable again
	term := r.raft.CurrentTerm()
	// A new leader does not know what is committed until an entry of its own term is.
	if r.barrierTerm.Load() != term {
		if err := r.raft.wait(r.raft.Barrier(barrierTimeout)); err != nil {
			return 0, fmt.Errorf("barrier: %w", err)
		}
		r.barrierTerm.Store(term)
	}
	index := r.visibleIndex(r.raft.CommitIndex())
	if err := r.confirmTerm(ctx, term); err != nil {
		return 0, err
	}
	if !r.raft.Leads() || r.raft.CurrentTerm() != term {
		return 0, errDeposed
	}
	return index, nil
}

// visibleIndex returns the last index up to commit that an FSM gets to see: it sees commands and configurations,
// and not the entries that Raft makes for itself. It starts from the commit index and not from this node's own
// applied index: a follower may have applied, and acknowledged, entries that this node's FSM has not reached.
func (r *readIndex) visibleIndex(commit uint64) uint64 {
	applied := r.fsm.Applied()
	for index := commit; index > applied; index-- {
		var entry raft.Log
		if r.raft.storage.Logs.GetLog(index, &entry) != nil {
			return r.fsm.Applied() // compacted: a snapshot holds it, so the FSM has applied it
		}
		if entry.Type == raft.LogCommand || entry.Type == raft.LogConfiguration {
			return index
		}
	}
	return applied
}

// confirmTerm asks the other voters for their term until a majority, this node included, is known to be still in
// term.
func (r *readIndex) confirmTerm(ctx context.Context, term uint64) error {
	others, selfVotes := r.raft.Voters()
	need := (len(others)+1)/2 + 1
	if !selfVotes {
		need = len(others)/2 + 1
	}
	agreed := 0
	if selfVotes {
		agreed = 1
	}
	for a := range peerstate.Term.AskAll(ctx, r.network, others, struct{}{}, termTimeout) {
		if a.Err == nil && a.Answer.Term == term {
			agreed++
		}
		if agreed >= need {
			break // do not wait for missing replies
		}
	}
	if agreed < need {
		return errDeposed
	}
	return nil
}

// leaderQuestion is a question for a read index that this node has asked a leader: one at a time.
type leaderQuestion struct {
	leader string
	end    context.CancelCauseFunc
}

// endOldQuestion ends the question to a former leader. If that hangs it does not answer, and everyone here who
// needs a read index would wait for it, while its successor could answer.
func (r *readIndex) endOldQuestion(leader string) {
	if q := r.asked.Load(); q != nil && q.leader != leader {
		q.end(errLeaderChanged)
	}
}

// anywhere finds a read index wherever the leader is, once.
func (r *readIndex) anywhere(ctx context.Context) (uint64, error) {
	leader := r.raft.Leader()
	switch leader {
	case "":
		return 0, ErrNoLeader
	case r.raft.self:
		return r.leading.index(ctx)
	}
	ctx, cancel := context.WithTimeout(ctx, readIndexTimeout)
	defer cancel()
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	r.asked.Store(&leaderQuestion{leader, end})
	defer r.asked.Store(nil)
	r.endOldQuestion(r.raft.Leader()) // it may have changed before there was a question to end
	a, err := readIndexQuestion.Ask(ctx, r.network, leader, readIndexAsked{TimeoutMS: readIndexTimeout.Milliseconds()})
	if err != nil {
		return 0, err
	}
	// The log's time continues from the leader's clock: what is due there is due here.
	r.time.clock.Settle(a.Now)
	r.time.clock.Observe(a.Now)
	return a.Index, nil
}

// syncRetry is the pause between two tries to get a read index.
const syncRetry = 10 * time.Millisecond

// sync returns once this node has applied every write that had been answered OK anywhere when sync was called. It
// tries until ctx ends, and then returns ErrNoLeader if no leader was known, else ErrTimeout.
func (r *readIndex) sync(ctx context.Context) error {
	for {
		index, err := r.following.index(ctx)
		if err == nil {
			err = r.fsm.WaitApplied(ctx, index)
		}
		if err == nil {
			return nil
		}
		select {
		case <-time.After(syncRetry):
		case <-r.raft.stopped:
			return ErrShutdown
		case <-ctx.Done():
			if r.raft.Leader() == "" {
				return ErrNoLeader
			}
			return ErrTimeout
		}
	}
}
