package cluster

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"ciderd/internal/peer"
)

// endless is a snapshot that goes on for ever.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

// A follower that hangs while it is being sent a snapshot: Raft gives it a deadline by the snapshot's
// size, hours for gigabytes, and does not shut down before.
func TestSnapshotToAHangingServerEndsWithTheNode(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	m := peer.Members{{Name: "n1"}, {Name: "n2", Address: l.Addr().String()}}
	self, other := peer.Identity{Cluster: "c", Node: "n1", ServerID: "n1/1"}, peer.Identity{Cluster: "c", Node: "n2", ServerID: "n2/1"}
	listener := peer.NewListener(l, other, m.Has, hclog.NewNullLogger())
	connected, done := make(chan struct{}), make(chan struct{})
	listener.Handle(peer.KindRaft, func(net.Conn, peer.Identity) {
		close(connected)
		<-done // it reads nothing
	})
	listener.Start()
	defer listener.Close()
	defer close(done)

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s := newStreams(ctx, m, self, nil)
	transport := newTransport(s, hclog.NewNullLogger(), time.Hour)
	defer transport.Close()
	sent := make(chan error, 1)
	go func() {
		request := &raft.InstallSnapshotRequest{RPCHeader: raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax}, Size: 1 << 40}
		sent <- transport.InstallSnapshot("n2/1", "n2/1", request, &raft.InstallSnapshotResponse{}, endless{})
	}()
	<-connected
	cancel()
	select {
	case err := <-sent:
		if err == nil {
			t.Error("an endless snapshot was sent")
		}
	case <-time.After(patience):
		t.Fatal("it is still being sent")
	}
	if _, err := s.Dial("n2/1", time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("a connection after the end: %v", err)
	}
}

// A node that is being restarted is connected to as soon as it is there again, in the call that found it
// away: Raft makes the pauses between calls longer and longer.
func TestDialWaitsForARestart(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	address := l.Addr().String()
	l.Close()
	m := peer.Members{{Name: "n1"}, {Name: "n2", Address: address}}
	self, other := peer.Identity{Cluster: "c", Node: "n1", ServerID: "n1/1"}, peer.Identity{Cluster: "c", Node: "n2", ServerID: "n2/1"}
	s := newStreams(t.Context(), m, self, nil)
	if _, err := s.Dial("n2/1", 2*dialAgain); err == nil {
		t.Fatal("connected to nobody")
	}
	dialled := make(chan error, 1)
	go func() {
		conn, err := s.Dial("n2/1", patience)
		if err == nil {
			conn.Close()
		}
		dialled <- err
	}()
	select {
	case err := <-dialled:
		t.Fatalf("to nobody: %v", err)
	case <-time.After(2 * dialAgain): // it goes on waiting
	}
	listener := peer.NewListener(listen(t, address), other, m.Has, hclog.NewNullLogger())
	listener.Handle(peer.KindRaft, func(net.Conn, peer.Identity) {})
	listener.Start()
	defer listener.Close()
	if err := <-dialled; err != nil {
		t.Errorf("after the restart: %v", err)
	}
}
