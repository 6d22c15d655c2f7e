package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"ciderd/internal/fsm"
	"ciderd/internal/peer"
	"ciderd/internal/pipeline"
)

// enqueueTimeout is how long Raft may take to accept an entry into its queue.
const enqueueTimeout = 2 * time.Second

var errNotLeading = errors.New("not the leader")

// proposer gives stamped entries to this node's Raft while it leads, in order, for whoever made
// them: this node's own pipeline, or the connection of another node.
type proposer struct {
	node    *Node
	futures chan raft.ApplyFuture
	failed  chan struct{} // closed after the first entry that did not make it
	wg      sync.WaitGroup
}

// inRaft is how many entries of one origin may be with Raft at a time.
const inRaft = 64

func newProposer(n *Node) *proposer {
	p := &proposer{node: n, futures: make(chan raft.ApplyFuture, inRaft), failed: make(chan struct{})}
	p.wg.Go(p.watch)
	return p
}

// propose stamps entry in place and gives it to Raft, which keeps it. It returns once Raft has it in
// its queue; what became of it shows in failed.
func (p *proposer) propose(entry []byte) error {
	future, err := p.enqueue(entry)
	if err != nil {
		return err
	}
	return p.await(future)
}

func (p *proposer) enqueue(entry []byte) (raft.ApplyFuture, error) {
	if p.node.raft.State() != raft.Leader {
		return nil, errNotLeading
	}
	entry, err := fsm.Refuse(entry, fsm.Refusal{Growth: p.node.space.refuses(), Weights: p.node.weights.now()})
	if err != nil {
		return nil, err
	}
	return p.node.formats.enter(entry, func(entry []byte) raft.ApplyFuture {
		fsm.SetStamp(entry, p.node.clock.Now())
		return p.node.raft.Apply(entry, enqueueTimeout)
	})
}

// await has the entry's fate waited for, once there are not too many others.
func (p *proposer) await(future raft.ApplyFuture) error {
	select {
	case p.futures <- future:
		return nil
	case <-p.failed:
		return errNotLeading
	}
}

// watch waits for the entries' fates, in order. A future's error may mean that the entry is lost or
// that it is not; either way all that is not done is sent again, so they are treated alike.
func (p *proposer) watch() {
	for future := range p.futures {
		if err := waitFuture(future, p.node.stopped); err != nil {
			p.node.log.Debug("an entry did not make it", "error", err)
			close(p.failed)
			for range p.futures { // until close
			}
			return
		}
		if term, ok := future.Response().(uint64); ok {
			p.node.notifier.committed(term, future.Index())
		}
	}
}

func (p *proposer) close() {
	close(p.futures)
	p.wg.Wait()
}

// waitFuture waits for a future of Raft's, which are not answered when Raft shuts down.
func waitFuture(f raft.Future, stopped <-chan struct{}) error {
	done := make(chan error, 1)
	go func() { done <- f.Error() }()
	select {
	case err := <-done:
		return err
	case <-stopped:
		return raft.ErrRaftShutdown
	}
}

// localSink leads into this node's own log.
type localSink struct {
	*proposer
	id string
}

// Send has the batch proposed.
func (s *localSink) Send(b *pipeline.Batch) error {
	err := s.propose(b.Give())
	if errors.Is(err, fsm.ErrCorrupt) {
		s.node.spoilt(err)
	}
	return err
}

func (s *localSink) Broken() <-chan struct{} { return s.failed }
func (s *localSink) Leader() string          { return s.id }
func (s *localSink) Close()                  { s.close() }

// spoilt ends a process whose own batch cannot be read any more: no leader takes it, and it would be sent for ever,
// with all behind it. Another process makes others.
func (n *Node) spoilt(err error) {
	n.fatal(fmt.Errorf("a batch of writes that this process has made is not what it was: the memory of this machine may be faulty: %w", err))
}

// remoteSink leads over one connection to the leader, which never says anything on it but why it
// closes it: that a batch is done shows in this node's own log.
type remoteSink struct {
	node *Node
	conn net.Conn
	id   string
	gone chan struct{}
	wg   sync.WaitGroup
}

const (
	dialLeader  = 500 * time.Millisecond
	writeLeader = 2 * time.Second
)

func dialSink(ctx context.Context, n *Node, leader string) (pipeline.Sink, error) {
	ctx, cancel := context.WithTimeout(ctx, dialLeader)
	defer cancel()
	address, err := n.members.Address(leader)
	if err != nil {
		return nil, err
	}
	conn, _, err := n.book.Dial(ctx, address, n.forwarder(), leader, peer.KindForward)
	if err != nil {
		return nil, err
	}
	s := &remoteSink{node: n, conn: conn, id: leader, gone: make(chan struct{})}
	s.wg.Go(func() {
		defer close(s.gone)
		reason, _ := io.ReadAll(io.LimitReader(conn, 256))
		n.log.Debug("the leader closed the way", "leader", leader, "reason", string(reason))
	})
	return s, nil
}

func (s *remoteSink) Send(b *pipeline.Batch) error {
	if _, _, err := fsm.ReadEntry(b.Entry()); err != nil {
		s.node.spoilt(err)
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
