package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"ciderd/internal/peer"
)

// While leadership is handed over Raft takes no writes, and it believes in whomever it is to be handed
// to: a target that hangs used to cost five seconds of them (hashicorp/raft#696). So a target has to
// answer right before; the one message that Raft waits for has a time limit of its own (see
// raftTransport), so that a target that stops in between costs about Timing.Election; and a target that
// did not take over is left alone until Raft cannot be waiting for it any more.
const (
	transferTimeout = 2 * time.Second
	// transferProbe is how long the voters have for saying that they are there.
	transferProbe = 300 * time.Millisecond
	// transferAgain is longer than Raft can be busy with what it last sent a server that hangs: a
	// second transfer to it would wait for that, with writes refused.
	transferAgain = 30 * time.Second
	// transferStuck is when a leader that still refuses writes after a failed transfer ends.
	transferStuck = 10 * time.Second
	// transferTries is how many voters are tried one after the other, when any will do.
	transferTries = 2
)

// errNotTaken: the target did not take leadership over. This node leads on and takes writes.
var errNotTaken = errors.New("leadership was not handed over")

// heirs remembers who did not take leadership over, and when.
type heirs struct {
	mu     sync.Mutex
	failed map[string]time.Time
}

func (h *heirs) fail(id string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.failed == nil {
		h.failed = map[string]time.Time{}
	}
	h.failed[id] = time.Now()
}

// wait is how long the server must be left alone yet; 0: it may be tried.
func (h *heirs) wait(id string) time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	if at, ok := h.failed[id]; ok {
		return max(0, transferAgain-time.Since(at))
	}
	return 0
}

// Transfer hands leadership to another voter that has everything, if this node leads.
func (n *Node) Transfer(ctx context.Context) error {
	if n.raft.State() != raft.Leader {
		return nil
	}
	others, _ := n.voters()
	if len(others) == 0 {
		return nil
	}
	return n.transferTo(ctx, "")
}

// transferTo hands leadership to target, a server id; empty: to the voter that has most, or else the
// next. The error is errNotTaken if this node leads on.
func (n *Node) transferTo(ctx context.Context, target string) error {
	if target != "" {
		return n.transferOnce(ctx, target)
	}
	var failed error
	for range transferTries {
		if target = n.best(ctx); target == "" {
			break
		}
		if failed = n.transferOnce(ctx, target); !errors.Is(failed, errNotTaken) {
			return failed
		}
	}
	if failed == nil {
		return fmt.Errorf("%w: no other voter answers", errNotTaken)
	}
	return failed
}

func (n *Node) transferOnce(ctx context.Context, target string) error {
	if wait := n.heirs.wait(target); wait > 0 {
		return fmt.Errorf("%w: %s did not take over the last time; try again in %v, or another node",
			errNotTaken, target, wait.Round(time.Second))
	}
	ctx, cancel := context.WithTimeout(ctx, transferTimeout)
	defer cancel()
	begun := time.Now()
	future := n.raft.LeadershipTransferToServer(raft.ServerID(target), raft.ServerAddress(target))
	result := make(chan error, 1)
	go func() { result <- future.Error() }()
	var err error
	select {
	case err = <-result:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	if err == nil || errors.Is(err, raft.ErrNotLeader) {
		return nil
	}
	if !errors.Is(err, raft.ErrLeadershipTransferInProgress) { // somebody else's
		n.heirs.fail(target)
	}
	if n.leadsOn() {
		n.log.Warn("leadership was not handed over", "target", target, "error", err,
			"no writes for", time.Since(begun).Round(time.Millisecond).String())
		return fmt.Errorf("%w: %s did not take over (%v); %s leads on and takes writes, unless %s still asks for votes when it wakes up",
			errNotTaken, target, err, n.self.Node, peer.NodeName(target))
	}
	return nil
}

// leadsOn returns after a failed transfer when this node takes writes again, or does not lead any more:
// false. Raft may refuse them for ever: then the process ends, and the others elect.
func (n *Node) leadsOn() bool {
	refused := false
	for end := time.Now().Add(transferStuck); time.Now().Before(end); {
		err := waitFuture(n.raft.Barrier(enqueueTimeout), n.stopped)
		if over, leads := afterTransfer(err, n.raft.State()); over {
			return leads
		}
		refused = errors.Is(err, raft.ErrLeadershipTransferInProgress)
		if pause(n.ctx) != nil {
			return false
		}
	}
	if refused {
		n.fatal(fmt.Errorf("this leader takes no writes: a transfer of leadership that failed has not ended in %v", transferStuck))
		return false
	}
	return n.raft.State() == raft.Leader // and slow: that is not for the transfer to judge
}

// afterTransfer tells from how a barrier behind a failed transfer ended whether it is decided who leads,
// and if so, whether it is this node. A full queue (raft.ErrEnqueueTimeout) says nothing about that.
func afterTransfer(barrier error, state raft.RaftState) (over, leads bool) {
	switch {
	case barrier == nil:
		return true, true
	case errors.Is(barrier, raft.ErrNotLeader), errors.Is(barrier, raft.ErrLeadershipLost), errors.Is(barrier, raft.ErrRaftShutdown):
		return true, false
	}
	return state != raft.Leader, false
}

// best is the other voter that answers, may be tried, and has most of the log; one with a full disk only
// if there is no other. Empty: none.
func (n *Node) best(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, transferProbe)
	defer cancel()
	others, _ := n.voters()
	answers := make(chan *stateAnswer, len(others))
	for _, id := range others {
		go func() {
			a, err := n.ask(ctx, id, question{State: &stateQuestion{}})
			if err != nil || n.heirs.wait(id) > 0 {
				a.State = nil
			}
			answers <- a.State
		}()
	}
	var best *stateAnswer
	for range others {
		s := <-answers
		if s != nil && (best == nil || best.NoRoom && !s.NoRoom || best.NoRoom == s.NoRoom && s.LastIndex > best.LastIndex) {
			best = s
		}
	}
	if best == nil {
		return ""
	}
	return best.ServerID
}
