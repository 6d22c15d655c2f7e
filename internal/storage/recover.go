package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/hashicorp/go-hclog"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"ciderd/internal/storage/journal"
)

// lookLock is how long Look waits for another process: a running daemon keeps its lock.
const lookLock = time.Second

// Look opens a data directory for reading. It changes nothing, and its Storage must only be read. It fails if there
// is none, or a process uses it.
func Look(dir string, log hclog.Logger) (*Storage, error) {
	path := filepath.Join(dir, logFile)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no node's data in %s (no %s)", dir, logFile)
	}
	var bolt *raftboltdb.BoltStore
	var layout *journal.Layout
	err := guarded(func() (err error) {
		if layout, err = walk(path, lookLock); err != nil {
			return err
		}
		bolt, err = raftboltdb.New(raftboltdb.Options{
			Path:        path,
			BoltOptions: &bbolt.Options{Timeout: lookLock, ReadOnly: true, FreelistType: bbolt.FreelistMapType},
		})
		return err
	})
	if errors.Is(err, bolterrors.ErrTimeout) {
		return nil, fmt.Errorf("%s is in use by another process", path)
	}
	if errors.Is(err, ErrDamaged) {
		return nil, damage(path, err)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	store := newChecked(bolt, dir, func(error) {}, func(error) {})
	s := &Storage{Stable: store, Logs: store, store: store, layout: layout}
	if err := guarded(func() error { return s.look(dir, log) }); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Storage) look(dir string, log hclog.Logger) (err error) {
	if s.Snapshots, err = openSnapshots(dir, log, s.store.written); err != nil {
		return err
	}
	if s.layout != nil {
		covered, err := newestIndex(s.Snapshots)
		if err == nil {
			err = s.store.lookAtJournal(s.layout, covered)
		}
		if err != nil {
			return err
		}
	}
	if err = verify(dir, s.store, s.Snapshots); err != nil {
		return err
	}
	if s.Known, err = s.known(); err != nil {
		return err
	}
	id, err := s.Stable.Get(keyShortID)
	s.ShortID = string(id)
	return err
}
