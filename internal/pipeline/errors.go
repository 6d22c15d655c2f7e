package pipeline

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
