package cluster

import (
	"context"
	"errors"
	"time"
)

// Abandon gives everything that was accepted its end now: whoever waits for a proposal is answered,
// and nothing more is accepted. It is for a Close that has no time left.
func (n *Node) Abandon() { n.pipeline.Abandon() }

// stopRaft returns when Raft has stopped; or at once when that cannot be, as its vote waits for room on
// the disk. Nothing is lost by that: what was not stored, nobody has been told.
func (n *Node) stopRaft() error {
	done := make(chan error, 1)
	go func() { done <- n.raft.Shutdown().Error() }()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-done:
			return err
		case <-tick.C:
		}
		if n.waitsForRoom() {
			n.log.Warn("the disk is full: stopping without waiting for Raft, whose vote waits for room")
			return nil
		}
	}
}

// Close ends the node: what was accepted is finished first, as long as ctx allows. Leadership is not
// handed over: see Transfer.
func (n *Node) Close(ctx context.Context) error {
	n.pipeline.Close(ctx) // needs Raft and the other nodes, so it comes first
	n.cancel()            // and with it Raft's connections, from which it may be reading a snapshot
	err := n.stopRaft()
	// Which Raft has done if it has stopped. If not, handlers of the listener wait for its answers.
	err = errors.Join(err, n.transport.Close())
	if n.listener != nil {
		err = errors.Join(err, n.listener.Close())
	}
	n.clientsMu.Lock()
	for _, c := range n.clients {
		c.Close()
	}
	n.clientsMu.Unlock()
	n.wg.Wait()
	n.reads.wg.Wait()
	n.syncs.wg.Wait()
	// Last: nothing writes any more.
	return errors.Join(err, n.streams.Close(), n.storage.Close())
}
