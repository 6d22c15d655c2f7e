package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"ciderd/internal/fsm"
	"ciderd/internal/peer"
	"ciderd/internal/pipeline"
)

// sinks opens sinks that bring this node's batches into the log.
type sinks struct {
	raft        *consensus
	network     *peer.Network
	entries     *entries
	time        *timekeeper
	incarnation func() uint64
	fatal       func(error)
	log         hclog.Logger
}

// open opens a sink to the current leader.
func (s *sinks) open(ctx context.Context) (pipeline.Sink, error) {
	leader := s.raft.Leader()
	switch leader {
	case "":
		return nil, ErrNoLeader
	case s.raft.self:
		if err := mayLead(ctx, s.raft, s.time); err != nil {
			return nil, err
		}
		return &localSink{proposer: s.entries.newProposer(), id: leader, spoilt: s.spoilt}, nil
	}
	return s.dial(ctx, leader)
}

// mayLead returns nil if this node may stamp entries: it leads, and it knows the time.
func mayLead(ctx context.Context, c *consensus, t *timekeeper) error {
	if !c.Leads() {
		return errNotLeading
	}
	t.settled(ctx)
	return nil
}

func (s *sinks) dial(ctx context.Context, leader string) (pipeline.Sink, error) {
	ctx, cancel := context.WithTimeout(ctx, dialLeader)
	defer cancel()
	conn, err := s.network.DialForward(ctx, leader, s.incarnation())
	if err != nil {
		return nil, err
	}
	sink := &remoteSink{conn: conn, id: leader, spoilt: s.spoilt, gone: make(chan struct{})}
	sink.wg.Go(func() {
		defer close(sink.gone)
		reason, _ := io.ReadAll(io.LimitReader(conn, 256))
		s.log.Debug("the leader closed the way", "leader", leader, "reason", string(reason))
	})
	return sink, nil
}

// spoilt ends a process whose own batch cannot be read any more: no leader accepts it, and it would be sent
// forever, with all batches after it. A new process makes other batches.
func (s *sinks) spoilt(err error) {
	s.fatal(fmt.Errorf("a batch of writes that this process has made is not what it was: the memory of this machine may be faulty: %w", err))
}

// localSink leads into this node's own log.
type localSink struct {
	*proposer
	id     string
	spoilt func(error)
}

// Send has the batch proposed.
func (s *localSink) Send(b *pipeline.Batch) error {
	err := s.propose(b.Give())
	if errors.Is(err, fsm.ErrCorrupt) {
		s.spoilt(err)
	}
	return err
}

func (s *localSink) Broken() <-chan struct{} { return s.failed }
func (s *localSink) Leader() string          { return s.id }
func (s *localSink) Close()                  { s.close() }

// remoteSink leads over one connection to the leader, whose only reply is the reason why it closes: that a batch is
// done shows in this node's own log.
type remoteSink struct {
	conn   net.Conn
	id     string
	spoilt func(error)
	gone   chan struct{}
	wg     sync.WaitGroup
}

const (
	dialLeader  = 500 * time.Millisecond
	writeLeader = 2 * time.Second
)

func (s *remoteSink) Send(b *pipeline.Batch) error {
	if _, _, err := fsm.ReadEntry(b.Entry()); err != nil {
		s.spoilt(err)
		return err
	}
	_ = s.conn.SetWriteDeadline(time.Now().Add(writeLeader))
	frame := net.Buffers{peer.AppendFrame(nil, len(b.Entry())), b.Entry()}
	if _, err := frame.WriteTo(s.conn); err != nil {
		return fmt.Errorf("sending to the leader: %w", err)
	}
	return nil
}

func (s *remoteSink) Broken() <-chan struct{} { return s.gone }
func (s *remoteSink) Leader() string          { return s.id }

func (s *remoteSink) Close() {
	s.conn.Close()
	s.wg.Wait()
}
