package cluster

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"time"

	"github.com/hashicorp/raft"

	"ciderd/internal/peer"
)

// The changes that an operator can ask for, see Change.
const (
	OpAdd      = "add"
	OpRemove   = "remove"
	OpPromote  = "promote"
	OpTransfer = "transfer"
)

// ErrRefused: a change that was asked for would do harm, or makes no sense. Nothing was changed.
var ErrRefused = errors.New("refused")

func refuse(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrRefused, fmt.Sprintf(format, args...))
}

// changePoll is how often a change looks whether what it waits for has happened.
const changePoll = 20 * time.Millisecond

// Change has the leader, whichever node that is, make one change of the configuration:
//
//   - OpAdd lets the empty node of that name in, in the place of a server of that name that does not
//     answer, without waiting as long as admission by itself does;
//   - OpRemove takes a server out; if it leads, it hands leadership over first;
//   - OpPromote gives a server its vote that keeps up;
//   - OpTransfer makes the node of that name the leader, or with an empty name the best one.
//
// said is what was done, in one line. What would cost the quorum or makes no sense is ErrRefused,
// with the way out in its text; any other error means that the change may have been made or not.
func (n *Node) Change(ctx context.Context, op, name string, yes bool) (said string, err error) {
	for {
		q := question{Change: &changeQuestion{Op: op, Name: name, Yes: yes, TimeoutMS: left(ctx).Milliseconds()}}
		a, err := n.askLeader(ctx, q)
		switch {
		case err != nil && !neverSent(err):
			return "", fmt.Errorf("the outcome is not known (see member list): %w", err)
		case err != nil, a.Change == nil && a.Error == "", a.Change != nil && !a.Change.Leads:
			// There is no leader yet, or it is another one by now.
		case a.Change == nil:
			return "", errors.New(a.Error)
		case a.Change.Refused != "":
			return "", refuse("%s", a.Change.Refused)
		case a.Change.Failed != "":
			return "", errors.New(a.Change.Failed)
		default:
			return a.Change.Said, nil
		}
		if pause(ctx) != nil { // whatever was asked before that either never arrived or was answered
			return "", refuse("no leader answers; nothing was changed")
		}
	}
}

func left(ctx context.Context) time.Duration {
	if end, ok := ctx.Deadline(); ok {
		return min(time.Until(end), 2*changeTimeout)
	}
	return 2 * changeTimeout
}

// neverSent tells whether the question cannot have reached the leader, so that asking it again
// cannot do a thing twice.
func neverSent(err error) bool {
	return errors.Is(err, ErrNoLeader) || errors.Is(err, peer.ErrRefused) || errors.Is(err, syscall.ECONNREFUSED)
}

func pause(ctx context.Context) error {
	select {
	case <-time.After(changePoll):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// askLeader asks the leader, which may be this node. It has a connection of its own: what a change
// waits for must not hold up SYNC.
func (n *Node) askLeader(ctx context.Context, q question) (a answer, err error) {
	leader := n.leader()
	switch leader {
	case "":
		return a, ErrNoLeader
	case n.self.ServerID:
		return n.answer(q, n.self), nil
	}
	address, err := n.members.Address(leader)
	if err != nil {
		return a, err
	}
	c := peer.NewClient(func() string { return address }, n.self, leader).By(n.book)
	defer c.Close()
	err = c.Call(ctx, q, &a)
	return a, err
}

// change makes one change, on the leader.
func (a *admissions) change(q *changeQuestion) *changeAnswer {
	ctx, cancel := context.WithTimeout(a.node.ctx, time.Duration(q.TimeoutMS)*time.Millisecond)
	defer cancel()
	if a.node.raft.State() != raft.Leader {
		return &changeAnswer{}
	}
	for !a.mu.TryLock() { // an admission, or another operator; each ends in bounded time
		if err := pause(ctx); err != nil {
			return &changeAnswer{Leads: true, Refused: "another change is being made; try again"}
		}
	}
	defer a.mu.Unlock()
	said, err := a.make(ctx, q)
	refused, isRefused := strings.CutPrefix(fmt.Sprint(err), ErrRefused.Error()+": ")
	switch {
	case errors.Is(err, errHandedOver), errors.Is(err, raft.ErrNotLeader):
		return &changeAnswer{}
	case isRefused:
		return &changeAnswer{Leads: true, Refused: refused}
	case errors.Is(err, errNotTaken):
		return &changeAnswer{Leads: true, Failed: err.Error()}
	case err != nil:
		return &changeAnswer{Leads: true, Failed: fmt.Sprintf("the outcome is not known (see member list): %v", err)}
	}
	a.node.log.Info("an operator's change", "op", q.Op, "node", q.Name, "done", said)
	return &changeAnswer{Leads: true, Said: said}
}

func (a *admissions) make(ctx context.Context, q *changeQuestion) (string, error) {
	switch q.Op {
	case OpAdd:
		return a.add(ctx, q.Name)
	case OpRemove:
		return a.takeOut(ctx, q.Name, q.Yes)
	case OpPromote:
		return a.giveVote(ctx, q.Name)
	case OpTransfer:
		return a.handOver(ctx, q.Name)
	}
	return "", refuse("unknown change %q: %s runs another release", q.Op, a.node.self.Node)
}

func (a *admissions) add(ctx context.Context, name string) (string, error) {
	n := a.node
	if !n.members.Has(name) {
		return "", refuse("there is no node %q in the file of %s; it names %s", name, n.self.Node, strings.Join(n.members.Names(), ", "))
	}
	old, isMember := n.server(name)
	if isMember && (string(old.ID) == n.self.ServerID || n.answers(string(old.ID))) {
		return "", refuse("%s is a member already (%s, %s)", name, old.ID, voteOf(old))
	}
	state := n.stateOf(ctx, name)
	switch {
	case state == nil:
		return "", refuse("%s does not answer: start it with an empty data directory; it is then let in by itself, or by this", name)
	case state.Known:
		return "", refuse("%s (%s) has data, of another time or another cluster: stop it, remove its data directory and start it again",
			name, state.ServerID)
	}
	place := ""
	if isMember {
		if err := n.keepsQuorum(ctx, string(old.ID), ""); err != nil {
			return "", err
		}
		if !n.fallsSilent(ctx, string(old.ID)) {
			return "", refuse("%s does not answer when it is asked, but is heard of: it runs; stop it first", old.ID)
		}
		place = fmt.Sprintf(", in the place of %s, which does not answer", old.ID)
		if err := n.remove(string(old.ID)); err != nil {
			return "", err
		}
	}
	delete(a.removed, state.ServerID)
	if err := a.admit(name, state.ServerID); err != nil {
		if isMember { // something was changed, so it must not say that it was refused
			return "", fmt.Errorf("%s was taken out, and %s is let in by itself later: %v", old.ID, state.ServerID, err)
		}
		return "", err
	}
	return fmt.Sprintf("let %s in%s; it gets its vote once it has caught up", state.ServerID, place), nil
}

// takeOut removes a server; yes: also if no voter may fail after it.
func (a *admissions) takeOut(ctx context.Context, name string, yes bool) (string, error) {
	n := a.node
	s, err := n.namedServer(name)
	if err != nil {
		return "", err
	}
	id := string(s.ID)
	if s.Suffrage == raft.Voter {
		if err := n.keepsQuorum(ctx, id, ""); err != nil {
			return "", err
		}
		if n.voterCount() == 2 && !yes {
			return "", refuse("one voter would be left: no node may fail after that, and what its disk loses is lost; if that is meant: ciderd member remove -yes %s", name)
		}
	}
	if id == n.self.ServerID {
		if _, err := a.handOver(ctx, ""); err != nil {
			return "", err
		}
		return "", errHandedOver // the new leader does the rest
	}
	fate := "its process ends by itself"
	if !n.answers(id) {
		fate = "it does not answer: its process ends by itself when it reaches this cluster again"
	}
	if err := n.remove(id); err != nil {
		return "", err
	}
	return fmt.Sprintf("removed %s (%s); %s", id, n.strength(), fate), nil
}

func (a *admissions) giveVote(ctx context.Context, name string) (string, error) {
	n := a.node
	s, err := n.namedServer(name)
	if err != nil {
		return "", err
	}
	id := string(s.ID)
	switch {
	case s.Suffrage == raft.Voter:
		return "", refuse("%s has its vote already", id)
	case !n.keepsUp(id):
		return "", refuse("%s has not caught up, or does not answer; it gets its vote by itself once it has", id)
	}
	if err := n.keepsQuorum(ctx, "", id); err != nil {
		return "", err
	}
	if err := n.promote(id); err != nil {
		return "", err
	}
	return fmt.Sprintf("gave %s its vote (%s)", id, n.strength()), nil
}

// errHandedOver: this node led, does not any more, and the new leader is the one to ask.
var errHandedOver = errors.New("leadership was handed over")

func (a *admissions) handOver(ctx context.Context, name string) (string, error) {
	n := a.node
	target, err := n.heir(name)
	if err != nil {
		return "", err
	}
	if target == n.self.ServerID {
		return name + " leads already", nil
	}
	if err := n.transferTo(ctx, target); err != nil {
		return "", err
	}
	for n.leader() == "" || n.leader() == n.self.ServerID {
		if err := pause(ctx); err != nil {
			return "", fmt.Errorf("%s gave leadership up, and no other leads yet: %w", n.self.Node, err)
		}
	}
	leader := peer.NodeName(n.leader())
	if name != "" && leader != name {
		return "", fmt.Errorf("%s gave leadership up for %s, and %s won the election", n.self.Node, name, leader)
	}
	return fmt.Sprintf("%s leads now, before it %s", leader, n.self.Node), nil
}

// heir is the server id of the voter called name, if it can lead; empty: whichever is best.
func (n *Node) heir(name string) (string, error) {
	if name == "" {
		if others, _ := n.voters(); len(others) == 0 {
			return "", refuse("there is no other voter")
		}
		return "", nil
	}
	s, err := n.namedServer(name)
	switch {
	case err != nil:
		return "", err
	case string(s.ID) == n.self.ServerID:
		return n.self.ServerID, nil
	case s.Suffrage != raft.Voter:
		return "", refuse("%s has no vote (yet)", s.ID)
	case !n.keepsUp(string(s.ID)):
		return "", refuse("%s has not caught up, or does not answer", s.ID)
	}
	return string(s.ID), nil
}
