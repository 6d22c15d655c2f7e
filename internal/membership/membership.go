// Package membership owns which servers belong to the cluster: its first start, how servers are admitted and get a
// vote, how they are removed or replaced, and how a server learns that it is no longer a member, that its cluster
// was recovered without it, or that another process is the same server.
//
// It promises that all nodes that form a cluster use one identical configuration, that an empty directory never
// forms one next to a cluster that has data, that configurations change by one server at a time, and that a server
// that lacks part of the log never gets a vote. It never touches Raft itself: it makes its changes through the Raft
// and Changes interfaces, and knows the others through package peerstate.
package membership

import (
	"context"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"ciderd/internal/peer"
	"ciderd/internal/peerstate"
	"ciderd/internal/storage"
)

// Raft is what this package needs of the replicated log on this node.
type Raft interface {
	Leads() bool
	Leader() string // its server id; empty: none is known
	Term() uint64
	LastIndex() uint64
	Applied() uint64  // the last index that the state has
	Servers() Servers // the latest configuration that this node knows of
	// CanBeTerm returns an error for a term that no cluster of this age can have reached.
	CanBeTerm(term uint64) error
	// SnapshotServers returns the configuration of the newest snapshot and its index; without a snapshot neither.
	SnapshotServers() (index uint64, s Servers, err error)
	// Confirm returns nil once a majority has stored an entry of this leader's current term.
	Confirm(timeout time.Duration) error
}

// Changes makes changes of the configuration, on the leader. Each returns when the change is committed. An error
// other than ErrRefused or ErrNotLeading may mean that it is made later.
type Changes interface {
	Bootstrap(s Servers) error
	// Admit adds a server without a vote that reads entries up to the version reads.
	Admit(id string, reads int) error
	Promote(id string) error
	// Remove removes a server, and then what the state holds of it.
	Remove(id string) error
	// TransferTo hands leadership to a voter; to the best one if target is empty. ErrNotTransferred: this node
	// keeps leading.
	TransferTo(ctx context.Context, target string) error
}

// Serving tells clients whether this node serves.
type Serving interface {
	CaughtUp() bool
	SetWaiting(reason string) // what the node waits for; empty: nothing
	Disown(reason string)     // it is not known to be a member: it does not serve
	Own()                     // it is a member
}

// Disk knows how full this node's disk is.
type Disk interface {
	// Low reports whether it is nearly full.
	Low() bool
	// HasForChange reports whether there is space for a change of the configuration.
	HasForChange() bool
}

// Config is what the package needs.
type Config struct {
	Network *peer.Network
	Peers   *peerstate.Peers
	Storage *storage.Storage
	DataDir string // for messages
	Raft    Raft
	Changes Changes
	Serving Serving
	Disk    Disk
	// Reads is called with the entries that a server has said it reads.
	Reads func(server string, version int)
	// Fatal ends the node.
	Fatal func(error)
	// Poll is how often a node that hears of no leader checks whether it is still a member; RecoveryPoll how often
	// a node checks whether the cluster was recovered without it.
	Poll, RecoveryPoll time.Duration
	Log                hclog.Logger
}

// base is what all parts of the package share.
type base struct {
	Config
	self peer.Identity
	ctx  context.Context // ends with the node
}

// hasState reports whether this node already belongs to a cluster: it has entries, now or from before.
func (b *base) hasState() bool { return b.Storage.Known || b.Raft.LastIndex() > 0 }

// spaceForChange returns ErrRefused if there is no space for a change of the configuration: a leader that cannot store
// one must not continue, so it does not begin.
func (b *base) spaceForChange() error {
	if !b.Disk.HasForChange() {
		return Refuse("the disk of %s, which leads, is full", b.self.Node)
	}
	return nil
}

// voters returns the other voters, and reports whether this server is one.
func (b *base) voters() (others []string, selfVotes bool) {
	return b.Raft.Servers().Voters(b.self.ServerID)
}

// Membership keeps this node's cluster membership. All methods may be called from any goroutine.
type Membership struct {
	base       *base
	claims     *claims
	recoveries *recoveries
	belonging  *belonging
	forming    *forming
	admissions *admissions

	wg sync.WaitGroup
}

// New returns a Membership, whose work ends with ctx. It starts nothing.
func New(ctx context.Context, c Config) *Membership {
	b := &base{Config: c, self: c.Network.Self, ctx: ctx}
	m := &Membership{base: b, claims: newClaims(b), recoveries: &recoveries{base: b}, admissions: newAdmissions(b)}
	m.belonging = newBelonging(b, m.recoveries)
	m.forming = &forming{base: b, recoveries: m.recoveries, belonging: m.belonging}
	m.answer()
	return m
}

// ComeAlone claims this server at every other node, and returns nil once no other process is known to be it, or
// ErrCopy. Until Start, other nodes can do nothing else here.
func (m *Membership) ComeAlone() error {
	for _, name := range m.base.Network.Others() {
		claim := m.base.Network.Claim(name, m.claims.runs, func(err error) { m.claims.told(name, err) })
		m.wg.Go(func() { claim.Hold(m.base.ctx) })
	}
	return m.claims.alone(m.base.ctx)
}

// Start begins to watch the cluster's servers, once Raft runs.
func (m *Membership) Start() {
	m.claims.begin()
	m.wg.Go(func() { m.admissions.run(m.base.ctx) })
	m.wg.Go(func() { m.belonging.watch(m.base.ctx) })
	m.wg.Go(func() { m.recoveries.watch(m.base.ctx) })
}

// Form returns when this node is part of a cluster, or ctx has ended.
func (m *Membership) Form(ctx context.Context) { m.forming.run(ctx) }

// Wait returns when everything started by Start and ComeAlone has ended, after their context.
func (m *Membership) Wait() { m.wg.Wait() }

// CheckRecovery returns an error if the cluster was recovered without this server.
func (m *Membership) CheckRecovery(ctx context.Context) error {
	_, err := m.recoveries.check(ctx)
	return err
}

// Check asks the others whether this server belongs to them. An error is why it must end, wrong why it must not
// serve.
func (m *Membership) Check(ctx context.Context) (wrong string, err error) {
	return m.belonging.check(ctx)
}

// Joined reports whether a committed configuration has had this server, now or before a restart.
func (m *Membership) Joined() (bool, error) { return m.belonging.hasJoined() }

// Gone returns nil if a server counts as gone: a majority of the voters, including this node, has not heard of it
// for some seconds.
func (m *Membership) Gone(ctx context.Context, serverID string) error {
	return m.base.isGone(ctx, serverID)
}

// Committed is called with each committed configuration, in order. It does not wait for the disk.
func (m *Membership) Committed(index uint64, s Servers) { m.belonging.committedServers(index, s) }

// Restored is called when a snapshot has replaced entries: its configuration may have this server.
func (m *Membership) Restored() { signal(m.belonging.joins) }

// Rules returns which connections the peer port accepts.
func (m *Membership) Rules() peer.Rules {
	return peer.Rules{
		Refuse:      m.claims.refuse,
		Known:       func(id string) bool { return m.claims.takesPart() && m.base.Raft.Servers().Has(id) },
		OutsideAsOf: m.belonging.outsideAsOf,
	}
}

// Describe fills in what a node tells another one, whose server id is to, about its membership.
func (m *Membership) Describe(s *peerstate.State, to string) {
	servers := m.base.Raft.Servers()
	s.ServerID, s.Known, s.Recovered = m.base.self.ServerID, m.base.hasState(), m.recoveries.recovered()
	s.Nodes, s.View = m.base.Network.Members.Names(), m.forming.view(servers)
	s.Outside = s.Known && !servers.Has(m.base.self.ServerID)
	s.OutsideAsOf = m.belonging.outsideAsOf(to)
	if m.base.Raft.Leads() {
		s.Servers = servers.IDs()
	}
}

// answer sets the answers to other nodes' questions.
func (m *Membership) answer() {
	joinQuestion.Answer(m.base.Network, func(from peer.Identity, q join) (joinAnswer, error) {
		return m.admissions.answer(from, q.ServerID), nil
	})
	membersQuestion.Answer(m.base.Network, func(peer.Identity, struct{}) (membersAnswer, error) {
		if !m.base.Raft.Leads() {
			return membersAnswer{}, nil
		}
		return membersAnswer{Leads: true, List: m.base.list(m.base.ctx)}, nil
	})
	changeQuestion.Answer(m.base.Network, func(_ peer.Identity, q change) (changeAnswer, error) {
		return m.admissions.change(q), nil
	})
	serversQuestion.Answer(m.base.Network, func(peer.Identity, struct{}) (serversAnswer, error) {
		return m.belonging.confirmed()
	})
	silenceQuestion.Answer(m.base.Network, func(_ peer.Identity, q silentServer) (silenceAnswer, error) {
		return silenceAnswer{m.base.Network.Silence(q.ServerID).Milliseconds()}, nil
	})
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// changePoll is how often a change checks whether what it waits for has happened.
const changePoll = 20 * time.Millisecond

func pause(ctx context.Context) error {
	select {
	case <-time.After(changePoll):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
