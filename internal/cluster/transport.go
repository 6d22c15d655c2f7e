package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
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

// stallLimit is how long a message that has begun to come in may stand still. Raft's own goroutine reads
// a snapshot from its connection, and while it waits for more it neither votes nor stands: a leader that
// hangs in the middle of sending one would keep a majority that lives from electing another.
const stallLimit = 2 * time.Second

// streams is Raft's way to open and accept connections, over the peer port.
type streams struct {
	ctx     context.Context // of the node: its end ends every connection
	members peer.Members
	self    peer.Identity
	book    *peer.Book // nil: one that remembers nothing
	conns   chan net.Conn
	ended   func(serverID string) // told of each connection of another server's that ends
	closed  chan struct{}
	once    sync.Once
}

func newStreams(ctx context.Context, m peer.Members, self peer.Identity, ended func(string)) *streams {
	return &streams{ctx: ctx, members: m, self: self, ended: ended, conns: make(chan net.Conn), closed: make(chan struct{})}
}

// hand is a peer.Handler: it gives the connection to Raft and waits until Raft is done with it, or has to
// be: Raft does not shut down while it reads a snapshot, which can take as long as its sender likes.
func (s *streams) hand(conn net.Conn, remote peer.Identity) {
	watched := &watchedConn{Conn: conn, done: make(chan struct{})}
	select {
	case s.conns <- watched:
	case <-s.closed:
		return
	case <-s.ctx.Done():
		return
	}
	select {
	case <-watched.done:
		s.ended(remote.ServerID)
	case <-s.closed:
	case <-s.ctx.Done():
	}
}

// watchedConn tells when it is closed, and is closed when the rest of a message does not come.
type watchedConn struct {
	net.Conn
	once sync.Once
	done chan struct{}
	// begun is whether a message has begun to come in that is not answered yet: whoever sends waits for
	// the answer to one before the next. Who reads and who answers take turns.
	begun bool
}

// Read waits for a message to begin as long as it takes, and for more of one for stallLimit: slow is not
// cut off.
func (c *watchedConn) Read(p []byte) (int, error) {
	var deadline time.Time
	if c.begun {
		deadline = time.Now().Add(stallLimit)
	}
	if err := c.SetReadDeadline(deadline); err != nil {
		return 0, err
	}
	n, err := c.Conn.Read(p)
	c.begun = c.begun || n > 0
	if errors.Is(err, os.ErrDeadlineExceeded) {
		c.Close() // what may still come would be taken for the next message
		err = fmt.Errorf("nothing more of a message for %v: %w", stallLimit, err)
	}
	return n, err
}

// Write sends an answer.
func (c *watchedConn) Write(p []byte) (int, error) {
	c.begun = false
	return c.Conn.Write(p)
}

func (c *watchedConn) Close() error {
	c.once.Do(func() { close(c.done) })
	return c.Conn.Close()
}

func (s *streams) Accept() (net.Conn, error) {
	select {
	case c := <-s.conns:
		return c, nil
	case <-s.closed:
		return nil, net.ErrClosed
	}
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

// dialledConn is closed with the node, if not before.
type dialledConn struct {
	net.Conn
	forget func() bool
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
		// And watchedConn counts on it.
		MaxRPCsInFlight:         1,
		Timeout:                 timeout,
		MsgpackUseNewTimeFormat: true,
	})
}

// raftTransport is what Raft gets: the network's, but for the one call that a leader waits for without
// taking writes, for heartbeats, and for an eye on snapshots that are refused.
type raftTransport struct {
	*raft.NetworkTransport
	limit time.Duration
	// tooOld is called when a follower has refused a snapshot of ours that is older than its state. It
	// must return at once.
	tooOld func()
}

// InstallSnapshot sends a snapshot.
func (t *raftTransport) InstallSnapshot(id raft.ServerID, target raft.ServerAddress, request *raft.InstallSnapshotRequest,
	response *raft.InstallSnapshotResponse, data io.Reader) error {
	err := t.NetworkTransport.InstallSnapshot(id, target, request, response, data)
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
