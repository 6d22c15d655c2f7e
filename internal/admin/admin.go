// Package admin owns the way in for whoever runs a node: HTTP with JSON over a unix socket, both the
// daemon's half and the commands' half.
//
// It promises that only those can use it whom the socket's file lets in (mode 0600: the daemon's own
// user, and root), that bodies and waits are bounded, and that it starts no two servers on one
// path. It never decides what is safe: that is the node's, and it never logs a password.
//
//	GET  /members                  {"Members": […], "Warning": "…"}
//	POST /change {"Op", "Name", "Yes"}  {"Said": "…"}
//	POST /users  {"Name", "Password" (base64)}
//
// An error is {"Error": "…"} with status 409 (refused: nothing was done), 503 (it could not be done,
// or the outcome is not known), 400 (this is no request) or 421 (this is another node).
package admin

import (
	"context"
	"time"

	"ciderd/internal/cluster"
)

const (
	// Timeout is how long any call may take.
	Timeout = 10 * time.Second
	// margin is what of it the daemon leaves for its answer to arrive.
	margin  = 500 * time.Millisecond
	maxBody = 4 << 10 // bytes of a request
	// maxReply is far more than a list of members takes, in bytes.
	maxReply = 1 << 20
	// nodeHeader carries the name of the node that is meant.
	nodeHeader = "Ciderd-Node"
)

// Node is what the server needs of the node that it is the way in to.
type Node interface {
	// Members lists the cluster's nodes. With an error there may be a list too: what this node
	// knows without the leader.
	Members(ctx context.Context) ([]cluster.MemberStatus, error)
	// Change makes a change of the configuration and says in one line what it did. The error wraps
	// cluster.ErrRefused if nothing was done.
	// yes has it made even if no node may fail after it.
	Change(ctx context.Context, op, name string, yes bool) (said string, err error)
	// AddUser makes an account. The error wraps cluster.ErrRefused if nothing was done.
	AddUser(ctx context.Context, name string, password []byte) error
}

type (
	changeRequest struct {
		Op, Name string
		Yes      bool `json:",omitempty"`
	}
	userRequest struct {
		Name     string
		Password []byte
	}
	reply struct {
		Said    string                 `json:",omitempty"`
		Members []cluster.MemberStatus `json:",omitempty"`
		Warning string                 `json:",omitempty"`
		Error   string                 `json:",omitempty"`
	}
)
