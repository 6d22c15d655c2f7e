package membership

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"ciderd/internal/peer"
	"ciderd/internal/peerstate"
)

// How servers join and are replaced without an operator.
const (
	// silence is how long no voter must have heard of the old server of a name before a new one replaces it: longer
	// than a restart, and longer than a live node pauses between two questions.
	silence = 3 * time.Second
	// steady is how long a new server must have kept up before it gets a vote: a voter that has to catch up first
	// would hold up every commit that needs it.
	steady = time.Second
	// closeBehind is what counts as keeping up, in log entries.
	closeBehind = 64
	admitPoll   = 250 * time.Millisecond
	// ChangeTimeout bounds one change of the configuration.
	ChangeTimeout = 5 * time.Second
)

// admissions is how servers join a cluster that has data: a wiped disk under its old name, or a node that is new in
// the file. The leader removes the old server of that name, if it is silent, admits the new one without a vote, and
// gives it one when it has caught up and kept up. It makes one change at a time, so any two successive majorities
// overlap.
type admissions struct {
	*base

	mu sync.Mutex // one change at a time; all below
	// removed has the ids of servers that this node has removed. One that had nothing of the log yet cannot know,
	// and would ask to be admitted again.
	removed map[string]bool
}

func newAdmissions(b *base) *admissions { return &admissions{base: b, removed: map[string]bool{}} }

// answer returns the leader's answer to a server that asks to join.
func (a *admissions) answer(from peer.Identity, id string) joinAnswer {
	switch {
	case id != from.ServerID:
		return joinAnswer{Reason: fmt.Sprintf("%s asks for %s", from.ServerID, id)}
	case !a.Raft.Leads():
		return joinAnswer{Reason: "not the leader"}
	case peer.NodeName(id) != from.Node:
		return joinAnswer{Leads: true, Reason: fmt.Sprintf("%s asks for %s", from.Node, id)}
	case !a.mu.TryLock():
		return joinAnswer{Leads: true, Reason: "another change is being made"}
	}
	defer a.mu.Unlock()
	if a.removed[id] && !a.Raft.Servers().Has(id) {
		return joinAnswer{Leads: true, Removed: true, Reason: ErrRemoved.Error()}
	}
	if err := a.admit(from.Node, id); err != nil {
		return joinAnswer{Leads: true, Reason: err.Error()}
	}
	return joinAnswer{Leads: true, Admitted: true}
}

// admit makes id the server of name; mu is held.
func (a *admissions) admit(name, id string) error {
	if a.Raft.Servers().Has(id) {
		return nil
	}
	if err := a.spaceForChange(); err != nil {
		return err
	}
	old, replaces := a.Raft.Servers().Named(name)
	if replaces && (old.ID == a.self.ServerID || a.answers(old.ID)) {
		return fmt.Errorf("two machines have the same name: %s is alive, so %s cannot take its place", old.ID, id)
	}
	// The asking server must be the one at that name's address before another is removed for it.
	reads, err := a.readsOf(id)
	if err != nil {
		return err
	}
	if replaces {
		if err := a.replace(old.ID, id); err != nil {
			return err
		}
	}
	return a.Changes.Admit(id, reads)
}

// readsOf asks a server that is to be admitted which entries it reads.
func (a *admissions) readsOf(id string) (version int, err error) {
	ctx, cancel := context.WithTimeout(a.ctx, peerstate.OneTimeout)
	defer cancel()
	s, err := peerstate.Question.Ask(ctx, a.Network, id, struct{}{})
	if err != nil {
		return 0, fmt.Errorf("what entries %s reads: %w", id, err)
	}
	return s.Entries, nil
}

// replace removes the old server of a name, for id, if it is gone. That it does not answer is not proof enough.
func (a *admissions) replace(old, id string) error {
	a.Log.Debug("looking whether a server is gone", "id", old, "for", id)
	if err := a.isGone(a.ctx, old); err != nil {
		return err
	}
	return a.remove(old)
}

// answers reports whether a server is alive, as seen from here. The question is answered from memory: a server with a
// hanging disk does not count as dead.
func (a *admissions) answers(id string) bool {
	ctx, cancel := context.WithTimeout(a.ctx, peerstate.OneTimeout)
	defer cancel()
	_, err := peerstate.Term.Ask(ctx, a.Network, id, struct{}{})
	return err == nil || errors.As(err, new(*peer.AnswerError))
}

// remove removes a server from the configuration; mu is held.
func (a *admissions) remove(id string) error {
	if err := a.spaceForChange(); err != nil {
		return err
	}
	a.Log.Info("removing a server", "id", id)
	if err := a.Changes.Remove(id); err != nil {
		return err
	}
	a.removed[id] = true
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
		if !a.Raft.Leads() {
			clear(keeping)
			continue
		}
		for _, s := range a.Raft.Servers() {
			if !s.Voter {
				a.watch(s.ID, keeping)
			}
		}
	}
}

func (a *admissions) watch(id string, keeping map[string]time.Time) {
	if !a.keepsUp(id) {
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
	if !a.Raft.Servers().HasNonvoter(id) {
		return // removed while it was asked: a vote would bring it back
	}
	if err := a.promote(id); err != nil {
		a.Log.Warn("cannot give a server its vote yet", "id", id, "error", err)
	}
}

// keepsUp reports whether a server is alive and has nearly all of the log. While a server is being sent a snapshot
// Raft's LastIndex for it jumps to the snapshot's index, so the server is asked what it really has.
func (a *admissions) keepsUp(id string) bool {
	return a.isClose(a.Peers.Ask(a.ctx, id))
}

// isClose reports whether a server that has answered (nil: it has not) is close behind this node's log.
func (a *admissions) isClose(s *peerstate.State) bool {
	return s != nil && s.LastIndex+closeBehind >= a.Raft.LastIndex()
}

func (a *admissions) promote(id string) error {
	if err := a.spaceForChange(); err != nil {
		return err
	}
	a.Log.Info("giving a server its vote", "id", id)
	return a.Changes.Promote(id)
}
