package cluster

import (
	"context"
	"slices"
	"time"

	"github.com/hashicorp/raft"

	"ciderd/internal/fsm"
	"ciderd/internal/peer"
	"ciderd/internal/pipeline"
)

// leader is the server id of the leader as Raft here knows it; empty: none.
func (n *Node) leader() string {
	_, id := n.raft.LeaderWithID()
	return string(id)
}

// openSink finds the way to the present leader.
func (n *Node) openSink(ctx context.Context) (pipeline.Sink, error) {
	leader := n.leader()
	switch leader {
	case "":
		return nil, ErrNoLeader
	case n.self.ServerID:
		if err := n.mayLead(ctx); err != nil {
			return nil, err
		}
		return &localSink{proposer: newProposer(n), id: leader}, nil
	}
	return dialSink(ctx, n, leader)
}

// mayLead returns nil if this node may stamp entries: it leads, and it knows the time.
func (n *Node) mayLead(ctx context.Context) error {
	if n.raft.State() != raft.Leader {
		return errNotLeading
	}
	if !n.clock.Settled() {
		n.settleClock(ctx)
	}
	return nil
}

// settleClock gives a process that has just started the time. Another node that has it is asked
// first; without one, the median of the wall clocks that can be asked decides, so that one
// machine's wrong clock cannot move time. The log's last stamp is a lower bound in any case.
func (n *Node) settleClock(ctx context.Context) {
	others := n.members.Others(n.self.Node)
	for try := range settleTries {
		states, missing := n.askStates(ctx, others)
		settled, walls := int64(0), []int64{n.clock.Wall()}
		for _, s := range states {
			walls = append(walls, s.Wall)
			if s.Settled {
				settled = max(settled, s.Now)
			}
		}
		if settled > 0 {
			n.clock.Settle(settled)
			return
		}
		// A leader has a majority, so one can be asked; but it may be slow to answer.
		if len(walls) > (len(others)+1)/2 || len(missing) == 0 || try == settleTries-1 {
			slices.Sort(walls)
			n.clock.Settle(walls[(len(walls)-1)/2])
			return
		}
	}
}

// farAhead is from where on a step of time is worth a word: a machine that starts with a clock that is wrong by years
// takes along all keys that have a deadline.
const farAhead = 24 * time.Hour

// observe is told each entry's stamp before what the entry changes, on Raft's goroutine.
func (n *Node) observe(stamp int64) {
	step := time.Duration(stamp-n.lastStamp) * time.Millisecond
	if n.lastStamp > 0 && step > farAhead && n.clock.Settled() {
		n.log.Warn("time goes on far behind the entry before: keys whose deadline lies between are gone",
			"step", step.Round(time.Hour).String(), "keys", n.fsm.DueBy(stamp))
	}
	n.lastStamp = stamp
	n.clock.Observe(stamp)
}

// settleTries is how often a majority's clocks are asked for, half a second each.
const settleTries = 5

// watchLeader passes changes of leadership on to the pipeline and to what is asked of the old leader.
// Raft's observers must never block, so events may be dropped: those that are in the queue make this look
// again, and the pipeline looks by itself as well.
func (n *Node) watchLeader() {
	events := make(chan raft.Observation, 16)
	observer := raft.NewObserver(events, false, func(o *raft.Observation) bool {
		switch o.Data.(type) {
		case raft.LeaderObservation, raft.RaftState, raft.PeerObservation:
			return true
		}
		return false
	})
	n.raft.RegisterObserver(observer)
	defer n.raft.DeregisterObserver(observer)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	said := leaderLog{node: n, since: time.Now()}
	for {
		n.notifier.follow(n.servers())
		said.look(n.leader(), time.Now())
		n.endOldQuestion(said.leader)
		n.pipeline.LeaderChanged()
		select {
		case <-events:
		case <-tick.C:
		case <-n.ctx.Done():
			return
		}
	}
}

// leaderLog says who leads, and that nobody does once that has lasted for longer than an election.
type leaderLog struct {
	node   *Node
	leader string    // the last one that was known, or empty
	since  time.Time // there has been none
	warned bool
}

// leaderless is how long there is no leader before that is a warning.
const leaderless = 5 * time.Second

func (l *leaderLog) look(leader string, now time.Time) {
	n := l.node
	switch {
	case leader == "" && l.leader != "":
		l.leader, l.since, l.warned = "", now, false
	case leader == "" && !l.warned && now.Sub(l.since) >= leaderless:
		l.warned = true
		n.log.Warn(n.withSilent("no leader since 5 s: writes wait"))
	case leader != "" && leader != l.leader:
		if l.warned {
			n.log.Warn("there is a leader again: writes go on", "without", now.Sub(l.since).Round(time.Second).String())
		}
		n.log.Info("leader", "node", peer.NodeName(leader), "id", leader, "term", n.raft.CurrentTerm())
		l.leader, l.warned = leader, false
	}
}

// How the sweeper waits.
const (
	sweepPoll    = 50 * time.Millisecond
	sweepTimeout = 5 * time.Second
)

// sweep has what is due removed that the entries themselves do not remove: an entry only when there is
// something to remove, so an idle cluster writes none. While more is due than one takes, they follow each
// other: an entry of a thousand items with short deadlines removes 256, so what is due would pile up otherwise.
func (n *Node) sweep(ctx context.Context) {
	tick := time.NewTicker(sweepPoll)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		for n.isDue() && n.sweepOnce() {
		}
	}
}

func (n *Node) isDue() bool {
	if n.raft.State() != raft.Leader || !n.Ready() {
		return false
	}
	due, any := n.fsm.NextDeadline()
	return any && due <= n.clock.Now()
}

// sweepOnce tells whether there may be more.
func (n *Node) sweepOnce() bool {
	results, err := n.pipeline.Propose(fsm.NewGroup(fsm.Command{Op: fsm.OpSweep}), sweepTimeout).Wait()
	if err != nil {
		n.log.Debug("sweep", "error", err)
		return false
	}
	return len(results) == 1 && results[0].N >= fsm.SweepAtMost
}
