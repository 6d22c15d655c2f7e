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
	"sync/atomic"
	"syscall"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

const tmpSuffix = ".tmp" // of the directory of a snapshot that is not finished

// neverReap has Raft's own store keep all snapshots: it removes them file by file, and what a crash or power loss
// in the middle leaves looks like a damaged snapshot.
const neverReap = math.MaxInt

// snapshots is Raft's store of snapshot files, except for what that leaves behind when a snapshot fails (on a full
// disk its files would keep the disk full), the removal of old ones, the checksum of a description (see
// described.go), and a failing disk, which Raft would ignore as one snapshot less.
type snapshots struct {
	*raft.FileSnapshotStore
	dir     string
	written func(error) error // as checked.written
	size    atomic.Int64      // of the latest one, in bytes

	mu      sync.Mutex          // writing, and the names of finished snapshots
	writing map[string]struct{} // ids of snapshots that are being written
}

// openSnapshots creates the directory of snapshots in a data directory if there is none.
func openSnapshots(dir string, log hclog.Logger, written func(error) error) (*snapshots, error) {
	files, err := raft.NewFileSnapshotStoreWithLogger(dir, neverReap, log.Named("snapshot"))
	if err != nil {
		return nil, fmt.Errorf("snapshots in %s: %w", dir, err)
	}
	s := &snapshots{
		FileSnapshotStore: files, dir: filepath.Join(dir, "snapshots"), written: written, writing: map[string]struct{}{},
	}
	_, err = s.list()
	return s, err
}

// outcome handles the outcome of an operation on a snapshot, and ends the process as that of a write to the log
// would. Running out of descriptors is not a failure of the disk, and nothing was written.
func (s *snapshots) outcome(err error) error {
	if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
		return err
	}
	return s.written(err)
}

// Create begins a snapshot.
func (s *snapshots) Create(version raft.SnapshotVersion, index, term uint64, c raft.Configuration,
	configurationIndex uint64, trans raft.Transport) (raft.SnapshotSink, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sink, err := s.FileSnapshotStore.Create(version, index, term, c, configurationIndex, trans)
	if s.outcome(err) != nil {
		s.tidy()
		return nil, err
	}
	if err := s.outcome(writeSum(filepath.Join(s.dir, sink.ID()+tmpSuffix))); err != nil {
		err = errors.Join(err, s.outcome(sink.Cancel()))
		s.tidy()
		return nil, err
	}
	s.writing[sink.ID()] = struct{}{}
	return &snapshotSink{SnapshotSink: sink, store: s}, nil
}

// Open opens a snapshot for reading, after comparing all of it with its checksums.
func (s *snapshots) Open(id string) (*raft.SnapshotMeta, io.ReadCloser, error) {
	if err := checkDescription(filepath.Join(s.dir, id)); err != nil {
		return nil, nil, err
	}
	return s.FileSnapshotStore.Open(id)
}

// ended notes that a snapshot is no longer being written.
func (s *snapshots) ended(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.writing, id)
	s.tidy()
}

// tidy removes leftovers; mu is held. What could not be removed for lack of space is tried again with the next
// snapshot.
func (s *snapshots) tidy() { _ = s.outcome(removeLeftovers(s.dir, s.writing)) }

type snapshotSink struct {
	raft.SnapshotSink
	store *snapshots
}

func (s *snapshotSink) Write(b []byte) (int, error) {
	n, err := s.SnapshotSink.Write(b)
	return n, s.store.outcome(err)
}

func (s *snapshotSink) Close() error {
	defer s.store.ended(s.ID())
	if err := s.store.outcome(s.SnapshotSink.Close()); err != nil {
		return err
	}
	_ = s.store.outcome(s.store.retire()) // tried again with the next snapshot
	return nil
}

// Cancel abandons a snapshot. The reason for it is not a failure of the disk.
func (s *snapshotSink) Cancel() error {
	defer s.store.ended(s.ID())
	return s.store.outcome(s.SnapshotSink.Cancel())
}

// retire makes leftovers of all snapshots but the newest. Two may end at once: Raft's own, and one that a leader
// sent.
func (s *snapshots) retire() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	list, err := s.list()
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

// list is List, and notes how large the latest one is.
func (s *snapshots) list() ([]*raft.SnapshotMeta, error) {
	list, err := s.List()
	if len(list) > 0 {
		s.size.Store(list[0].Size)
	}
	return list, err
}

// removeLeftovers removes unfinished and retired snapshots, except those that are being written. Their files are
// removed only once the disk has stored their new names: half a snapshot under its old name would be damage.
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
