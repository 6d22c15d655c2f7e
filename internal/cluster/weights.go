package cluster

import (
	"sync"
	"time"

	"ciderd/internal/fsm"
)

// weights has the leader's fsm.Weights forget what has been applied.
type weights struct {
	raft *consensus
	fsm  *fsm.FSM

	mu   sync.Mutex // all below
	made *fsm.Weights
	at   time.Time // of the last Forget
	last uint64    // the log's last index then
}

// inFlightLimit is longer than an entry is in flight to Raft's log.
const inFlightLimit = enqueueTimeout + time.Second

func (w *weights) now() *fsm.Weights {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.made == nil:
		w.made, w.at, w.last = fsm.NewWeights(w.fsm), time.Now(), w.raft.LastIndex()
	case time.Since(w.at) > inFlightLimit && w.fsm.Applied() >= w.last:
		w.made.Forget()
		w.at, w.last = time.Now(), w.raft.LastIndex()
	}
	return w.made
}
