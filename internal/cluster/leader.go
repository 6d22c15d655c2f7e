package cluster

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"ciderd/internal/peer"
)

// leaderWatch watches which node leads.
type leaderWatch struct {
	raft *consensus
	log  leaderLog
	// changed is called with the last known leader, after each event and every second.
	changed func(leader string)
}

// run passes changes of leadership to the pipeline and to the question in flight to the old leader. Raft's
// observers must never block, so events may be dropped: those that are in the queue trigger another look, and the
// pipeline also looks by itself.
func (w *leaderWatch) run(ctx context.Context) {
	events := make(chan raft.Observation, 16)
	observer := raft.NewObserver(events, false, func(o *raft.Observation) bool {
		switch o.Data.(type) {
		case raft.LeaderObservation, raft.RaftState, raft.PeerObservation:
			return true
		}
		return false
	})
	w.raft.RegisterObserver(observer)
	defer w.raft.DeregisterObserver(observer)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	w.log.since = time.Now()
	for {
		w.log.look(w.raft.Leader(), time.Now())
		w.changed(w.log.leader)
		select {
		case <-events:
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// leaderLog logs which node leads, and that none does once that has lasted longer than an election.
type leaderLog struct {
	raft    interface{ CurrentTerm() uint64 }
	silent  func(text string) string // adds the nodes that do not answer
	changes *atomic.Uint64           // counts leaders; nil: not counted
	hclog.Logger
	leader string    // the last known one, or empty
	since  time.Time // when the last leader was lost
	warned bool
}

// leaderless is how long there may be no leader before a warning.
const leaderless = 5 * time.Second

func (l *leaderLog) look(leader string, now time.Time) {
	switch {
	case leader == "" && l.leader != "":
		l.leader, l.since, l.warned = "", now, false
	case leader == "" && !l.warned && now.Sub(l.since) >= leaderless:
		l.warned = true
		l.Warn(l.silent("no leader since 5 s: writes wait"))
	case leader != "" && leader != l.leader:
		if l.warned {
			l.Warn("there is a leader again: writes go on", "without", now.Sub(l.since).Round(time.Second).String())
		}
		if l.changes != nil {
			l.changes.Add(1)
		}
		l.Info("leader", "node", peer.NodeName(leader), "id", leader, "term", l.raft.CurrentTerm())
		l.leader, l.warned = leader, false
	}
}
