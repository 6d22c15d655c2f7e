package cluster

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"ciderd/internal/fsm"
	"ciderd/internal/peer"
)

// How servers come and go by themselves.
const (
	// silence is for how long nobody must have heard of the old server of a name before a new one takes
	// its place: longer than a restart takes, and than two questions of a node that lives are apart.
	silence = 3 * time.Second
	// steady is how long a new server must have kept up before it gets a vote: a voter that has to
	// catch up first would hold up every commit that needs it.
	steady = time.Second
	// closeBehind is what counts as keeping up, in log entries.
	closeBehind  = 64
	admitPoll    = 250 * time.Millisecond
	aliveTimeout = 500 * time.Millisecond
	// changeTimeout bounds one change of the configuration.
	changeTimeout = 5 * time.Second
)

// admissions is how servers join a cluster that has data: a wiped disk under its old name, or a node
// that is new in the file. The leader takes the old server of that name out, if it is silent, lets
// the new one in without a vote, and gives it one when it has caught up and stayed so. One change
// at a time, so any two majorities that follow each other overlap.
type admissions struct {
	node *Node

	mu sync.Mutex // one change at a time; all below
	// removed has the ids of those that this node has taken out. One that had nothing yet of the log
	// cannot know, and would ask to be let in again.
	removed map[string]bool
}

// answer is the leader's to a server that asks to join.
func (a *admissions) answer(name, id string) *joinAnswer {
	if a.node.raft.State() != raft.Leader {
		return &joinAnswer{Reason: "not the leader"}
	}
	if peer.NodeName(id) != name {
		return &joinAnswer{Leads: true, Reason: fmt.Sprintf("%s asks for %s", name, id)}
	}
	if !a.mu.TryLock() {
		return &joinAnswer{Leads: true, Reason: "another change is being made"}
	}
	defer a.mu.Unlock()
	if a.removed[id] && !a.node.isServer(id) {
		return &joinAnswer{Leads: true, Removed: true, Reason: errRemoved.Error()}
	}
	if err := a.admit(name, id); err != nil {
		return &joinAnswer{Leads: true, Reason: err.Error()}
	}
	return &joinAnswer{Leads: true, Admitted: true}
}

// admit makes id the server of name; mu is held.
func (a *admissions) admit(name, id string) error {
	if a.node.isServer(id) {
		return nil
	}
	if err := a.node.roomForChange(); err != nil {
		return err
	}
	old, replaces := a.node.server(name)
	if replaces && (string(old.ID) == a.node.self.ServerID || a.node.answers(string(old.ID))) {
		return fmt.Errorf("two machines have the same name: %s is alive, so %s cannot take its place", old.ID, id)
	}
	// Whoever asks must be what is at that name's address, before anybody goes for it.
	reads, err := a.node.readsOf(id)
	if err != nil {
		return err
	}
	if replaces {
		if err := a.replace(string(old.ID), id); err != nil {
			return err
		}
	}
	future, err := a.node.formats.admit(id, reads, func() raft.IndexFuture {
		a.node.log.Info("admitting a server", "id", id)
		return a.node.raft.AddNonvoter(raft.ServerID(id), raft.ServerAddress(id), 0, changeTimeout)
	})
	if err != nil {
		return err
	}
	return waitFuture(future, a.node.stopped)
}

// replace removes the old server of a name, for id, if it is gone. That it does not answer proves nothing.
func (a *admissions) replace(old, id string) error {
	a.node.log.Debug("looking whether a server is gone", "id", old, "for", id)
	if err := a.node.isGone(a.node.ctx, old); err != nil {
		return err
	}
	return a.node.remove(old)
}

// answers tells whether a server is alive, as seen from here.
func (n *Node) answers(id string) bool {
	ctx, cancel := context.WithTimeout(n.ctx, aliveTimeout)
	defer cancel()
	_, err := n.ask(ctx, id, question{Term: &termQuestion{}})
	return err == nil
}

// remove takes a server out of the configuration, and then its origin's row out of the state;
// admissions.mu is held.
func (n *Node) remove(id string) error {
	if err := n.roomForChange(); err != nil {
		return err
	}
	n.log.Info("removing a server", "id", id)
	if err := waitFuture(n.raft.RemoveServer(raft.ServerID(id), 0, changeTimeout), n.stopped); err != nil {
		return err
	}
	n.admissions.removed[id] = true
	n.lastBatches(id)
	command := fsm.Command{Op: fsm.OpGone, Words: [][]byte{[]byte(id)}}
	_, err := n.pipeline.Propose(fsm.NewGroup(command), changeTimeout).Wait()
	if err != nil {
		// The row is a few bytes that nobody will ever match again.
		n.log.Warn("the removed server's row stays for now", "error", err)
	}
	return nil
}

// run gives votes to servers that keep up, while this node leads.
func (a *admissions) run(ctx context.Context) {
	tick := time.NewTicker(admitPoll)
	defer tick.Stop()
	keeping := map[string]time.Time{} // server id -> since when it has kept up
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if a.node.raft.State() != raft.Leader {
			clear(keeping)
			continue
		}
		for _, s := range a.node.servers() {
			if s.Suffrage == raft.Nonvoter {
				a.watch(string(s.ID), keeping)
			}
		}
	}
}

func (a *admissions) watch(id string, keeping map[string]time.Time) {
	if !a.node.keepsUp(id) {
		delete(keeping, id)
		return
	}
	if keeping[id].IsZero() {
		keeping[id] = time.Now()
	}
	if time.Since(keeping[id]) < steady || !a.mu.TryLock() {
		return
	}
	defer a.mu.Unlock()
	delete(keeping, id)
	if !a.node.hasNonvoter(id) {
		return // removed while it was asked how far it is: a vote would bring it back
	}
	if err := a.node.promote(id); err != nil {
		a.node.log.Warn("cannot give a server its vote yet", "id", id, "error", err)
	}
}

func (n *Node) hasNonvoter(id string) bool {
	return slices.ContainsFunc(n.servers(), func(s raft.Server) bool {
		return string(s.ID) == id && s.Suffrage == raft.Nonvoter
	})
}

// keepsUp tells whether a server is alive and has nearly all of the log. LastIndex of a server that
// is being sent a snapshot jumps to the snapshot's index, so it counts only what it really has.
func (n *Node) keepsUp(id string) bool {
	ctx, cancel := context.WithTimeout(n.ctx, aliveTimeout)
	defer cancel()
	a, err := n.ask(ctx, id, question{State: &stateQuestion{}})
	return err == nil && a.State != nil && a.State.LastIndex+closeBehind >= n.raft.LastIndex()
}

func (n *Node) promote(id string) error {
	if err := n.roomForChange(); err != nil {
		return err
	}
	n.log.Info("giving a server its vote", "id", id)
	future := n.raft.AddVoter(raft.ServerID(id), raft.ServerAddress(id), 0, changeTimeout)
	return waitFuture(future, n.stopped)
}
