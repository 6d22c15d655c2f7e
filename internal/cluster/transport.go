package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"ciderd/internal/fsm"
	"ciderd/internal/peer"
)

// To Raft a server's address is its id: where the node of that name is to be found is looked up at
// each dial, so a node may change its address without the log having to say so.

// rpcTimeout is how long one of Raft's messages may take, the writing of its entries to the disk
// included. A variable for tests.
var rpcTimeout = 5 * time.Second

// streams is Raft's way to open connections, over the peer port. Those that others open end in receiver.
type streams struct {
	ctx     context.Context // of the node: its end ends every connection
	members peer.Members
	self    peer.Identity
	book    *peer.Book // nil: one that remembers nothing
	closed  chan struct{}
	once    sync.Once
}

func newStreams(ctx context.Context, m peer.Members, self peer.Identity) *streams {
	return &streams{ctx: ctx, members: m, self: self, closed: make(chan struct{})}
}

// Accept gives the library's transport none.
func (s *streams) Accept() (net.Conn, error) {
	<-s.closed
	return nil, net.ErrClosed
}

func (s *streams) Close() error {
	s.once.Do(func() { close(s.closed) })
	return nil
}

// Addr is this server's address to Raft: its id.
func (s *streams) Addr() net.Addr { return serverAddr(s.self.ServerID) }

type serverAddr string

func (a serverAddr) Network() string { return "ciderd" }
func (a serverAddr) String() string  { return string(a) }

// dialAgain is how often a port that refuses is tried again.
const dialAgain = 100 * time.Millisecond

// Dial waits for a process that is not there, up to timeout: after each failure Raft leaves a follower
// alone for twice as long as before, up to ten seconds, and a node that was restarted would wait for the
// log for about as long as it had been away.
func (s *streams) Dial(id raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	address, err := s.members.Address(string(id))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(s.ctx, timeout)
	defer cancel()
	conn, _, err := s.book.Dial(ctx, address, s.self, string(id), peer.KindRaft)
	for errors.Is(err, syscall.ECONNREFUSED) {
		select {
		case <-time.After(dialAgain):
		case <-ctx.Done():
			return nil, err
		}
		conn, _, err = s.book.Dial(ctx, address, s.self, string(id), peer.KindRaft)
	}
	if err != nil {
		return nil, err
	}
	// Raft does not shut down before what it is sending is sent: to a server that hangs that can
	// take seconds, and hours for a snapshot of gigabytes.
	return &dialledConn{Conn: conn, forget: context.AfterFunc(s.ctx, func() { conn.Close() })}, nil
}

// dialledConn is closed with the node, if not before. An answer is a few numbers: more than maxAnswer bytes of one
// is no answer of Raft's, and its decoder would take memory for as long as they come.
type dialledConn struct {
	net.Conn
	forget func() bool
	answer atomic.Int64 // bytes that have come since something was sent
}

const maxAnswer = 64 << 10

func (c *dialledConn) Write(p []byte) (int, error) {
	c.answer.Store(0)
	return c.Conn.Write(p)
}

func (c *dialledConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.answer.Add(int64(n)) > maxAnswer {
		return 0, impossible("an answer of more than %d bytes", maxAnswer)
	}
	return n, err
}

func (c *dialledConn) Close() error {
	c.forget()
	return c.Conn.Close()
}

// idAsAddress makes the transport dial by server id.
type idAsAddress struct{}

func (idAsAddress) ServerAddr(id raft.ServerID) (raft.ServerAddress, error) {
	if id == "" {
		return "", errors.New("no server id")
	}
	return raft.ServerAddress(id), nil
}

func newTransport(s *streams, log hclog.Logger, timeout time.Duration) *raft.NetworkTransport {
	return raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
		ServerAddressProvider: idAsAddress{},
		Logger:                log,
		Stream:                s,
		// Replication, heartbeats and our own notices may each hold one.
		MaxPool: 4,
		// With more than one in flight a failed append can stop replication to a follower for
		// ever while its heartbeats look fine (hashicorp/raft#611, #612). Batches make up for it.
		// And receiver counts on it.
		MaxRPCsInFlight:         1,
		Timeout:                 timeout,
		MsgpackUseNewTimeFormat: true,
	})
}

// raftTransport is what Raft gets: the network's, with receiver for what comes in, answers that can be, a limit to
// the one call that a leader waits for without taking writes, and an eye on snapshots that are refused.
type raftTransport struct {
	*raft.NetworkTransport
	receiver *receiver
	heard    *heard
	limit    time.Duration
	// tooOld is called when a follower has refused a snapshot of ours that is older than its state. It
	// must return at once.
	tooOld func()
}

// Consumer is where Raft gets others' messages from.
func (t *raftTransport) Consumer() <-chan raft.RPC { return t.receiver.consumer }

// AppendEntries sends entries, or a heartbeat.
func (t *raftTransport) AppendEntries(id raft.ServerID, target raft.ServerAddress, request *raft.AppendEntriesRequest,
	response *raft.AppendEntriesResponse) error {
	err := t.NetworkTransport.AppendEntries(id, target, request, response)
	return t.took(id, err, request.Term, &response.Term)
}

// RequestVote asks for a vote.
func (t *raftTransport) RequestVote(id raft.ServerID, target raft.ServerAddress, request *raft.RequestVoteRequest,
	response *raft.RequestVoteResponse) error {
	err := t.NetworkTransport.RequestVote(id, target, request, response)
	return t.took(id, err, request.Term, &response.Term)
}

// RequestPreVote asks whether there would be a vote.
func (t *raftTransport) RequestPreVote(id raft.ServerID, target raft.ServerAddress, request *raft.RequestPreVoteRequest,
	response *raft.RequestPreVoteResponse) error {
	err := t.NetworkTransport.RequestPreVote(id, target, request, response)
	return t.took(id, err, request.Term, &response.Term)
}

// took is orImpossible, and notes that a server was heard.
func (t *raftTransport) took(id raft.ServerID, err error, said uint64, answered *uint64) error {
	if err == nil {
		t.heard.note(string(id))
	}
	return orImpossible(err, said, answered)
}

// orImpossible is err, or that the answer's term cannot be; then nobody gets to see that.
func orImpossible(err error, said uint64, answered *uint64) error {
	if err == nil {
		err = checkAnswer(said, *answered)
	}
	if err != nil {
		*answered = 0
	}
	return err
}

// InstallSnapshot sends a snapshot.
func (t *raftTransport) InstallSnapshot(id raft.ServerID, target raft.ServerAddress, request *raft.InstallSnapshotRequest,
	response *raft.InstallSnapshotResponse, data io.Reader) error {
	err := t.NetworkTransport.InstallSnapshot(id, target, request, response, data)
	err = t.took(id, err, request.Term, &response.Term)
	if err != nil && strings.Contains(err.Error(), fsm.ErrOldSnapshot.Error()) { // errors come over as text
		t.tooOld()
	}
	return err
}

// TimeoutNow asks a server to stand for election at once. Whoever hangs is not waited for; the request
// may still reach it later, which costs an election and no more.
func (t *raftTransport) TimeoutNow(id raft.ServerID, target raft.ServerAddress, request *raft.TimeoutNowRequest,
	response *raft.TimeoutNowResponse) error {
	var own raft.TimeoutNowResponse
	done := make(chan error, 1)
	go func() { done <- t.NetworkTransport.TimeoutNow(id, target, request, &own) }()
	select {
	case err := <-done:
		*response = own
		return err
	case <-time.After(t.limit):
		return fmt.Errorf("no answer in %v", t.limit)
	}
}

// SetHeartbeatHandler does nothing, so that heartbeats wait for their turn like all else. Raft would
// have them handled on the connection's goroutine, beside its own: a heartbeat of a term that is just
// being left could then store that older term over the newer one in which this node has given its
// vote, and both leaders' entries would be taken (hashicorp/raft#695).
func (t *raftTransport) SetHeartbeatHandler(func(raft.RPC)) {}
