package storage

import (
	"os"
	"time"

	"ciderd/internal/tally"
)

// Stats is what the disk has done since the directory was opened, and what lies on it.
type Stats struct {
	Writes    uint64             // that Raft waited for, to the journal or the database, synced or failed
	WriteTime time.Duration      // total time of all of them
	Sync      tally.Distribution `json:"-"` // of the same: nanoseconds
	Moves     tally.Distribution `json:"-"` // transactions that put entries into the database, behind the journal: nanoseconds

	Log      int64 // bytes of the log's file; what is free in it is used again
	Journal  int64 // bytes of what only the journal has
	Snapshot int64 // bytes of the latest snapshot; 0: there is none
}

// Stats returns the current numbers. It waits for no disk: what the log's file is like the kernel knows, as it is open.
func (s *Storage) Stats() Stats {
	st := Stats{Sync: s.store.syncs.Read(), Snapshot: s.snapshots.size.Load()}
	st.Writes, st.WriteTime = st.Sync.Count(), time.Duration(st.Sync.Sum)
	st.Moves = s.store.moves.Read()
	if s.store.journal != nil {
		st.Journal = s.store.journal.Stats().Bytes
	}
	if info, err := os.Stat(s.path); err == nil {
		st.Log = info.Size()
	}
	return st
}
