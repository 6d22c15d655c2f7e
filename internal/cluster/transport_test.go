package cluster

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"testing/synctest"
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
	s := newStreams(ctx, testNetwork(self, m))
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

// What is asked once gets its answer from a server that has restarted since it was last asked: the idle connections to it
// are dead, and each would cost a candidate a vote.
func TestVoteOverADeadConnection(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, 3)
	c.startAll()
	c.set(c.leader(), "k", "v")
	c.settle()
	from, to := c.followers()[0], c.followers()[1]
	transport := from.forRaft()
	id := to.raft.self
	header := from.raft.header(from.transport)
	ask := map[string]func() error{
		"pre-vote": func() error {
			return transport.RequestPreVote(raft.ServerID(id), raft.ServerAddress(id),
				&raft.RequestPreVoteRequest{RPCHeader: header, Term: 1}, &raft.RequestPreVoteResponse{})
		},
		"vote": func() error {
			return transport.RequestVote(raft.ServerID(id), raft.ServerAddress(id),
				&raft.RequestVoteRequest{RPCHeader: header, Term: 1}, &raft.RequestVoteResponse{})
		},
		"hand over": func() error { // last, as it changes who leads
			return transport.TimeoutNow(raft.ServerID(id), raft.ServerAddress(id),
				&raft.TimeoutNowRequest{RPCHeader: header}, &raft.TimeoutNowResponse{})
		},
	}
	for _, name := range []string{"pre-vote", "vote", "hand over"} {
		var all sync.WaitGroup
		for range 2 * maxPool {
			all.Go(func() {
				if err := ask["pre-vote"](); err != nil {
					t.Error("before the restart:", err)
				}
			})
		}
		all.Wait()
		c.stop(to.config.Node)
		to = c.start(to.config.Node)
		c.settle()
		if err := ask[name](); err != nil {
			t.Errorf("%s: %v", name, err)
		}
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
	s := newStreams(t.Context(), testNetwork(self, m))
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

// toPipe is the way of another node's Raft to this one: a pipe, whose deadlines run in a bubble's time.
type toPipe struct {
	*streams
	pipe net.Conn
}

func (s *toPipe) Dial(raft.ServerAddress, time.Duration) (net.Conn, error) { return s.pipe, nil }

func headerOf(id string) raft.RPCHeader {
	return raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax, ID: []byte(id), Addr: []byte(id)}
}

var aConfiguration = raft.EncodeConfiguration(raft.Configuration{Servers: []raft.Server{{ID: "n2/1", Address: "n2/1"}}})

// inBubble tests what comes in from another node's Raft, in a bubble's time. hung up gets a server id
// when this side has closed the connection.
func inBubble(t *testing.T, test func(t *testing.T, r *receiver, sender *raft.NetworkTransport, hungUp <-chan string)) {
	synctest.Test(t, func(t *testing.T) {
		other := peer.Identity{Cluster: "c", Node: "n2", ServerID: "n2/1"}
		hungUp := make(chan string, 1)
		r := newReceiver(t.Context(), hclog.NewNullLogger(), func() progress { return progress{5, 100} },
			testNetwork(peer.Identity{}, nil), func(id string) { hungUp <- id })
		there, here := net.Pipe()
		sender := raft.NewNetworkTransport(&toPipe{newStreams(t.Context(), testNetwork(other, nil)), there}, 1, time.Hour, io.Discard)
		var wg sync.WaitGroup
		wg.Go(func() {
			r.serve(here, other)
			here.Close() // as the listener does
		})
		defer wg.Wait()
		defer there.Close()
		defer sender.Close()
		test(t, r, sender, hungUp)
	})
}

// send begins to send a snapshot, and returns it as Raft gets it, and what tells how sending it ended.
func send(r *receiver, sender *raft.NetworkTransport, size int64, state io.Reader) (raft.RPC, <-chan error) {
	sent := make(chan error, 1)
	go func() {
		request := &raft.InstallSnapshotRequest{
			RPCHeader: headerOf("n2/1"), SnapshotVersion: raft.SnapshotVersionMax, Size: size,
			Term: 5, LastLogIndex: 101, LastLogTerm: 5, ConfigurationIndex: 1, Configuration: aConfiguration,
		}
		sent <- sender.InstallSnapshot("n1/1", "n1/1", request, &raft.InstallSnapshotResponse{}, state)
	}()
	return <-r.consumer, sent
}

// A snapshot that comes no further ends for Raft, and with it the connection: the rest would be taken
// for other messages.
func TestStalledSnapshotEnds(t *testing.T) {
	inBubble(t, func(t *testing.T, r *receiver, sender *raft.NetworkTransport, hungUp <-chan string) {
		const some = 1 << 20
		ctx, stop := context.WithCancel(t.Context())
		start := time.Now()
		rpc, sent := send(r, sender, 2*some, io.MultiReader(io.LimitReader(endless{}, some), hanging{ctx}))
		n, err := io.Copy(io.Discard, rpc.Reader)
		if n != some || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%d bytes, %v", n, err)
		}
		rpc.Respond(&raft.InstallSnapshotResponse{}, err)
		<-hungUp
		if waited := time.Since(start); waited != stallLimit { // of the bubble's time
			t.Errorf("closed after %v", waited)
		}
		stop()
		<-sent
	})
}

// late is a snapshot that comes in pieces, each a moment before it would be too late.
type late struct{}

func (late) Read(p []byte) (int, error) {
	time.Sleep(stallLimit - time.Millisecond) // of the bubble's time
	return len(p), nil
}

// A snapshot may come as slowly as it likes, and the connection be silent before it, behind the answer
// to another message.
func TestSlowSnapshotIsTaken(t *testing.T) {
	inBubble(t, func(t *testing.T, r *receiver, sender *raft.NetworkTransport, _ <-chan string) {
		time.Sleep(10 * stallLimit) // of the bubble's time
		go func() {
			rpc := <-r.consumer
			rpc.Respond(&raft.AppendEntriesResponse{}, nil)
		}()
		beat := &raft.AppendEntriesRequest{RPCHeader: headerOf("n2/1"), Term: 5}
		if err := sender.AppendEntries("n1/1", "n1/1", beat, &raft.AppendEntriesResponse{}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * stallLimit)
		const size = 8 << 20
		start := time.Now()
		rpc, sent := send(r, sender, size, io.LimitReader(late{}, size))
		n, err := io.Copy(io.Discard, rpc.Reader)
		if took := time.Since(start); n != size || err != nil || took < 10*stallLimit {
			t.Fatalf("%d bytes in %v, %v", n, took, err)
		}
		rpc.Respond(&raft.InstallSnapshotResponse{}, nil)
		if err := <-sent; err != nil {
			t.Errorf("the answer: %v", err)
		}
	})
}
