// Package peerstate owns what nodes tell each other of how they are: the question, and what was last heard of each.
//
// It promises that each other node of the file has an entry, with the reason where it does not answer, in a form that
// can be shown to people whatever a host has sent. It never decides anything: the rooms that ask do. It asks only
// when it is called.
package peerstate

import (
	"slices"

	"ciderd/internal/peer"
)

// State is how a node is, as it answers. The names of its fields are on the wire.
type State struct {
	ServerID  string
	Known     bool              // it has a log or a snapshot
	Nodes     []string          // of its file, in order
	View      map[string]string // what it has seen of the others: name -> server id, empty directories only
	LastIndex uint64            // of its log
	Settled   bool              // Now is the cluster's time
	Now, Wall int64             // Unix milliseconds
	Servers   []string          // of the configuration; from a leader only
	Recovered int64             // when its cluster was last recovered, Unix milliseconds; 0: never
	Outside   bool              // its own configuration does not have it: it can vouch for no recovery
	NoSpace   bool              `json:"NoRoom"` // its disk is nearly full
	NearFull  bool              // its disk gets less, and that may come soon
	Entries   int               // the latest version of entries that it reads; 0: 1, of an older release
	Draining  bool              // it is taken out of traffic, and should not lead
	Urgent    bool              `json:"Pressing"` // little is left of what its disk keeps in reserve, or nothing
	Role      string            // RoleLeader …; empty: of an older release
	// OutsideAsOf is up to where in the log the asking server is none of the cluster's; 0: it is one, or that is not
	// known.
	OutsideAsOf uint64

	Machine int64       // how much memory there is for its process, in bytes; 0: not known
	Heap    int64       // how much its heap keeps from others, in bytes; 0: not known
	Counted int64       // what its state counts for, in bytes
	Taken   int64       // what its process takes of the machine for data, in bytes; 0: it does not say
	Writing bool        // it is writing a snapshot
	Limits  *FileLimits // nil: of a release without them
}

// FileLimits is what a node's file says of limits on memory.
type FileLimits struct {
	MaxMemory int64 // bytes; 0: none; -1: half of the smallest node's memory
	Reject    bool  // at the limit, what would grow is refused
	Quota     int64 // bytes; 0: none
}

// What Role says.
const (
	RoleLeader    = "leader"
	RoleFollower  = "follower"
	RoleCandidate = "candidate"
	RoleReplica   = "replica" // a server without a vote
)

// Question asks a node how it is. Any node may ask it: one must before it belongs to a cluster.
var Question = peer.Question[struct{}, State]{Name: "State", Strangers: true}

// Term asks a server for its current term in Raft, which it answers from memory.
var Term = peer.Question[struct{}, CurrentTerm]{Name: "Term", Strangers: true}

// CurrentTerm is the answer to Term.
type CurrentTerm struct{ Term uint64 }

// role returns what the node says, or what one of an older release lets guess.
func (s *State) role() string {
	switch {
	case slices.Contains([]string{RoleLeader, RoleFollower, RoleCandidate, RoleReplica}, s.Role):
		return s.Role
	case len(s.Servers) > 0:
		return RoleLeader
	}
	return RoleFollower
}
