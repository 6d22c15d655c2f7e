package cluster

import (
	"context"
	"errors"
	"time"
)

// Abandon resolves everything that was accepted now: every caller that waits for a proposal is answered, and no
// more proposals are accepted. It is for a Close that has no time left.
func (n *Node) Abandon() { n.pipeline.Abandon() }

// stopRaft returns when Raft has stopped. It returns at once if Raft cannot stop because its vote waits for space
// on the disk. Nothing is lost by that: what was not stored was never acknowledged.
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
		if n.waitsForSpace() {
			n.log.Warn("the disk is full: stopping without waiting for Raft, whose vote waits for space")
			return nil
		}
	}
}

// Close stops the node: it first finishes what was accepted, as long as ctx allows. It does not hand leadership
// over: see Transfer.
func (n *Node) Close(ctx context.Context) error {
	n.pipeline.Close(ctx) // needs Raft and the other nodes, so it comes first
	n.cancel()            // and with it Raft's connections, from which it may be reading a snapshot
	err := n.stopRaft()
	// If Raft has stopped it has closed its transport. If not, handlers of the listener wait for its answers.
	err = errors.Join(err, n.transport.Close(), n.network.Close())
	n.membership.Wait()
	n.wg.Wait()
	n.forwards.wg.Wait()
	n.campaigner.wg.Wait()
	n.notifier.close()
	n.readIndex.close()
	// Last: nothing writes any more.
	return errors.Join(err, n.streams.Close(), n.storage.Close())
}
