package cluster

import "ciderd/internal/pipeline"

// The ends of a write or a SYNC that are no result; package pipeline says what each means.
var (
	ErrBusy     = pipeline.ErrBusy
	ErrNoLeader = pipeline.ErrNoLeader
	ErrTimeout  = pipeline.ErrTimeout
	ErrShutdown = pipeline.ErrShutdown
)

// Status is what one node knows of itself and its cluster.
type Status struct {
	Cluster  string
	Node     string // this node's name
	ServerID string // its id in Raft: name/short-id
	Role     string // leader, follower, candidate or replica
	Leader   string // the leader's name; empty: none known
	Waiting  string // what this node waits for, with who does not answer and why; empty: nothing
	Term     uint64
	Commit   uint64 // the log index that is known to be committed
	Applied  uint64 // the log index whose changes reads on this node see
	Ready    bool   // reads are served
	Voter    bool
	NoRoom   bool // its disk is nearly full
	Reads    bool // a read would be served here
	Writes   bool // a leader is known and, as far as this node has heard, a majority answers
	Peers    []PeerStatus
}
