package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/raft"

	"ciderd/internal/storage"
)

// askToJoin asks the nodes that have data to be admitted, and says what is waited for. Once it is
// admitted, the leader's log tells this node so. An admission that was cut short is asked for again,
// under the same id: what this server has is of a leader's log, and its votes are not forgotten.
func (n *Node) askToJoin(ctx context.Context, stateful []string) (waiting string) {
	why, reason := "this node's disk is empty", "their leader is not known yet"
	if n.hasState() {
		why = "the admission of this node was cut short"
	}
	for _, name := range stateful {
		asking, cancel := context.WithTimeout(ctx, changeTimeout+aliveTimeout)
		a, err := n.ask(asking, name, question{Join: &joinQuestion{ServerID: n.self.ServerID}})
		cancel()
		switch {
		case err != nil || a.Join == nil || !a.Join.Leads:
			continue
		case a.Join.Removed:
			n.wasRemoved()
			reason = a.Join.Reason
		case a.Join.Admitted:
			reason = "admitted; waiting for the log"
		default:
			reason = a.Join.Reason
		}
		break
	}
	return fmt.Sprintf("%s, and there is data on %s; waiting to be admitted: %s", why, strings.Join(stateful, ", "), reason)
}

// errRemoved ends a server that the cluster has taken out.
var errRemoved = storage.ForPerson("this server was removed from the cluster: remove its data directory to let it join as a new one")

// wasRemoved ends a server that was taken out before it had anything by which it could know that, and
// has its directory remember: else it would be let in again at its next start.
func (n *Node) wasRemoved() {
	err := n.storage.SetRemoved()
	if err != nil {
		err = fmt.Errorf("storing that: %w", err)
	}
	n.fatal(errors.Join(errRemoved, err))
}

// membershipPoll is how often a node that hears of no leader looks whether it is a member still. A variable
// for tests.
var membershipPoll = 2 * time.Second

// watchMembership notes when this node has become a member, and ends it when the cluster does not have it
// any more. It looks while it hears of no leader: a server that was removed hears nothing, and a cluster
// would take no notice of it for ever.
func (n *Node) watchMembership(ctx context.Context) {
	tick := time.NewTicker(membershipPoll)
	defer tick.Stop()
	snapshotNoted := false
	for {
		look := false
		select {
		case <-tick.C:
			look = n.hasState()
		case <-n.joins:
			snapshotNoted = false // it may be another one
		case <-ctx.Done():
			return
		}
		err := n.noteJoined()
		if err == nil && !snapshotNoted {
			err = n.noteSnapshot()
			snapshotNoted = err == nil
		}
		if err == nil && look {
			err = n.checkOwn(ctx, n.leader() == "")
		}
		switch {
		case errors.Is(err, errRemoved):
			n.fatal(err)
			return
		case err != nil: // a list of snapshots that could not be read, say; damage is storage's to report
			n.log.Warn("cannot tell yet whether this server is a member", "error", err)
		}
	}
}

// checkMembership asks the others whether this node belongs to them: an error is why it must end, wrong why it must
// not serve.
func (n *Node) checkMembership(ctx context.Context) (wrong string, err error) {
	states, _ := n.askStates(ctx, n.members.Others(n.self.Node))
	joined, err := n.hasJoined()
	if err != nil {
		return "", err
	}
	for name, s := range states {
		switch {
		case s.Recovered < n.recovered() || len(s.Servers) == 0 || slices.Contains(s.Servers, n.self.ServerID):
		case joined:
			ids, current := n.removedBy(ctx, name)
			switch {
			case len(ids) == 0:
				continue
			case n.sharesServers(ids) && current:
				return "", errRemoved
			case n.sharesServers(ids):
				continue
			}
			return fmt.Sprintf("%s leads a cluster of servers that this node's data directory does not know (%s): another cluster, or all were replaced",
				name, strings.Join(ids, ", ")), nil
		default:
			// It was being admitted when the leader went, and the next one does not know of it.
			waiting := n.askToJoin(ctx, []string{name})
			if !n.ready.Load() {
				n.setWaiting(waiting)
			}
		}
	}
	return n.refused(joined)
}

// removedBy is the servers of the cluster that name leads, now, if this node is none of them. What leads may only
// think so: a process that was stopped for a while knows nothing of who was let in, nor that others lead.
// So its word counts only when a majority has just followed it. current is whether that is not from before what is
// known here; of the terms of two clusters neither is before the other.
func (n *Node) removedBy(ctx context.Context, name string) (ids []string, current bool) {
	ctx, cancel := context.WithTimeout(ctx, barrierTimeout+aliveTimeout)
	defer cancel()
	a, err := n.ask(ctx, name, question{Servers: &serversQuestion{}})
	if err != nil || a.Servers == nil {
		n.log.Debug("whether this node was removed is not confirmed", "by", name, "error", err, "reason", a.Error)
		return nil, false
	}
	if n.progress().checkTerm("term", a.Servers.Term) != nil || slices.Contains(a.Servers.IDs, n.self.ServerID) {
		return nil, false
	}
	return a.Servers.IDs, a.Servers.Term >= n.raft.CurrentTerm()
}

// confirmedServers is the committed configuration, from a leader: a majority has taken an entry of
// its term behind that configuration since it was asked.
func (n *Node) confirmedServers() (*serversAnswer, error) {
	if n.raft.State() != raft.Leader {
		return nil, errNotLeading
	}
	a := &serversAnswer{Term: n.raft.CurrentTerm()}
	for _, s := range n.servers() {
		a.IDs = append(a.IDs, string(s.ID))
	}
	ctx, cancel := context.WithTimeout(n.ctx, barrierTimeout)
	defer cancel()
	if err := waitFuture(n.raft.Barrier(barrierTimeout), ctx.Done()); err != nil {
		return nil, fmt.Errorf("%w: barrier: %w", errDeposed, err)
	}
	if n.raft.State() != raft.Leader || n.raft.CurrentTerm() != a.Term {
		return nil, errDeposed
	}
	return a, nil
}
