package membership

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"ciderd/internal/peerstate"
	"ciderd/internal/storage"
)

// askToJoin asks the nodes that have data to admit this one, and returns what it waits for. Once it is admitted, it
// learns that from the leader's log. If an admission was interrupted it asks again, under the same id: this
// server's data is from a leader's log, and its votes are not forgotten.
func (b *belonging) askToJoin(ctx context.Context, stateful []string) (waiting string) {
	why, reason := "this node's disk is empty", "waiting to be admitted: their leader is not known yet"
	if b.hasState() {
		why = "the admission of this node was cut short"
	}
	for _, name := range stateful {
		asking, cancel := context.WithTimeout(ctx, ChangeTimeout+peerstate.OneTimeout)
		a, err := joinQuestion.Ask(asking, b.Network, name, join{b.self.ServerID})
		cancel()
		switch {
		case err != nil || !a.Leads:
			continue
		case a.Removed:
			b.wasRemoved()
			reason = "waiting to be admitted: " + a.Reason
		case a.Admitted:
			reason = "admitted; waiting for the log"
		default:
			reason = "waiting to be admitted: " + a.Reason
		}
		break
	}
	return fmt.Sprintf("%s, and there is data on %s; %s", why, strings.Join(stateful, ", "), reason)
}

// ErrRemoved ends a server that was removed from the cluster.
var ErrRemoved = storage.ForPerson("this server was removed from the cluster: remove its data directory to let it join as a new one")

// wasRemoved ends a server that was removed before it had anything that could tell it so, and has its directory
// remember: otherwise it would be admitted again at its next start.
func (b *belonging) wasRemoved() {
	err := b.Storage.Notes().SetRemoved()
	if err != nil {
		err = fmt.Errorf("storing that: %w", err)
	}
	b.Fatal(errors.Join(ErrRemoved, err))
}

// check asks the others whether this node belongs to them: an error is why it must end, wrong why it must not
// serve.
func (b *belonging) check(ctx context.Context) (wrong string, err error) {
	states, _ := b.Peers.AskAll(ctx)
	joined, err := b.hasJoined()
	if err != nil {
		return "", err
	}
	for name, s := range states {
		switch {
		case s.Recovered < b.recoveries.recovered() || len(s.Servers) == 0 || slices.Contains(s.Servers, b.self.ServerID):
		case joined:
			ids, current := b.removedBy(ctx, name)
			switch {
			case len(ids) == 0:
				continue
			case b.sharesServers(ids) && current:
				return "", ErrRemoved
			case b.sharesServers(ids):
				continue
			}
			return fmt.Sprintf("%s leads a cluster of servers that this node's data directory does not know (%s): another cluster, or all were replaced",
				name, strings.Join(ids, ", ")), nil
		default:
			// It was being admitted when the leader failed, and the next leader does not know of it.
			waiting := b.askToJoin(ctx, []string{name})
			if !b.Serving.CaughtUp() {
				b.Serving.SetWaiting(waiting)
			}
		}
	}
	return b.refused(joined)
}

// removedBy returns the servers of the cluster that name leads now, if this node is not one of them. A leader may
// be mistaken about leading: a process that was stopped for a while knows nothing of servers that were admitted,
// nor that others lead. So its answer counts only when a majority has just followed it. current reports whether the
// answer is not older than what is known here; the terms of two clusters cannot be compared.
func (b *belonging) removedBy(ctx context.Context, name string) (ids []string, current bool) {
	ctx, cancel := context.WithTimeout(ctx, barrierTimeout+peerstate.OneTimeout)
	defer cancel()
	a, err := serversQuestion.Ask(ctx, b.Network, name, struct{}{})
	if err != nil {
		b.Log.Debug("whether this node was removed is not confirmed", "by", name, "error", err)
		return nil, false
	}
	if b.Raft.CanBeTerm(a.Term) != nil || slices.Contains(a.IDs, b.self.ServerID) {
		return nil, false
	}
	return a.IDs, a.Term >= b.Raft.Term()
}

// barrierTimeout is how long a majority has to show that it follows a leader.
const barrierTimeout = 2 * time.Second

var errDeposed = errors.New("this node's leadership could not be confirmed")

// confirmed returns the committed configuration, on a leader: since the question a majority has stored an entry of
// its term after that configuration.
func (b *belonging) confirmed() (a serversAnswer, err error) {
	if !b.Raft.Leads() {
		return a, ErrNotLeading
	}
	a = serversAnswer{Term: b.Raft.Term(), IDs: b.Raft.Servers().IDs()}
	if err := b.Raft.Confirm(barrierTimeout); err != nil {
		return a, fmt.Errorf("%w: barrier: %w", errDeposed, err)
	}
	if !b.Raft.Leads() || b.Raft.Term() != a.Term {
		return a, errDeposed
	}
	return a, nil
}
