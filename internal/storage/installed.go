package storage

import (
	"errors"
	"fmt"
	"math"

	"github.com/hashicorp/raft"
)

// What a snapshot replaces. Raft would keep the old log before a snapshot that it was sent, up to TrailingLogs of
// it. That includes entries that were never committed, and a node that leads later would send them to every lagging
// follower as if they had been. So entries that the snapshot does not confirm, by an entry of its own index and
// term, are removed; after it the log continues as if the snapshot's last entry were there.

// boundary is the type of the entry that stands for a snapshot's last one. It has no data and serves only to
// compare its term: it is never stored, and Raft would not apply it.
const boundary raft.LogType = math.MaxUint8

var errBoundary = errors.New("an entry that only stands for the end of a snapshot")

// snapshot returns the last entry of the snapshot that Raft relies on; 0, 0 while it has none or does not run.
func (c *checked) snapshot() (index, term uint64) {
	if h := c.hooks.Load(); h != nil && h.Snapshot != nil {
		return h.Snapshot()
	}
	return 0, 0
}

// IsMonotonic tells Raft to remove the log before a snapshot that it was sent. DeleteRange keeps the entries after
// the snapshot: they may have been acknowledged.
func (c *checked) IsMonotonic() bool {
	index, _ := c.snapshot()
	return index > 0
}

// standIn makes l the last entry of Raft's snapshot if index asks for it. A leader that continues after this
// snapshot must find out that its log fits. If it were refused there, it would fall back to its own snapshot, which
// may be older than this one, and is refused as well. Followers only: a leader would send the entry.
func (c *checked) standIn(index uint64, l *raft.Log) bool {
	end, term := c.snapshot()
	if index != end || index < 2 || c.hooks.Load().Leads() {
		return false
	}
	if first, err := c.FirstIndex(); err != nil || first > 0 && first <= end {
		return false // what is left of an old log might be sent together with it
	}
	*l = raft.Log{Index: index, Term: term, Type: boundary}
	return true
}

// holds reports whether the log has the entry that a snapshot ends with, and so everything before it.
func (c *checked) holds(index, term uint64) (bool, error) {
	var l raft.Log
	err := c.log.GetLog(index, &l)
	if errors.Is(err, raft.ErrLogNotFound) {
		return false, nil
	}
	return err == nil && l.Term == term, err
}

// truncatePrefix removes entries that the snapshot (end, term) covers, and none after it.
func (c *checked) truncatePrefix(first, last, end, term uint64) error {
	same, err := c.holds(end, term)
	if err != nil {
		return err
	}
	logEnd, err := c.LastIndex()
	if err != nil {
		return err
	}
	err = c.deleteInSlices(first, min(last, end))
	switch {
	case same:
	case err != nil: // Raft continues
		c.fatal(fmt.Errorf("cannot remove entries that a snapshot took the place of: %w", err))
	case logEnd == end:
		// Raft goes by the term of the entry that was there, until it is restarted.
		c.fatal(fmt.Errorf("the last entry, %d, was another one than that of the snapshot; a new start puts it right", end))
	}
	return err
}

// dropOld finishes what a crash left undone: it removes the log that does not belong to the newest snapshot.
// Nothing is lost: what was committed up to its end is in the snapshot, and a majority without this node had its
// last entry.
func (c *checked) dropOld(snapshots raft.SnapshotStore) error {
	list, err := snapshots.List()
	if err != nil || len(list) == 0 {
		return err
	}
	first, err := c.FirstIndex()
	if err != nil || first == 0 || first > list[0].Index {
		return err
	}
	if same, err := c.holds(list[0].Index, list[0].Term); err != nil || same {
		return err
	}
	return c.deleteInSlices(first, list[0].Index)
}
