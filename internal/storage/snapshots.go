package storage

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

const tmpSuffix = ".tmp" // of the directory of a snapshot that is not finished

// neverReap is how many snapshots Raft's own store is to keep: it removes them file by file, and what a
// crash or a power loss in the middle leaves looks like a damaged snapshot.
const neverReap = math.MaxInt

// snapshots is Raft's store of snapshot files, but for what that leaves behind when a snapshot fails (on
// a disk that is full, what was written of it would keep the disk full), for the removal of old ones, and
// for the sum of a description (see described.go).
type snapshots struct {
	*raft.FileSnapshotStore
	dir string

	mu      sync.Mutex          // writing
	writing map[string]struct{} // ids of snapshots that are being written
}

// openSnapshots makes the directory of snapshots in a data directory if there is none.
func openSnapshots(dir string, log hclog.Logger) (*snapshots, error) {
	files, err := raft.NewFileSnapshotStoreWithLogger(dir, neverReap, log.Named("snapshot"))
	if err != nil {
		return nil, fmt.Errorf("snapshots in %s: %w", dir, err)
	}
	return &snapshots{
		FileSnapshotStore: files, dir: filepath.Join(dir, "snapshots"), writing: map[string]struct{}{},
	}, nil
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
	if err := writeSum(filepath.Join(s.dir, sink.ID()+tmpSuffix)); err != nil {
		err = errors.Join(err, sink.Cancel())
		_ = removeLeftovers(s.dir, s.writing)
		return nil, err
	}
	s.writing[sink.ID()] = struct{}{}
	return &snapshotSink{SnapshotSink: sink, store: s}, nil
}

// Open begins to read a snapshot, after it has compared all of it with its checksums.
func (s *snapshots) Open(id string) (*raft.SnapshotMeta, io.ReadCloser, error) {
	if err := checkDescription(filepath.Join(s.dir, id)); err != nil {
		return nil, nil, err
	}
	return s.FileSnapshotStore.Open(id)
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
	if err := s.SnapshotSink.Close(); err != nil {
		return err
	}
	_ = s.store.retire() // tried again with the next one
	return nil
}

func (s *snapshotSink) Cancel() error {
	defer s.store.ended(s.ID())
	return s.SnapshotSink.Cancel()
}

// retire makes leftovers of all snapshots but the newest.
func (s *snapshots) retire() error {
	list, err := s.List()
	if err != nil || len(list) <= keptSnapshots {
		return err
	}
	for _, old := range list[keptSnapshots:] {
		path := filepath.Join(s.dir, old.ID)
		if err := os.Rename(path, path+tmpSuffix); err != nil {
			return err
		}
	}
	return nil
}

// removeLeftovers removes what snapshots that were not finished left behind, and those that were
// retired, but for those that are being written. Nothing in them goes before a disk has their names for
// certain: half a snapshot under its old name would be damage.
func removeLeftovers(dir string, writing map[string]struct{}) error {
	names, err := filepath.Glob(filepath.Join(dir, "*"+tmpSuffix))
	if err != nil {
		return err
	}
	synced := false
	for _, name := range names {
		if _, now := writing[strings.TrimSuffix(filepath.Base(name), tmpSuffix)]; now {
			continue
		}
		if !synced {
			if err := syncPath(dir); err != nil {
				return err
			}
			synced = true
		}
		if err := os.RemoveAll(name); err != nil {
			return err
		}
	}
	return nil
}
