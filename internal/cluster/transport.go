package cluster

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"ciderd/internal/peer"
)

// To Raft a server's address is its id: where the node of that name is to be found is looked up at
// each dial, so a node may change its address without the log having to say so.

// streams is Raft's way to open and accept connections, over the peer port.
type streams struct {
	members *members
	self    peer.Identity
	conns   chan net.Conn
	ended   func(serverID string) // told of each connection of another server's that ends
	closed  chan struct{}
	once    sync.Once
}

func newStreams(m *members, self peer.Identity, ended func(string)) *streams {
	return &streams{members: m, self: self, ended: ended, conns: make(chan net.Conn), closed: make(chan struct{})}
}

// hand is a peer.Handler: it gives the connection to Raft and waits until Raft is done with it.
func (s *streams) hand(conn net.Conn, remote peer.Identity) {
	watched := &watchedConn{Conn: conn, done: make(chan struct{})}
	select {
	case s.conns <- watched:
	case <-s.closed:
		return
	}
	select {
	case <-watched.done:
		s.ended(remote.ServerID)
	case <-s.closed:
	}
}

// watchedConn tells when it is closed.
type watchedConn struct {
	net.Conn
	once sync.Once
	done chan struct{}
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

func (s *streams) Dial(id raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	address, err := s.members.address(string(id))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	conn, _, err := peer.Dial(ctx, address, s.self, string(id), peer.KindRaft)
	return conn, err
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
		MaxRPCsInFlight:         1,
		Timeout:                 timeout,
		MsgpackUseNewTimeFormat: true,
	})
}
