package pipeline

import "errors"

// The outcomes of a proposal that are not results.
var (
	// ErrBusy: too much is waiting on this node already. Nothing was done, and nothing will be.
	ErrBusy = errors.New("too many writes are waiting on this node")
	// ErrNoLeader: the proposal was never sent, as there was no leader, or as earlier batches are stuck. Nothing
	// was done, and nothing will be.
	ErrNoLeader = errors.New("no leader")
	// ErrTimeout: the proposal was sent and its outcome is unknown.
	ErrTimeout = errors.New("no result in time")
	// ErrShutdown: this node is stopping. Nothing was done, and nothing will be.
	ErrShutdown = errors.New("this node is shutting down")
)
