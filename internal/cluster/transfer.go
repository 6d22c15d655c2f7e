package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"ciderd/internal/membership"
	"ciderd/internal/peer"
	"ciderd/internal/peerstate"
)

// While leadership is handed over Raft takes no writes, and it relies on the target: one that hangs used to cost
// five seconds of writes (hashicorp/raft#696). So a target must answer directly before; the one message that Raft
// waits for has a time limit of its own (see raftTransport), so that a target that stops in between costs about
// Timing.Election; and a target that did not take over is not tried again until Raft cannot be waiting for it any
// more.
const (
	transferTimeout = 2 * time.Second
	// transferProbe is how long the voters have to answer that they are alive.
	transferProbe = 300 * time.Millisecond
	// transferAgain is longer than Raft can be busy with its last message to a server that hangs: a second transfer
	// to that server would wait for the message, with writes refused.
	transferAgain = 30 * time.Second
	// answeredAgain is for a server that answered and still did not take over, in election timeouts: no message to it
	// is pending. One that campaigned in vain just before ignores the request until its candidacy has timed out, after
	// up to two of them (hashicorp/raft 1.7.3: it takes the new leader's heartbeats, and stays a candidate).
	answeredAgain = 3
	// transferStuck is when a leader that still refuses writes after a failed transfer ends.
	transferStuck = 10 * time.Second
	// transferTries is how many voters are tried one after the other, when any will do.
	transferTries = 2
)

// transfers hands leadership over.
type transfers struct {
	raft  *consensus
	peers *peerstate.Peers
	node  string // this node's name, for messages
	fatal func(error)
	ctx   context.Context // ends with the node
	log   hclog.Logger

	electionTimeout time.Duration
	draining        func() bool // this node is taken out of traffic

	mu       sync.Mutex           // protects the maps, by server id
	again    map[string]time.Time // when a target that did not take leadership over may be tried again
	answered map[string]time.Time // when a target last answered that it campaigns
}

// campaigns notes that a target has answered the message by which leadership is handed over.
func (t *transfers) campaigns(id string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.answered[id] = time.Now()
}

// fail notes that a target did not take over in a transfer that began then.
func (t *transfers) fail(id string, begun time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	wait := transferAgain
	if t.answered[id].After(begun) {
		wait = answeredAgain * t.electionTimeout
	}
	t.again[id] = time.Now().Add(wait)
}

// leaveAlone returns how much longer a target must not be tried; 0: it may be.
func (t *transfers) leaveAlone(id string) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return max(0, time.Until(t.again[id]))
}

// transfer hands leadership to an up-to-date voter, if this node leads.
func (t *transfers) transfer(ctx context.Context) error {
	if !t.raft.Leads() {
		return nil
	}
	others, _ := t.raft.Voters()
	if len(others) == 0 {
		return nil
	}
	return t.TransferTo(ctx, "")
}

// TransferTo hands leadership to target, a server id; empty: to the voter with the most of the log, or else the
// next. The error is membership.ErrNotTransferred if this node keeps leading.
func (t *transfers) TransferTo(ctx context.Context, target string) error {
	if target != "" {
		return t.transferOnce(ctx, target)
	}
	var failed error
	for range transferTries {
		if target = t.best(ctx); target == "" {
			break
		}
		if failed = t.transferOnce(ctx, target); !errors.Is(failed, membership.ErrNotTransferred) {
			return failed
		}
	}
	if failed == nil {
		return fmt.Errorf("%w: no other voter answers", membership.ErrNotTransferred)
	}
	return failed
}

func (t *transfers) transferOnce(ctx context.Context, target string) error {
	if wait := t.leaveAlone(target); wait > 0 {
		return fmt.Errorf("%w: %s did not take over the last time; try again in %v, or another node",
			membership.ErrNotTransferred, target, max(time.Second, wait.Round(time.Second)))
	}
	ctx, cancel := context.WithTimeout(ctx, transferTimeout)
	defer cancel()
	begun := time.Now()
	future := t.raft.LeadershipTransferToServer(raft.ServerID(target), raft.ServerAddress(target))
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
	if !errors.Is(err, raft.ErrLeadershipTransferInProgress) { // of another transfer
		t.fail(target, begun)
	}
	if t.leadsOn() {
		t.log.Warn("leadership was not handed over", "target", target, "error", err,
			"no writes for", time.Since(begun).Round(time.Millisecond).String())
		return fmt.Errorf("%w: %s did not take over (%v); %s leads on and takes writes, unless %s still asks for votes when it wakes up",
			membership.ErrNotTransferred, target, err, t.node, peer.NodeName(target))
	}
	return nil
}

// leadsOn returns after a failed transfer: true when this node takes writes again, false when it no longer leads.
// Raft may refuse writes forever: then the process ends, and the others elect.
func (t *transfers) leadsOn() bool {
	refused := false
	for end := time.Now().Add(transferStuck); time.Now().Before(end); {
		err := t.raft.wait(t.raft.Barrier(enqueueTimeout))
		if over, leads := afterTransfer(err, t.raft.State()); over {
			return leads
		}
		refused = errors.Is(err, raft.ErrLeadershipTransferInProgress)
		if pause(t.ctx) != nil {
			return false
		}
	}
	if refused {
		t.fatal(fmt.Errorf("this leader takes no writes: a transfer of leadership that failed has not ended in %v", transferStuck))
		return false
	}
	return t.raft.Leads() // and slow, which is not the transfer's concern
}

// afterTransfer evaluates the result of a barrier after a failed transfer: whether it is decided which node leads,
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

// best returns the other voter that answers, may be tried, and has most of the log; one with a full disk, or that is
// draining, only if there is no other. Empty: none.
func (t *transfers) best(ctx context.Context) string {
	if best := t.heir(ctx); best != nil {
		return best.ServerID
	}
	return ""
}

// heir is best with what it has said; nil: none.
func (t *transfers) heir(ctx context.Context) (best *peerstate.State) {
	others, _ := t.raft.Voters()
	for _, s := range t.peers.Each(ctx, others, transferProbe) {
		if (best == nil || fitter(s, best)) && t.leaveAlone(s.ServerID) == 0 {
			best = s
		}
	}
	return best
}

// fitter reports whether a is the better one to lead.
func fitter(a, b *peerstate.State) bool {
	switch {
	case a.NoSpace != b.NoSpace:
		return b.NoSpace
	case a.Draining != b.Draining:
		return b.Draining
	}
	return a.LastIndex > b.LastIndex
}

// drainPoll is how often a node that is draining looks whether it leads.
const drainPoll = time.Second

// whileDraining hands leadership on whenever this node gets it while it is draining: Raft may elect any voter. Another
// one that is draining is no heir: the two would hand it to each other for ever.
func (t *transfers) whileDraining(ctx context.Context) {
	tick := time.NewTicker(drainPoll)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if !t.draining() || !t.raft.Leads() {
			continue
		}
		if heir := t.heir(ctx); heir != nil && !heir.Draining {
			_ = t.TransferTo(ctx, heir.ServerID) // it has said why not, and is not tried again at once
		}
	}
}

// leadPoll is how often a leader checks whether it takes writes again.
const leadPoll = 20 * time.Millisecond

func pause(ctx context.Context) error {
	select {
	case <-time.After(leadPoll):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
