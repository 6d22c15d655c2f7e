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

// To Raft a server's address is its id: the node's current address is looked up at each dial, so a node may change
// its address without an entry in the log.

// rpcTimeout is how long one of Raft's messages may take, including the writing of its entries to the disk. A
// variable for tests.
var rpcTimeout = 5 * time.Second

// streams opens Raft's connections, over the peer port. Those that others open go to receiver.
type streams struct {
	ctx     context.Context // of the node: its end ends every connection
	network *peer.Network
	closed  chan struct{}
	once    sync.Once
}

func newStreams(ctx context.Context, n *peer.Network) *streams {
	return &streams{ctx: ctx, network: n, closed: make(chan struct{})}
}

// Accept returns no connection to the library's transport.
func (s *streams) Accept() (net.Conn, error) {
	<-s.closed
	return nil, net.ErrClosed
}

func (s *streams) Close() error {
	s.once.Do(func() { close(s.closed) })
	return nil
}

// Addr returns this server's address to Raft: its id.
func (s *streams) Addr() net.Addr { return serverAddr(s.network.Self.ServerID) }

type serverAddr string

func (a serverAddr) Network() string { return "ciderd" }
func (a serverAddr) String() string  { return string(a) }

// dialAgain is the pause before a port that refused is tried again.
const dialAgain = 100 * time.Millisecond

// Dial waits up to timeout for a process that is down: after each failure Raft leaves a follower alone for twice as
// long, up to ten seconds, and a restarted node would wait for the log for about as long as it had been away.
func (s *streams) Dial(id raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(s.ctx, timeout)
	defer cancel()
	conn, _, err := s.network.Dial(ctx, string(id), peer.KindRaft)
	for errors.Is(err, syscall.ECONNREFUSED) {
		select {
		case <-time.After(dialAgain):
		case <-ctx.Done():
			return nil, err
		}
		conn, _, err = s.network.Dial(ctx, string(id), peer.KindRaft)
	}
	if err != nil {
		return nil, err
	}
	// Raft does not shut down before its current message is sent: to a server that hangs that can take seconds, and
	// hours for a snapshot of gigabytes.
	return &dialledConn{Conn: conn, forget: context.AfterFunc(s.ctx, func() { conn.Close() })}, nil
}

// dialledConn is closed with the node, if not earlier. An answer is a few numbers: more than maxAnswer bytes are no
// answer of Raft's, and its decoder would take memory as long as they arrive.
type dialledConn struct {
	net.Conn
	forget func() bool
	answer atomic.Int64 // bytes that have arrived since something was sent
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

// maxPool is how many idle connections to a server are kept: replication, heartbeats and our own notices may each hold
// one.
const maxPool = 4

func newTransport(s *streams, log hclog.Logger, timeout time.Duration) *raft.NetworkTransport {
	return raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
		ServerAddressProvider: idAsAddress{},
		Logger:                log,
		Stream:                s,
		MaxPool:               maxPool,
		// With more than one in flight a failed append can stop replication to a follower forever while its
		// heartbeats look fine (hashicorp/raft#611, #612). Batches make up for it. receiver relies on it too.
		MaxRPCsInFlight:         1,
		Timeout:                 timeout,
		MsgpackUseNewTimeFormat: true,
	})
}

// raftTransport is the transport that Raft uses: the network's, with receiver for incoming messages, a check of
// answers, a time limit for the one call during which a leader takes no writes, and a report of refused snapshots.
type raftTransport struct {
	*raft.NetworkTransport
	receiver *receiver
	heard    *peer.Heard
	limit    time.Duration
	// tooOld is called when a follower has refused our snapshot as older than its state. It must return at once.
	tooOld func()
	// campaigns is called when a server has answered that it campaigns, as leadership is handed to it.
	campaigns func(id string)
}

// Consumer returns the channel on which Raft gets others' messages.
func (t *raftTransport) Consumer() <-chan raft.RPC { return t.receiver.consumer }

// AppendEntries sends entries, or a heartbeat.
func (t *raftTransport) AppendEntries(id raft.ServerID, target raft.ServerAddress, request *raft.AppendEntriesRequest,
	response *raft.AppendEntriesResponse) error {
	send := func() error { return t.NetworkTransport.AppendEntries(id, target, request, response) }
	err := send()
	for tries := 0; tries < maxPool && errors.Is(cause(err), net.ErrClosed); tries++ {
		err = send() // the connection did not fit the encryption between nodes any more, and was closed here
	}
	return t.took(id, err, request.Term, &response.Term)
}

// RequestVote asks for a vote.
func (t *raftTransport) RequestVote(id raft.ServerID, target raft.ServerAddress, request *raft.RequestVoteRequest,
	response *raft.RequestVoteResponse) error {
	err := anew(func() error { return t.NetworkTransport.RequestVote(id, target, request, response) })
	return t.took(id, err, request.Term, &response.Term)
}

// RequestPreVote asks whether a vote would be given.
func (t *raftTransport) RequestPreVote(id raft.ServerID, target raft.ServerAddress, request *raft.RequestPreVoteRequest,
	response *raft.RequestPreVoteResponse) error {
	err := anew(func() error { return t.NetworkTransport.RequestPreVote(id, target, request, response) })
	return t.took(id, err, request.Term, &response.Term)
}

// took is orImpossible, and also notes that a server was heard of.
func (t *raftTransport) took(id raft.ServerID, err error, said uint64, answered *uint64) error {
	if err == nil {
		t.heard.Note(string(id))
	}
	return orImpossible(err, said, answered)
}

// orImpossible returns err, or an error for an answer with an impossible term, which Raft then does not see.
func orImpossible(err error, said uint64, answered *uint64) error {
	if err == nil {
		err = checkAnswer(said, *answered)
	}
	if err != nil {
		*answered = 0
	}
	return err
}

// anew sends a message, and again as long as a connection turns out to be dead: those in the pool to a server that has
// restarted are, and Raft asks for each vote only once. A candidate just handed leadership would get no vote, and
// nobody would lead for a second. All that is sent by it may arrive twice.
func anew(send func() error) error {
	err := send()
	for tries := 0; tries < maxPool && died(err); tries++ {
		err = send()
	}
	return err
}

// died reports whether an error is that of a connection that the other side has closed, or this one as it does not fit
// the encryption between nodes any more.
func died(err error) bool {
	err = cause(err)
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, net.ErrClosed)
}

// cause returns the error of the connection, which the decoder wraps without Unwrap.
func cause(err error) error {
	var decoding interface{ Cause() error }
	if errors.As(err, &decoding) {
		return decoding.Cause()
	}
	return err
}

// InstallSnapshot sends a snapshot.
func (t *raftTransport) InstallSnapshot(id raft.ServerID, target raft.ServerAddress, request *raft.InstallSnapshotRequest,
	response *raft.InstallSnapshotResponse, data io.Reader) error {
	err := t.NetworkTransport.InstallSnapshot(id, target, request, response, data)
	err = t.took(id, err, request.Term, &response.Term)
	if err != nil && strings.Contains(err.Error(), fsm.ErrOldSnapshot.Error()) { // errors arrive as text
		t.tooOld()
	}
	return err
}

// TimeoutNow asks a server to campaign at once. It does not wait for one that hangs; the request may still reach it
// later, which only costs an election.
func (t *raftTransport) TimeoutNow(id raft.ServerID, target raft.ServerAddress, request *raft.TimeoutNowRequest,
	response *raft.TimeoutNowResponse) error {
	var own raft.TimeoutNowResponse
	done := make(chan error, 1)
	go func() { done <- anew(func() error { return t.NetworkTransport.TimeoutNow(id, target, request, &own) }) }()
	select {
	case err := <-done:
		if *response = own; err == nil {
			t.campaigns(string(id))
		}
		return err
	case <-time.After(t.limit):
		return fmt.Errorf("no answer in %v", t.limit)
	}
}

// SetHeartbeatHandler does nothing, so that heartbeats wait in Raft's queue like other messages. Raft would handle
// them on the connection's goroutine, concurrently with its own: a heartbeat of a term that is just ending could
// then store that older term over the newer one in which this node has voted, and both leaders' entries would be
// accepted (hashicorp/raft#695).
func (t *raftTransport) SetHeartbeatHandler(func(raft.RPC)) {}
