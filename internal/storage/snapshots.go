package storage

import (
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/hashicorp/raft"
)

const tmpSuffix = ".tmp" // of the directory of a snapshot that is not finished

// snapshots is Raft's store of snapshot files, but for what that leaves behind when a snapshot fails:
// on a disk that is full, what was written of it would keep the disk full.
type snapshots struct {
	*raft.FileSnapshotStore
	dir string

	mu      sync.Mutex          // writing
	writing map[string]struct{} // ids of snapshots that are being written
}

// Create begins a snapshot.
func (s *snapshots) Create(version raft.SnapshotVersion, index, term uint64, c raft.Configuration,
	configurationIndex uint64, trans raft.Transport) (raft.SnapshotSink, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sink, err := s.FileSnapshotStore.Create(version, index, term, c, configurationIndex, trans)
	if err != nil {
		_ = removeLeftovers(s.dir, s.writing) // tried again with the next one
		return nil, err
	}
	s.writing[sink.ID()] = struct{}{}
	return &snapshotSink{SnapshotSink: sink, store: s}, nil
}

// ended is told that a snapshot is not being written any more.
func (s *snapshots) ended(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.writing, id)
	_ = removeLeftovers(s.dir, s.writing)
}

type snapshotSink struct {
	raft.SnapshotSink
	store *snapshots
}

func (s *snapshotSink) Close() error {
	defer s.store.ended(s.ID())
	return s.SnapshotSink.Close()
}

func (s *snapshotSink) Cancel() error {
	defer s.store.ended(s.ID())
	return s.SnapshotSink.Cancel()
}

// removeLeftovers removes what snapshots that were not finished left behind, but for those that are
// being written.
func removeLeftovers(dir string, writing map[string]struct{}) error {
	names, err := filepath.Glob(filepath.Join(dir, "*"+tmpSuffix))
	if err != nil {
		return err
	}
	for _, name := range names {
		if _, now := writing[strings.TrimSuffix(filepath.Base(name), tmpSuffix)]; now {
			continue
		}
		if err := os.RemoveAll(name); err != nil {
			return err
		}
	}
	return nil
}
