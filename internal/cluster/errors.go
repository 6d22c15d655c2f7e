package cluster

import "errors"

// The ends of a proposal that are no result.
var (
	// ErrBusy: too much is waiting on this node already. Nothing was done, and nothing will be.
	ErrBusy = errors.New("too many writes are waiting on this node")
	// ErrNoLeader: the proposal was never sent, for want of a leader, or because what was sent
	// before it is stuck. Nothing was done, and nothing will be.
	ErrNoLeader = errors.New("no leader")
	// ErrTimeout: the proposal was sent and its result is not known.
	ErrTimeout = errors.New("no result in time")
	// ErrShutdown: this node is stopping. Nothing was done, and nothing will be.
	ErrShutdown = errors.New("this node is shutting down")
)

// Status is what one node knows of itself and its cluster.
type Status struct {
	Cluster  string
	Node     string // this node's name
	ServerID string // its id in Raft: name/short-id
	Role     string // leader, follower or candidate
	Leader   string // the leader's name; empty: none known
	Waiting  string // what this node waits for before it can serve; empty: nothing
	Term     uint64
	Commit   uint64 // the log index that is known to be committed
	Applied  uint64 // the log index whose changes reads on this node see
	Ready    bool   // reads are served
	Voter    bool
}
