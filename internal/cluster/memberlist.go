package cluster

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"ciderd/internal/peer"
)

// What MemberStatus.Vote says.
const (
	VoteYes    = "voter"
	VoteNo     = "non-voter" // it is being brought up to date
	VoteAbsent = "no member" // a node of the file that is not in the configuration
)

// MemberStatus is one node as another one sees it.
type MemberStatus struct {
	Name      string
	ServerID  string // empty: not in the configuration, and does not answer
	Vote      string // VoteYes, VoteNo or VoteAbsent
	Leader    bool
	Alive     bool   // it answered within half a second
	LastIndex uint64 // of its log, if it is alive
}

// membersPatience is how long a leader is looked for before the list is this node's own view.
const membersPatience = 2 * time.Second

// Members is who belongs to the cluster as the leader sees it, in the order of the file. Without a
// leader it is how this node sees it, and the error is ErrNoLeader: the configuration may be old.
func (n *Node) Members(ctx context.Context) ([]MemberStatus, error) {
	asking, cancel := context.WithTimeout(ctx, membersPatience)
	defer cancel()
	for {
		a, err := n.askLeader(asking, question{Members: &membersQuestion{}})
		if err == nil && a.Members != nil && a.Members.Leads {
			return a.Members.List, nil
		}
		if pause(asking) != nil {
			return n.memberList(ctx), ErrNoLeader
		}
	}
}

// memberList asks every server of the configuration, and every node of the file, at once.
func (n *Node) memberList(ctx context.Context) []MemberStatus {
	leader := n.leader()
	var list []MemberStatus
	for _, s := range n.servers() {
		list = append(list, MemberStatus{
			Name: peer.NodeName(string(s.ID)), ServerID: string(s.ID), Vote: voteOf(s), Leader: string(s.ID) == leader,
		})
	}
	for _, name := range n.members.Names() {
		if !slices.ContainsFunc(list, func(m MemberStatus) bool { return m.Name == name }) {
			list = append(list, MemberStatus{Name: name, Vote: VoteAbsent})
		}
	}
	var wg sync.WaitGroup
	for i := range list {
		wg.Go(func() { n.see(ctx, &list[i]) })
	}
	wg.Wait()
	names := n.members.Names()
	place := func(m MemberStatus) int {
		if i := slices.Index(names, m.Name); i >= 0 {
			return i
		}
		return len(names) // not in the file: last
	}
	slices.SortStableFunc(list, func(a, b MemberStatus) int { return place(a) - place(b) })
	return list
}

func (n *Node) see(ctx context.Context, m *MemberStatus) {
	if m.ServerID == n.self.ServerID || m.ServerID == "" && m.Name == n.self.Node {
		m.ServerID, m.Alive, m.LastIndex = n.self.ServerID, true, n.raft.LastIndex()
		return
	}
	want := m.ServerID
	if want == "" {
		want = m.Name
	}
	if s := n.stateOf(ctx, want); s != nil {
		m.ServerID, m.Alive, m.LastIndex = s.ServerID, true, s.LastIndex
	}
}

// stateOf asks one node, by name or server id; nil: no answer.
func (n *Node) stateOf(ctx context.Context, want string) *stateAnswer {
	ctx, cancel := context.WithTimeout(ctx, aliveTimeout)
	defer cancel()
	a, err := n.ask(ctx, want, question{State: &stateQuestion{}})
	if err != nil {
		return nil
	}
	return a.State
}

func voteOf(s raft.Server) string {
	if s.Suffrage == raft.Voter {
		return VoteYes
	}
	return VoteNo
}

// server is the member of that name.
func (n *Node) server(name string) (raft.Server, bool) {
	for _, s := range n.servers() {
		if peer.NodeName(string(s.ID)) == name {
			return s, true
		}
	}
	return raft.Server{}, false
}

func (n *Node) namedServer(name string) (raft.Server, error) {
	s, ok := n.server(name)
	switch {
	case ok:
		return s, nil
	case n.members.Has(name):
		return s, refuse("%s is not a member (yet)", name)
	}
	var names []string
	for _, s := range n.servers() {
		names = append(names, peer.NodeName(string(s.ID)))
	}
	return s, refuse("there is no node %q; the members are %s", name, strings.Join(names, ", "))
}

// keepsQuorum refuses a change after which the voters that answer now would be no majority. without
// and with are server ids; either may be empty.
func (n *Node) keepsQuorum(ctx context.Context, without, with string) error {
	others, selfVotes := n.voters()
	if with != "" {
		others = append(others, with)
	}
	if selfVotes {
		others = append(others, n.self.ServerID)
	}
	voters := slices.DeleteFunc(others, func(id string) bool { return id == without })
	if len(voters) == 0 {
		return refuse("%s is the last voter: without it there is no cluster", without)
	}
	silent := n.silentOf(ctx, voters)
	if need := len(voters)/2 + 1; len(voters)-len(silent) < need {
		return refuse("of the %d voters that there would be, %d must answer, and %s does not: the cluster would stop; start it, or remove it first",
			len(voters), need, strings.Join(silent, ", "))
	}
	return nil
}

// silentOf returns those of ids that do not answer, in their order.
func (n *Node) silentOf(ctx context.Context, ids []string) (silent []string) {
	answered := make([]bool, len(ids))
	var wg sync.WaitGroup
	for i, id := range ids {
		wg.Go(func() { answered[i] = id == n.self.ServerID || n.stateOf(ctx, id) != nil })
	}
	wg.Wait()
	for i, id := range ids {
		if !answered[i] {
			silent = append(silent, id)
		}
	}
	return silent
}

// strength says how many voters there are, and what they withstand.
func (n *Node) strength() string {
	others, selfVotes := n.voters()
	voters := len(others)
	if selfVotes {
		voters++
	}
	return fmt.Sprintf("voters now: %d, of which %d may fail", voters, (voters-1)/2)
}
