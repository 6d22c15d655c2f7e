package cluster

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"ciderd/internal/fsm"
	"ciderd/internal/peer"
)

// The state has, for each server, the incarnation of its last batch, and skips batches of lower ones. A state that
// has one of this server that this server has not reached (a directory that was put back from a copy, or somebody
// who called himself by its name) would end its writes for good. So it goes on above that one.

// outruns is told of such incarnations, on Raft's goroutine.
type outruns struct {
	highest atomic.Uint64
	told    chan struct{}
}

func (o *outruns) tell(incarnation uint64) {
	for old := o.highest.Load(); incarnation > old; old = o.highest.Load() {
		o.highest.CompareAndSwap(old, incarnation)
	}
	signal(o.told)
}

// keepAhead runs until the node ends.
func (n *Node) keepAhead() {
	for {
		select {
		case <-n.outruns.told:
		case <-n.stopped:
			return
		}
		err := n.goAhead(n.outruns.highest.Load())
		if errors.Is(err, errImpossible) {
			n.fatal(err)
			return
		}
		if err != nil { // a full disk, say
			n.log.Warn("this server's writes wait", "error", err)
			time.AfterFunc(time.Second, func() { signal(n.outruns.told) })
		}
	}
}

func (n *Node) goAhead(of uint64) error {
	own := n.pipeline.Incarnation()
	if own > of {
		return nil
	}
	if of >= fsm.MaxIncarnation {
		return fmt.Errorf("%w: the state has a batch of %s of incarnation %d, and there is none above it: remove its data directory to let it join as a new one",
			errImpossible, n.self.ServerID, of)
	}
	// Stored first: the next start must be above it as well.
	if err := n.storage.RaiseIncarnation(of + 1); err != nil {
		return fmt.Errorf("storing an incarnation above that of the state: %w", err)
	}
	n.log.Error("the state has a batch of this server that its process has not made (is its data directory an old copy?): going on above it",
		"server", n.self.ServerID, "incarnation", own, "the state's", of, "from now on", of+1)
	n.pipeline.Renew(of + 1)
	return nil
}

// forwarder is who sends batches from here.
func (n *Node) forwarder() peer.Identity {
	id := n.self
	id.Incarnation = n.pipeline.Incarnation()
	return id
}
