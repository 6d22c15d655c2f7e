package cluster

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/hashicorp/raft"
)

// hashicorp/raft decides about snapshots by counting entries; with batches of up to 256 KiB that
// could be gigabytes, or a few kilobytes. So its own schedule is off, and this one counts bytes.
// (Variables for tests.)
var (
	compactPoll = time.Second
	// compactMin is the least that is written to the log between two snapshots, in bytes; with a
	// larger state it is about the size of that, so that snapshots at most double what is written.
	compactMin = int64(64 << 20)
	// trailingBytes is about how much log is kept behind a snapshot, for followers that lag.
	trailingBytes = uint64(64 << 20)
	// compactAgain is how long after a snapshot that failed the next one is tried: each fills a disk that is
	// full once more.
	compactAgain = 30 * time.Second
)

const (
	// The bounds of what trailingBytes comes to in entries.
	minTrailing, maxTrailing = 128, 10240
	// refusedEvery is how often a follower can have a snapshot taken by refusing one.
	refusedEvery = 30 * time.Second

	never           = 365 * 24 * time.Hour
	neverByCounting = 1 << 62
)

// compact takes snapshots by the bytes that went into the log since the last one; and one at once when a
// follower refuses this node's newest for having more already: Raft would send it that one again and again,
// for as long as little is written.
func (n *Node) compact(ctx context.Context) {
	tick := time.NewTicker(compactPoll)
	defer tick.Stop()
	lastBytes, lastIndex := n.fsm.AppliedBytes(), n.fsm.Applied()
	var refused, failed time.Time
	for {
		atOnce := false
		select {
		case <-tick.C:
		case <-n.tooOld:
			if atOnce = time.Since(refused) > refusedEvery; atOnce {
				refused = time.Now()
			}
		case <-ctx.Done():
			return
		}
		bytes, index := n.fsm.AppliedBytes(), n.fsm.Applied()
		since := bytes - lastBytes
		if index <= lastIndex || !atOnce && since < uint64(max(compactMin, n.fsm.Size())) || time.Since(failed) < compactAgain {
			continue
		}
		if !n.snapshot(since, index-lastIndex) {
			failed = time.Now()
			continue
		}
		lastBytes, lastIndex = bytes, index
	}
}

// lastSnapshot is where the snapshot that Raft relies on ends. Raft tells it nowhere else.
func (n *Node) lastSnapshot() (index, term uint64) {
	stats := n.raft.Stats()
	index, badIndex := strconv.ParseUint(stats["last_snapshot_index"], 10, 64)
	term, badTerm := strconv.ParseUint(stats["last_snapshot_term"], 10, 64)
	if err := errors.Join(badIndex, badTerm); err != nil {
		n.fatal(fmt.Errorf("where Raft's snapshot ends: %w", err))
	}
	return index, term
}

// snapshot takes one now; bytes and entries are those since the last one. It tells whether there is one.
func (n *Node) snapshot(bytes, entries uint64) bool {
	trailing := uint64(maxTrailing)
	if average := bytes / max(entries, 1); average > 0 {
		trailing = min(max(trailingBytes/average, minTrailing), maxTrailing)
	}
	c := n.raft.ReloadableConfig()
	c.TrailingLogs = trailing
	if err := n.raft.ReloadConfig(c); err != nil {
		n.log.Warn("cannot set how much log is kept", "error", err)
	}
	start := time.Now()
	err := waitFuture(n.raft.Snapshot(), n.stopped)
	switch {
	case errors.Is(err, raft.ErrNothingNewToSnapshot), errors.Is(err, raft.ErrRaftShutdown):
	case err != nil:
		n.log.Error("snapshot failed; the log grows until one succeeds", "error", err, "next try in", compactAgain.String())
		return false
	default:
		n.log.Info("snapshot taken", "index", n.fsm.Applied(), "took", time.Since(start).Round(time.Millisecond).String())
	}
	return true
}
