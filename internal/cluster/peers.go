package cluster

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/hashicorp/raft"

	"ciderd/internal/peer"
)

// What this node has last heard of each other one, for people: whoever does not answer is named with the reason.
// All others are asked every recoveryPoll, and more often while the node cannot serve, so that nobody who
// wants to know waits for them.

// stateTimeout is how long the others have to say how they are.
const stateTimeout = 500 * time.Millisecond

// PeerStatus is another node, as last heard of.
type PeerStatus struct {
	Name string
	Role string // leader, follower, candidate or replica
	Lag  uint64 // how many log entries it was behind the leader, or behind this node
	// Reason is why it does not answer, or is no use; empty: it does.
	Reason string

	server  string // its id
	outside uint64 // see stateAnswer.OutsideAsOf
}

type peers struct {
	mu       sync.Mutex // all below
	seen     map[string]PeerStatus
	refusals map[string]*peer.Refusal // of those that refuse this node
}

// refusal is how a node has refused this one when it was asked last; nil: it has not.
func (p *peers) refusal(name string) *peer.Refusal {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.refusals[name]
}

func (p *peers) setRefusals(errs map[string]error) {
	refusals := map[string]*peer.Refusal{}
	for name, err := range errs {
		var r *peer.Refusal
		if errors.As(err, &r) {
			refusals[name] = r
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refusals = refusals
}

// set takes down what was heard. It may be of any host that answered, and is shown in lines.
func (p *peers) set(s PeerStatus) {
	if s.Reason != "" {
		s.Reason = oneLine(s.Reason)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.seen == nil {
		p.seen = map[string]PeerStatus{}
	}
	p.seen[s.Name] = s
}

// of is what is known of a node.
func (p *peers) of(name string) PeerStatus {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s, known := p.seen[name]; known {
		return s
	}
	return PeerStatus{Name: name, Reason: "not heard of yet"}
}

// reasonLimit is how much of a reason is shown, in bytes.
const reasonLimit = 300

func oneLine(text string) string {
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
	if len(text) > reasonLimit {
		text = strings.ToValidUTF8(text[:reasonLimit], "") + "…"
	}
	return text
}

// why lists nodes with the reason of each.
func (p *peers) why(names []string) string {
	var parts []string
	for _, name := range names {
		parts = append(parts, name+": "+p.of(name).Reason)
	}
	return strings.Join(parts, "; ")
}

// noteStates takes down what was asked of all others at once, when this node's log ended with lastIndex.
func (n *Node) noteStates(states map[string]*stateAnswer, errs map[string]error, lastIndex uint64) {
	if leader := states[peer.NodeName(n.leader())]; leader != nil {
		lastIndex = max(lastIndex, leader.LastIndex)
	}
	for name, s := range states {
		n.peers.set(PeerStatus{Name: name, server: s.ServerID, outside: s.OutsideAsOf, Role: s.role(), Lag: lastIndex - min(lastIndex, s.LastIndex)})
	}
	n.peers.setRefusals(errs)
	for name, err := range errs {
		address, _ := n.members.Address(name) // it is of the file
		n.peers.set(PeerStatus{Name: name, Reason: peer.Reason(err, n.self, name, address, stateTimeout)})
	}
}

// role is what it says, or what a node of the release before lets guess.
func (s *stateAnswer) role() string {
	switch {
	case slices.Contains([]string{"leader", "follower", "candidate", "replica"}, s.Role):
		return s.Role
	case len(s.Servers) > 0:
		return "leader"
	}
	return "follower"
}

// role is this node's own.
func (n *Node) role() string {
	switch n.raft.State() {
	case raft.Leader:
		return "leader"
	case raft.Candidate:
		return "candidate"
	}
	if n.hasNonvoter(n.self.ServerID) {
		return "replica"
	}
	return "follower"
}

// peerList is all other nodes of the file, in its order, and then those that only the configuration has.
func (n *Node) peerList() (list []PeerStatus) {
	leader := n.leader()
	for _, m := range n.members.Others(n.self.Node) {
		p := n.peers.of(m.Name)
		if p.Role == "leader" && leader != "" && peer.NodeName(leader) != m.Name {
			p.Role = "follower" // it was heard of before that
		}
		list = append(list, p)
	}
	for _, s := range n.servers() {
		if name := peer.NodeName(string(s.ID)); !n.members.Has(name) {
			list = append(list, PeerStatus{Name: name, Reason: "is not in the file of " + n.self.Node})
		}
	}
	return list
}

// takesWrites tells whether a leader is known and, as far as this node has heard, a majority answers.
func (n *Node) takesWrites() bool {
	if n.leader() == "" {
		return false
	}
	others, selfVotes := n.voters()
	voters, answer := len(others), 0
	if selfVotes {
		voters, answer = voters+1, 1
	}
	for _, id := range others {
		if p := n.peers.of(peer.NodeName(id)); p.Reason == "" && p.server == id {
			answer++
		}
	}
	return answer > voters/2
}

// waitsFor is what this node waits for, with who does not answer and why; empty: nothing.
func (n *Node) waitsFor() string {
	if why := n.disowned.Load(); why != nil {
		return *why
	}
	if w := n.waiting.Load(); w != nil && *w != "" {
		return *w
	}
	switch {
	case !n.Ready():
		return "starting"
	case n.leader() == "":
		return n.withSilent("no leader; reads are served, writes wait")
	}
	return ""
}

// withSilent adds the nodes that do not answer, with the reasons.
func (n *Node) withSilent(text string) string {
	for _, p := range n.peerList() {
		if p.Reason != "" {
			text += fmt.Sprintf("; %s: %s", p.Name, p.Reason)
		}
	}
	return text
}
