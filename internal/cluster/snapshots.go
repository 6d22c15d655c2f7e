package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"ciderd/internal/fsm"
	"ciderd/internal/tally"
)

// hashicorp/raft decides about snapshots by counting entries; with batches of up to 256 KiB that could be
// gigabytes, or a few kilobytes. So its own schedule is off, and this one counts bytes. (Variables for tests.)
var (
	compactPoll = time.Second
	// compactMin is the least that is written to the log between two snapshots, in bytes. With a larger state it is
	// about the size of that, so that snapshots at most double what is written.
	compactMin = int64(64 << 20)
	// compactLater is the part of that by which each server waits longer than the one before it: they would all write at
	// the same time otherwise, as they apply the same bytes, and a commit would have no majority that does not.
	compactLater = int64(8)
	// trailingBytes is about how much log is kept before a snapshot, for followers that lag.
	trailingBytes = uint64(64 << 20)
	// compactAgain is the pause after a failed snapshot before the next try: each try fills a full disk again.
	compactAgain = 30 * time.Second
)

const (
	// The bounds of trailingBytes when converted to entries.
	minTrailing, maxTrailing = 128, 10240
	// refusedEvery is how often a follower can trigger a snapshot by refusing one.
	refusedEvery = 30 * time.Second

	never           = 365 * 24 * time.Hour
	neverByCounting = 1 << 62
)

// snapshots takes this node's snapshots.
type snapshots struct {
	raft   *consensus
	fsm    *fsm.FSM
	tooOld chan struct{} // a follower has refused this node's newest snapshot
	fatal  func(error)
	counts *counts
	log    hclog.Logger

	took *tally.Histogram

	writing atomic.Bool
}

// run takes snapshots by the bytes that went into the log since the last one. It takes one at once when a follower
// refuses this node's newest because it has more already: while little is written, Raft would send it the same one
// again and again.
func (s *snapshots) run(ctx context.Context) {
	tick := time.NewTicker(compactPoll)
	defer tick.Stop()
	lastBytes, lastIndex := s.fsm.AppliedBytes(), s.fsm.Applied()
	var refused, failed time.Time
	for {
		atOnce := false
		select {
		case <-tick.C:
		case <-s.tooOld:
			if atOnce = time.Since(refused) > refusedEvery; atOnce {
				refused = time.Now()
			}
		case <-ctx.Done():
			return
		}
		bytes, index := s.fsm.AppliedBytes(), s.fsm.Applied()
		since := bytes - lastBytes
		if index <= lastIndex || !atOnce && since < s.enough() || time.Since(failed) < compactAgain {
			continue
		}
		if !s.take(since, index-lastIndex) {
			failed = time.Now()
			continue
		}
		lastBytes, lastIndex = bytes, index
	}
}

// enough returns how many bytes of log are worth a snapshot.
func (s *snapshots) enough() uint64 {
	place := max(0, slices.Index(s.raft.Servers().IDs(), s.raft.self))
	enough := max(compactMin, s.fsm.Size())
	return uint64(enough + enough/compactLater*int64(place))
}

// last returns where the snapshot that Raft relies on ends. Raft does not report it otherwise.
func (s *snapshots) last() (index, term uint64) {
	stats := s.raft.Stats()
	index, badIndex := strconv.ParseUint(stats["last_snapshot_index"], 10, 64)
	term, badTerm := strconv.ParseUint(stats["last_snapshot_term"], 10, 64)
	if err := errors.Join(badIndex, badTerm); err != nil {
		s.fatal(fmt.Errorf("where Raft's snapshot ends: %w", err))
	}
	return index, term
}

// take takes a snapshot now; bytes and entries are those since the last one. It reports whether there is one.
func (s *snapshots) take(bytes, entries uint64) bool {
	trailing := uint64(maxTrailing)
	if average := bytes / max(entries, 1); average > 0 {
		trailing = min(max(trailingBytes/average, minTrailing), maxTrailing)
	}
	if err := s.raft.tune(func(c *raft.ReloadableConfig) { c.TrailingLogs = trailing }); err != nil {
		s.log.Warn("cannot set how much log is kept", "error", err)
	}
	start := time.Now()
	s.writing.Store(true)
	err := s.raft.wait(s.raft.Snapshot())
	s.writing.Store(false)
	switch {
	case errors.Is(err, raft.ErrNothingNewToSnapshot), errors.Is(err, raft.ErrRaftShutdown):
	case err != nil:
		s.counts.snapshotsFailed.Add(1)
		s.log.Error("snapshot failed; the log grows until one succeeds", "error", err, "next try in", compactAgain.String())
		return false
	default:
		s.counts.snapshots.Add(1)
		s.took.Since(start)
		s.log.Info("snapshot taken", "index", s.fsm.Applied(), "took", time.Since(start).Round(time.Millisecond).String())
	}
	return true
}
