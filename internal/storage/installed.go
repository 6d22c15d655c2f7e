package storage

import (
	"errors"
	"fmt"
	"math"

	"github.com/hashicorp/raft"
)

// What a snapshot takes the place of. Raft would keep the old log below one that it was sent, up to
// TrailingLogs of it: entries that were never committed too, which a node that leads later sends to
// whoever lags as if they had been. So what the snapshot does not confirm, by an entry of its own index
// and term, goes; and behind it the log goes on as if the snapshot's last entry were there.

// boundary is the type of the entry that stands for a snapshot's last one. It has no data and is good
// for nothing but the comparison of its term: it is never stored, and Raft would not apply it.
const boundary raft.LogType = math.MaxUint8

var errBoundary = errors.New("an entry that only stands for the end of a snapshot")

// snapshot is the last entry of the snapshot that Raft relies on; 0, 0 as long as it has none, or does
// not run.
func (c *checked) snapshot() (index, term uint64) {
	if h := c.hooks.Load(); h != nil && h.Snapshot != nil {
		return h.Snapshot()
	}
	return 0, 0
}

// IsMonotonic tells Raft to remove the log below a snapshot that it was sent. DeleteRange sees to it
// that what is behind the snapshot stays: it may have been acknowledged.
func (c *checked) IsMonotonic() bool {
	index, _ := c.snapshot()
	return index > 0
}

// standIn makes l the last entry of Raft's snapshot if that is what index asks for. A leader that begins
// behind this snapshot has to find out that its log fits; refused there, it would go back to a snapshot
// of its own, which may be older than what is here, and which is refused as well. Followers only: a
// leader would send it.
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

// holds tells whether the log has the entry that a snapshot ends with, and so all that it has before it.
func (c *checked) holds(index, term uint64) (bool, error) {
	var l raft.Log
	err := c.backend.GetLog(index, &l)
	if errors.Is(err, raft.ErrLogNotFound) {
		return false, nil
	}
	return err == nil && l.Term == term, err
}

// cutFront removes entries that the snapshot (end, term) covers, and none behind it.
func (c *checked) cutFront(first, last, end, term uint64) error {
	same, err := c.holds(end, term)
	if err != nil {
		return err
	}
	logEnd, err := c.LastIndex()
	if err != nil {
		return err
	}
	err = c.cutSlices(first, min(last, end))
	switch {
	case same:
	case err != nil: // Raft goes on
		c.fatal(fmt.Errorf("cannot remove entries that a snapshot took the place of: %w", err))
	case logEnd == end:
		// Raft goes by the term of the entry that was there, until it is started anew.
		c.fatal(fmt.Errorf("the last entry, %d, was another one than that of the snapshot; a new start puts it right", end))
	}
	return err
}

// dropOld finishes what an end of the process left undone: the removal of the log that does not belong
// to the newest snapshot. Nothing is lost: what was committed up to there is in it, and a majority that
// this node was not part of had its last entry.
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
	return c.cutSlices(first, list[0].Index)
}
