package cluster

import (
	"fmt"

	"ciderd/internal/diskspace"
	"ciderd/internal/peer"
	"ciderd/internal/peerstate"
	"ciderd/internal/pipeline"
)

// The outcomes of a write or a SYNC that are not results; package pipeline says what each means.
var (
	ErrBusy     = pipeline.ErrBusy
	ErrNoLeader = pipeline.ErrNoLeader
	ErrTimeout  = pipeline.ErrTimeout
	ErrShutdown = pipeline.ErrShutdown
)

// Status is what one node knows about itself and its cluster.
type Status struct {
	Cluster  string
	Node     string // this node's name
	ServerID string // its id in Raft: name/short-id
	Role     string // leader, follower, candidate or replica
	Leader   string // the leader's name; empty: none known
	Waiting  string // what this node waits for, with each node that does not answer and why; empty: nothing
	Term     uint64
	Commit   uint64 // the log index that is known to be committed
	Applied  uint64 // the log index whose changes reads on this node see
	Ready    bool   // reads are served
	Voter    bool
	Voters   int  // how many servers vote
	NoSpace  bool `json:"NoRoom"` // its disk is nearly full
	Reads    bool // a read would be served here
	Writes   bool // a leader is known and, as far as this node has heard, a majority answers
	Peers    []peerstate.Status
	// Notices are what an operator should know of limits on memory; empty: nothing.
	Notices []string `json:",omitempty"`
}

// status collects what this node knows about itself.
type status struct {
	raft    *consensus
	network *peer.Network
	peers   *peerstate.Peers
	serving *serving
	space   *diskspace.Space
	notices func(peers []peerstate.Status) []string
}

func (s *status) of() Status {
	self, ready := s.network.Self, s.serving.ready()
	status := Status{
		Cluster: self.Cluster, Node: self.Node, ServerID: self.ServerID, Leader: peer.NodeName(s.raft.Leader()),
		Term: s.raft.CurrentTerm(), Commit: s.raft.CommitIndex(), Applied: s.raft.Applied(), Ready: ready,
		NoSpace: s.space.Low(), Role: s.raft.role(), Waiting: s.waitsFor(),
		Reads: ready, Writes: s.takesWrites(), Peers: s.peerList(),
	}
	others, votes := s.raft.Voters()
	status.Voter, status.Voters = votes, len(others)
	if votes {
		status.Voters++
	}
	status.Notices = s.notices(status.Peers)
	return status
}

// peerList returns all other nodes of the file, in its order, and then those that only the configuration has.
func (s *status) peerList() (list []peerstate.Status) {
	leader := s.raft.Leader()
	for _, name := range s.network.Others() {
		p := s.peers.Of(name)
		if p.Role == peerstate.RoleLeader && leader != "" && peer.NodeName(leader) != name {
			p.Role = peerstate.RoleFollower // its last answer is older than the current leader
		}
		list = append(list, p)
	}
	for _, id := range s.raft.Servers().IDs() {
		if name := peer.NodeName(id); !s.network.Members.Has(name) {
			list = append(list, peerstate.Status{Name: name, Reason: "is not in the file of " + s.network.Self.Node})
		}
	}
	return list
}

// takesWrites reports whether a leader is known and, as far as this node has heard, a majority answers.
func (s *status) takesWrites() bool {
	if s.raft.Leader() == "" {
		return false
	}
	others, selfVotes := s.raft.Voters()
	voters, answer := len(others), 0
	if selfVotes {
		voters, answer = voters+1, 1
	}
	for _, id := range others {
		if p := s.peers.Of(peer.NodeName(id)); p.Reason == "" && p.ServerID == id {
			answer++
		}
	}
	return answer > voters/2
}

// waitsFor returns what this node waits for, with each node that does not answer and why; empty: nothing.
func (s *status) waitsFor() string {
	switch why := s.serving.why(); {
	case why != "":
		return why
	case !s.serving.ready():
		return "starting"
	case s.raft.Leader() == "":
		return s.withSilent("no leader; reads are served, writes wait")
	}
	return ""
}

// withSilent adds the nodes that do not answer, with the reasons.
func (s *status) withSilent(text string) string {
	for _, p := range s.peerList() {
		if p.Reason != "" {
			text += fmt.Sprintf("; %s: %s", p.Name, p.Reason)
		}
	}
	return text
}
