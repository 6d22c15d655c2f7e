package membership

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"time"

	"ciderd/internal/peer"
)

// The changes that an operator can ask for, see Change.
const (
	OpAdd      = "add"
	OpRemove   = "remove"
	OpPromote  = "promote"
	OpTransfer = "transfer"
)

// Errors of changes.
var (
	// ErrRefused means that a change would do harm or makes no sense. Nothing was changed.
	ErrRefused = errors.New("refused")
	// ErrNoLeader means that no leader is known.
	ErrNoLeader = errors.New("no leader")
	// ErrNotLeading means that this node does not lead, so it has changed nothing.
	ErrNotLeading = errors.New("not the leader")
	// ErrNotTransferred means that the target did not take leadership over. This node keeps leading and takes
	// writes.
	ErrNotTransferred = errors.New("leadership was not handed over")

	// errHandedOver means that this node led and no longer does: ask the new leader.
	errHandedOver = errors.New("leadership was handed over")
)

// Refuse returns an ErrRefused.
func Refuse(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrRefused, fmt.Sprintf(format, args...))
}

// Change has the leader, whichever node that is, make one change of the configuration:
//
//   - OpAdd admits the empty node of that name, in place of a server of that name that does not
//     answer, without waiting as long as automatic admission does;
//   - OpRemove removes a server; if it leads, it hands leadership over first;
//   - OpPromote gives a server that keeps up its vote;
//   - OpTransfer makes the node of that name the leader, or with an empty name the best one.
//
// said is what was done, in one line. A change that would cost the quorum or makes no sense is ErrRefused, with
// what to do in its text, and ErrNoLeader too if no leader was found; any other error means that the change may or may
// not have been made.
func (m *Membership) Change(ctx context.Context, op, name string, yes bool) (said string, err error) {
	for {
		a, err := askLeader(ctx, m.base, changeQuestion, change{Op: op, Name: name, Yes: yes, TimeoutMS: left(ctx).Milliseconds()})
		var cannot *peer.AnswerError
		switch {
		case errors.As(err, &cannot) && cannot.Text != "":
			return "", err
		case err != nil && !errors.As(err, &cannot) && !neverSent(err):
			return "", fmt.Errorf("the outcome is not known (see member list): %w", err)
		case err != nil, !a.Leads:
			// There is no leader yet, or a different one now.
		case a.Refused != "":
			return "", Refuse("%s", a.Refused)
		case a.Failed != "":
			return "", errors.New(a.Failed)
		default:
			return a.Said, nil
		}
		if pause(ctx) != nil { // every earlier question either never arrived or was answered
			return "", fmt.Errorf("%w: %w answers; nothing was changed", ErrRefused, ErrNoLeader)
		}
	}
}

func left(ctx context.Context) time.Duration {
	if end, ok := ctx.Deadline(); ok {
		return min(time.Until(end), 2*ChangeTimeout)
	}
	return 2 * ChangeTimeout
}

// neverSent reports whether the question cannot have reached the leader, so that asking it again cannot make a
// change twice.
func neverSent(err error) bool {
	return errors.Is(err, ErrNoLeader) || errors.Is(err, peer.ErrRefused) || errors.Is(err, syscall.ECONNREFUSED)
}

// askLeader asks the leader, which may be this node.
func askLeader[Q, A any](ctx context.Context, b *base, k peer.Question[Q, A], q Q) (answer A, err error) {
	leader := b.Raft.Leader()
	if leader == "" {
		return answer, ErrNoLeader
	}
	return k.Ask(ctx, b.Network, leader, q)
}

// change makes one change, on the leader.
func (a *admissions) change(q change) changeAnswer {
	ctx, cancel := context.WithTimeout(a.ctx, time.Duration(q.TimeoutMS)*time.Millisecond)
	defer cancel()
	if !a.Raft.Leads() {
		return changeAnswer{}
	}
	for !a.mu.TryLock() { // an admission, or another operator; each ends in bounded time
		if err := pause(ctx); err != nil {
			return changeAnswer{Leads: true, Refused: "another change is being made; try again"}
		}
	}
	defer a.mu.Unlock()
	said, err := a.make(ctx, q)
	refused, isRefused := strings.CutPrefix(fmt.Sprint(err), ErrRefused.Error()+": ")
	switch {
	case errors.Is(err, errHandedOver), errors.Is(err, ErrNotLeading):
		return changeAnswer{}
	case isRefused:
		return changeAnswer{Leads: true, Refused: refused}
	case errors.Is(err, ErrNotTransferred):
		return changeAnswer{Leads: true, Failed: err.Error()}
	case err != nil:
		return changeAnswer{Leads: true, Failed: fmt.Sprintf("the outcome is not known (see member list): %v", err)}
	}
	a.Log.Info("an operator's change", "op", q.Op, "node", q.Name, "done", said)
	return changeAnswer{Leads: true, Said: said}
}

func (a *admissions) make(ctx context.Context, q change) (string, error) {
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
	return "", Refuse("unknown change %q: %s runs another release", q.Op, a.self.Node)
}

func (a *admissions) add(ctx context.Context, name string) (string, error) {
	if !a.Network.Members.Has(name) {
		return "", Refuse("there is no node %q in the file of %s; it names %s", name, a.self.Node, strings.Join(a.Network.Members.Names(), ", "))
	}
	old, isMember := a.Raft.Servers().Named(name)
	if isMember && (old.ID == a.self.ServerID || a.answers(old.ID)) {
		return "", Refuse("%s is a member already (%s, %s)", name, old.ID, voteOf(old))
	}
	state := a.Peers.Ask(ctx, name)
	switch {
	case state == nil:
		return "", Refuse("%s does not answer: start it with an empty data directory; it is then let in by itself, or by this", name)
	case state.Known:
		return "", Refuse("%s (%s) has data, of another time or another cluster: stop it, remove its data directory and start it again",
			name, state.ServerID)
	}
	place := ""
	if isMember {
		if err := a.keepsQuorum(ctx, old.ID, ""); err != nil {
			return "", err
		}
		if !a.fallsSilent(ctx, old.ID) {
			return "", Refuse("%s does not answer, but the leader still hears from it, so it is running; stop it first", old.ID)
		}
		place = fmt.Sprintf(", in the place of %s, which does not answer", old.ID)
		if err := a.remove(old.ID); err != nil {
			return "", err
		}
	}
	delete(a.removed, state.ServerID)
	if err := a.admit(name, state.ServerID); err != nil {
		if isMember { // something was changed, so this is not a refusal
			return "", fmt.Errorf("%s was taken out, and %s is let in by itself later: %v", old.ID, state.ServerID, err)
		}
		return "", err
	}
	return fmt.Sprintf("let %s in%s; it gets its vote once it has caught up", state.ServerID, place), nil
}

// takeOut removes a server; yes: even if no voter may fail after it.
func (a *admissions) takeOut(ctx context.Context, name string, yes bool) (string, error) {
	s, err := a.named(name)
	if err != nil {
		return "", err
	}
	id := s.ID
	if s.Voter {
		if err := a.keepsQuorum(ctx, id, ""); err != nil {
			return "", err
		}
		if a.Raft.Servers().VoterCount() == 2 && !yes {
			return "", Refuse("one voter would be left: if it fails the cluster stops, and what its disk loses is lost; to do it anyway: ciderd member remove -yes %s", name)
		}
	}
	if id == a.self.ServerID {
		if _, err := a.handOver(ctx, ""); err != nil {
			return "", err
		}
		return "", errHandedOver // the new leader does the rest
	}
	fate := "its process ends by itself"
	if !a.answers(id) {
		fate = "it does not answer: its process ends by itself when it reaches this cluster again"
	}
	if err := a.remove(id); err != nil {
		return "", err
	}
	return fmt.Sprintf("removed %s (%s); %s", id, a.strength(), fate), nil
}

func (a *admissions) giveVote(ctx context.Context, name string) (string, error) {
	s, err := a.named(name)
	if err != nil {
		return "", err
	}
	id := s.ID
	switch {
	case s.Voter:
		return "", Refuse("%s has its vote already", id)
	case !a.keepsUp(id):
		return "", Refuse("%s has not caught up, or does not answer; it gets its vote by itself once it has", id)
	}
	if err := a.keepsQuorum(ctx, "", id); err != nil {
		return "", err
	}
	if err := a.promote(id); err != nil {
		return "", err
	}
	return fmt.Sprintf("gave %s its vote (%s)", id, a.strength()), nil
}

func (a *admissions) handOver(ctx context.Context, name string) (string, error) {
	target, err := a.transferTarget(name)
	if err != nil {
		return "", err
	}
	if target == a.self.ServerID {
		return name + " leads already", nil
	}
	if err := a.Changes.TransferTo(ctx, target); err != nil {
		return "", err
	}
	for a.Raft.Leader() == "" || a.Raft.Leader() == a.self.ServerID {
		if err := pause(ctx); err != nil {
			return "", fmt.Errorf("%s gave up leadership, and no other node leads yet: %w", a.self.Node, err)
		}
	}
	leader := peer.NodeName(a.Raft.Leader())
	if name != "" && leader != name {
		return "", fmt.Errorf("%s handed leadership to %s, but %s won the election", a.self.Node, name, leader)
	}
	return fmt.Sprintf("%s leads now; %s led before", leader, a.self.Node), nil
}

// transferTarget returns the server id of the voter called name, if it can lead; empty: the best one.
func (a *admissions) transferTarget(name string) (string, error) {
	if name == "" {
		if others, _ := a.voters(); len(others) == 0 {
			return "", Refuse("there is no other voter")
		}
		return "", nil
	}
	s, err := a.named(name)
	switch {
	case err != nil:
		return "", err
	case s.ID == a.self.ServerID:
		return a.self.ServerID, nil
	case !s.Voter:
		return "", Refuse("%s has no vote (yet)", s.ID)
	}
	state := a.Peers.Ask(a.ctx, s.ID)
	switch {
	case !a.isClose(state):
		return "", Refuse("%s has not caught up, or does not answer", s.ID)
	case state.Draining:
		return "", Refuse("%s is draining, and would hand leadership on: ciderd undrain there first", s.ID)
	}
	return s.ID, nil
}
