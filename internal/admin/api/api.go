// Package api owns what the operators' socket can be asked: the calls with their types, where the socket is, and the
// half of it that commands use. It is HTTP with JSON over a unix socket.
//
// It promises that only the daemon's own user, its group under systemd, and root can use the socket, that each call is
// bounded in time and bytes, and that an error says whether nothing was done. It never decides what is safe: the node does.
//
//	GET  /status                        how this node and its cluster are, see report.Full; it asks the other nodes
//	GET  /node                          how this node is, see report.Report; it asks nobody
//	GET  /past                          its last quarter of an hour, see report.Past
//	GET  /members                       {"Members": […], "Warning": "…"}
//	POST /change {"Op", "Name", "Yes"}  {"Said": "…"}
//	POST /users  {"Name", "Password" (base64)}  {"Said": "…"}
//	POST /users/password                as /users
//	POST /users/list {"After", "Most"}  {"Users": […], "Next"}, see User; Next 0: there are no more
//	POST /users/show {"Name"}           see User
//	POST /users/lock {"Name", "Locked"} {"Said": "…"}
//	POST /users/remove {"Name"}         {"Said": "…"}
//	GET  /limits                        {"MaxMemory", "WhenFull", …, "Nodes": […]}, see Limits
//	POST /quota   {"Name", "Bytes"}     {"Said": "…"}
//	POST /reserve {"Name", "Bytes"}     {"Said": "…"}
//	POST /drain   {"On"}                see Draining
//	GET  /drain                         the same
//	POST /sync    {}                    {"Said": "…"}
//	GET  /backup                        the backup, see package archive
//	POST /backup/done {"Time"}          {"Said": "…"}
//	POST /restore?user=…&replace=true…  see Restored; what is sent is a backup
//	POST /reload  {}                    {"Changed": […], "NeedsRestart": […], …}, see Reloaded
//	GET  /debug                         an archive (.tar.gz), which takes some seconds and is cut off if it fails
//
// An error is {"Error": "…"} with status 409 (refused: nothing was done), 424 (the same, as no leader is known), 422 (the
// same, as the configuration is wrong), 503 (it
// could not be done, or the outcome is not known), 400 (this is no request) or 421 (this is another node).
//
// A client that accepts application/x-ndjson is told each second that a call goes on: lines of {"Progress": "…"} come
// before the answer, which then has its status in "Status".
package api

import (
	"errors"
	"iter"
	"time"

	"ciderd/internal/membership"
	"ciderd/internal/report"
)

const (
	// Timeout is how long any call may take.
	Timeout = 10 * time.Second
	// MaxBody bounds a request, in bytes.
	MaxBody = 4 << 10
	// maxReply is far more than a list of members takes, in bytes.
	maxReply = 1 << 20
	// NodeHeader carries the name of the node that is meant.
	NodeHeader = "Ciderd-Node"
	// Streamed is the media type of an answer with lines of progress before it.
	Streamed = "application/x-ndjson"
)

var (
	// ErrRefused means that nothing was done, for the reason in its text.
	ErrRefused = errors.New("refused")
	// ErrNoLeader means that nothing was done, as the node knows no leader.
	ErrNoLeader = errors.New("no leader")
	// ErrConfig means that nothing was done, as the configuration is wrong in the ways of its text.
	ErrConfig = errors.New("wrong configuration")
)

// Call is one thing that the socket can be asked. Q is what is sent, A what is answered.
type Call[Q, A any] struct {
	Method, Path string
	// Verb is what the node's log calls it; empty: it changes nothing, and the log says nothing of it.
	Verb string
}

// Named is a request that knows better than its Call what the log calls it.
type Named interface{ Verb() string }

// About is a request of which the log tells more than the verb: never what is secret.
type About interface {
	Facts() iter.Seq2[string, string]
}

// The calls.
var (
	Status  = Call[struct{}, report.Full]{"GET", "/status", ""}
	Node    = Call[struct{}, report.Report]{"GET", "/node", ""}
	Past    = Call[struct{}, report.Past]{"GET", "/past", ""}
	Members = Call[struct{}, MemberList]{"GET", "/members", ""}
	Change  = Call[ChangeRequest, Done]{"POST", "/change", "member"}

	AddUser     = Call[UserRequest, Done]{"POST", "/users", "user add"}
	ListUsers   = Call[PageRequest, UserPage]{"POST", "/users/list", ""}
	ShowUser    = Call[NameRequest, User]{"POST", "/users/show", ""}
	SetPassword = Call[UserRequest, Done]{"POST", "/users/password", "user passwd"}
	LockUser    = Call[LockRequest, Done]{"POST", "/users/lock", "user lock"}
	RemoveUser  = Call[NameRequest, Done]{"POST", "/users/remove", "user remove"}

	// Drain is answered once it has begun; Drained tells how far it is.
	Drain   = Call[DrainRequest, Draining]{"POST", "/drain", "drain"}
	Drained = Call[struct{}, Draining]{"GET", "/drain", ""}

	// Sync is answered once the node has applied all that anybody had been told OK for when it was asked.
	Sync   = Call[struct{}, Done]{"POST", "/sync", ""}
	Reload = Call[struct{}, Reloaded]{"POST", "/reload", "reload"}

	ShowLimits = Call[struct{}, Limits]{"GET", "/limits", ""}
	SetQuota   = Call[ShareRequest, Done]{"POST", "/quota", "user quota"}
	SetReserve = Call[ShareRequest, Done]{"POST", "/reserve", "user reserve"}
)

type (
	// MemberList is who belongs to the cluster.
	MemberList struct {
		Members []membership.Status `json:",omitempty"`
		Warning string              `json:",omitempty"` // why the list may be wrong
		// NoLeader: it is this node's own view, as no leader is known.
		NoLeader bool `json:",omitempty"`
	}
	// ChangeRequest asks for a change of the configuration, see membership.Membership.Change.
	ChangeRequest struct {
		Op, Name string
		Yes      bool `json:",omitempty"` // also if no node may fail after it
	}
	// Done says in one line what was done.
	Done struct{ Said string }
)

// Line is one line of an answer beside the fields of the answer itself.
type Line struct {
	Progress string `json:",omitempty"` // it goes on; what comes is not the answer yet
	Error    string `json:",omitempty"`
	Status   int    `json:",omitempty"` // of the answer, where lines of progress came before it
}
