package cluster

import (
	"sync/atomic"
	"time"

	"ciderd/internal/diskspace"
	"ciderd/internal/eviction"
	"ciderd/internal/peer"
	"ciderd/internal/pipeline"
	"ciderd/internal/storage"
	"ciderd/internal/tally"
)

// Stats is what this node's part of the replicated log has done since the process began.
type Stats struct {
	LeaderChanges   uint64        // how often a leader other than the last one was seen
	Forwarded       uint64        // other nodes' batches that this leader accepted
	Rejected        uint64        // connections for other nodes' batches that this node ended with a reason
	ElectionWait    time.Duration // how long a follower hears nothing before it asks for votes, at present
	Snapshots       uint64        // that were taken
	SnapshotsFailed uint64
	SnapshotTook    tally.Distribution `json:"-"` // of those that were taken: nanoseconds

	Pipeline pipeline.Stats
	Peers    peer.Stats
	Disk     storage.Stats
	Space    diskspace.Stats
	Eviction eviction.Stats
}

// counts holds the counters that parts of the node increase.
type counts struct{ leaderChanges, forwarded, rejected, snapshots, snapshotsFailed atomic.Uint64 }

// Stats returns the current numbers.
func (n *Node) Stats() Stats {
	c, wait := &n.counts, n.config.Timing.Heartbeat
	if n.electionWait != nil {
		wait = n.electionWait.waits()
	}
	return Stats{
		ElectionWait:  wait,
		LeaderChanges: c.leaderChanges.Load(), Forwarded: c.forwarded.Load(), Rejected: c.rejected.Load(),
		Snapshots: c.snapshots.Load(), SnapshotsFailed: c.snapshotsFailed.Load(), SnapshotTook: n.snapshots.took.Read(),
		Pipeline: n.pipeline.Stats(), Peers: n.network.Stats(), Disk: n.storage.Stats(), Space: n.space.Stats(), Eviction: n.evictor.Stats(),
	}
}
