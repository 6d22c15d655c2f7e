package cluster

import (
	"sync"
	"time"

	"ciderd/internal/fsm"
)

// weights has the leader's fsm.Weights forget what has been applied.
type weights struct {
	node *Node

	mu   sync.Mutex // all below
	made *fsm.Weights
	at   time.Time // of the last Forget
	last uint64    // the log's last index then
}

// onItsWay is longer than an entry is on its way into Raft's log.
const onItsWay = enqueueTimeout + time.Second

func newWeights(n *Node) *weights { return &weights{node: n} }

func (w *weights) now() *fsm.Weights {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := w.node
	switch {
	case w.made == nil:
		w.made, w.at, w.last = fsm.NewWeights(n.fsm), time.Now(), n.raft.LastIndex()
	case time.Since(w.at) > onItsWay && n.fsm.Applied() >= w.last:
		w.made.Forget()
		w.at, w.last = time.Now(), n.raft.LastIndex()
	}
	return w.made
}
