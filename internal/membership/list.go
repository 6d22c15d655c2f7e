package membership

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"ciderd/internal/peer"
	"ciderd/internal/peerstate"
)

// The values of Status.Vote.
const (
	VoteYes    = "voter"
	VoteNo     = "non-voter" // it is catching up
	VoteAbsent = "no member" // a node of the file that is not in the configuration
)

// Status is one node as another one sees it.
type Status struct {
	Name      string
	ServerID  string // empty: not in the configuration, and does not answer
	Vote      string // VoteYes, VoteNo or VoteAbsent
	Leader    bool
	Alive     bool   // it answered within half a second
	LastIndex uint64 // of its log, if it is alive
}

// findLeader is how long to look for a leader before the list is this node's own view.
const findLeader = 2 * time.Second

// Members returns the nodes of the cluster as the leader sees them, in the order of the file. Without a
// leader it returns them as this node sees them, and the error is ErrNoLeader: the configuration may be old.
func (m *Membership) Members(ctx context.Context) ([]Status, error) {
	asking, cancel := context.WithTimeout(ctx, findLeader)
	defer cancel()
	for {
		a, err := askLeader(asking, m.base, membersQuestion, struct{}{})
		if err == nil && a.Leads {
			return a.List, nil
		}
		if pause(asking) != nil {
			return m.base.list(ctx), ErrNoLeader
		}
	}
}

// list asks every server of the configuration, and every node of the file, at once.
func (b *base) list(ctx context.Context) []Status {
	leader, names := b.Raft.Leader(), b.Network.Members.Names()
	var list []Status
	for _, s := range b.Raft.Servers() {
		list = append(list, Status{Name: peer.NodeName(s.ID), ServerID: s.ID, Vote: voteOf(s), Leader: s.ID == leader})
	}
	for _, name := range names {
		if !slices.ContainsFunc(list, func(m Status) bool { return m.Name == name }) {
			list = append(list, Status{Name: name, Vote: VoteAbsent})
		}
	}
	b.look(ctx, list)
	place := func(m Status) int {
		if i := slices.Index(names, m.Name); i >= 0 {
			return i
		}
		return len(names) // not in the file: last
	}
	slices.SortStableFunc(list, func(a, b Status) int { return place(a) - place(b) })
	return list
}

// look notes which nodes of a list answer, and how far each has come.
func (b *base) look(ctx context.Context, list []Status) {
	asked := map[string]*Status{} // by the name or id under which they are asked
	for i := range list {
		m := &list[i]
		switch {
		case m.ServerID == b.self.ServerID || m.ServerID == "" && m.Name == b.self.Node:
			m.ServerID, m.Alive, m.LastIndex = b.self.ServerID, true, b.Raft.LastIndex()
		case m.ServerID != "":
			asked[m.ServerID] = m
		default:
			asked[m.Name] = m
		}
	}
	to := slices.Collect(maps.Keys(asked))
	for r := range peerstate.Question.AskAll(ctx, b.Network, to, struct{}{}, peerstate.OneTimeout) {
		if r.Err == nil {
			m := asked[r.From]
			m.ServerID, m.Alive, m.LastIndex = r.Answer.ServerID, true, r.Answer.LastIndex
		}
	}
}

func voteOf(s Server) string {
	if s.Voter {
		return VoteYes
	}
	return VoteNo
}

// named returns the member of that name.
func (b *base) named(name string) (Server, error) {
	servers := b.Raft.Servers()
	s, ok := servers.Named(name)
	switch {
	case ok:
		return s, nil
	case b.Network.Members.Has(name):
		return s, Refuse("%s is not a member (yet)", name)
	}
	var names []string
	for _, s := range servers {
		names = append(names, peer.NodeName(s.ID))
	}
	return s, Refuse("there is no node %q; the members are %s", name, strings.Join(names, ", "))
}

// keepsQuorum refuses a change after which the voters that answer now would not be a majority. without and with are
// server ids; either may be empty.
func (b *base) keepsQuorum(ctx context.Context, without, with string) error {
	others, selfVotes := b.voters()
	if with != "" {
		others = append(others, with)
	}
	if selfVotes {
		others = append(others, b.self.ServerID)
	}
	voters := slices.DeleteFunc(others, func(id string) bool { return id == without })
	if len(voters) == 0 {
		return Refuse("%s is the last voter: without it there is no cluster", without)
	}
	silent := b.silentOf(ctx, voters)
	if need := len(voters)/2 + 1; len(voters)-len(silent) < need {
		return Refuse("after this change %d of the %d voters must answer, and %s does not: the cluster would stop; start it, or remove it first",
			need, len(voters), strings.Join(silent, ", "))
	}
	return nil
}

// silentOf returns the servers that do not answer, in their order.
func (b *base) silentOf(ctx context.Context, ids []string) []string {
	answered := map[string]bool{b.self.ServerID: true}
	others := slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return id == b.self.ServerID })
	for _, s := range b.Peers.Each(ctx, others, peerstate.OneTimeout) {
		answered[s.ServerID] = true
	}
	return slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return answered[id] })
}

// strength returns how many voters there are, and how many of them may fail.
func (b *base) strength() string {
	voters := b.Raft.Servers().VoterCount()
	return fmt.Sprintf("voters now: %d, of which %d may fail", voters, (voters-1)/2)
}
