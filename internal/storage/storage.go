// Package storage owns a node's data directory: the Raft log and stable state in raft.db (BoltDB), the snapshots
// next to it, and what is written once: the node's short id and the count of its starts.
//
// It promises that what it reports as stored has been synced, and that one process at a time uses a directory. It
// deletes only snapshots that newer ones have superseded, leftovers of unfinished snapshots, entries that a
// snapshot has replaced (installed.go), and the reserve that it keeps for a full disk. A power loss at any moment
// leaves a directory that opens, with everything that was reported as stored.
package storage

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"ciderd/internal/storage/journal"
)

const (
	logFile = "raft.db"
	// lockTimeout is how long to wait for another process's lock on raft.db: a restart may overlap the end of the
	// previous process.
	lockTimeout = 5 * time.Second
	// cachedEntries is how many log entries are kept in memory for followers. A batch has up to 256 KiB (a single
	// command may have more), so this is about 16 MiB; Raft's usual 512 would be 128.
	cachedEntries = 64
	// keptSnapshots: the newest, and the previous one in case the newest turns out unreadable.
	keptSnapshots = 2
)

var (
	keyShortID     = []byte("ciderd.short-id")
	keyIncarnation = []byte("ciderd.incarnation")
)

// Storage is an open data directory.
type Storage struct {
	Logs      raft.LogStore
	Stable    raft.StableStore
	Snapshots raft.SnapshotStore
	// ShortID is drawn once for a directory: after its disk is wiped a node is a new server to Raft, so it can
	// never vote as the old one.
	ShortID string
	// Incarnation counts the process starts on this directory, from 1.
	Incarnation uint64
	// Known reports whether the directory held a log, a snapshot, or a term in which a server may have led, when it
	// was opened.
	Known bool

	path      string          // of the log's file
	layout    *journal.Layout // nil: there is no journal
	store     *checked
	snapshots *snapshots // Snapshots
}

// Open opens a data directory, which it creates (mode 0700) if there is none, and reads all of it. An error that
// wraps ErrDamaged names what is damaged and what to do. fatal is called, from any goroutine, when the process must
// end: a failed sync (a snapshot's too), a hanging write, an entry that reads back wrong.
func Open(dir string, log hclog.Logger, fatal func(error)) (*Storage, error) {
	return OpenWith(dir, 0, log, fatal)
}

// OpenWith is Open where a new journal has files of a size, in bytes, a multiple of 4,096; 0: as large as Open makes them.
// Small ones are made sooner, and are full sooner.
func OpenWith(dir string, journalSize int64, log hclog.Logger, fatal func(error)) (*Storage, error) {
	fresh := journalLayout
	if journalSize > 0 {
		fresh.Size = journalSize
	}
	s, err := open(dir, log, lockTimeout, fresh, fatal)
	return s, explain(dir, err)
}

func open(dir string, log hclog.Logger, lock time.Duration, fresh journal.Layout, fatal func(error)) (*Storage, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	// The lock comes first: what looks like the leftover of a snapshot may be one that another process is writing.
	path := filepath.Join(dir, logFile)
	var bolt *raftboltdb.BoltStore
	var layout *journal.Layout
	err := guarded(func() (err error) {
		bolt, layout, err = openBolt(dir, path, lock, fresh)
		return err
	})
	if errors.Is(err, ErrDamaged) {
		err = damage(path, err)
	}
	if err != nil {
		return nil, err
	}
	// While the directory is being read, the caller reports damage.
	store := newChecked(bolt, dir, func(error) {}, fatal)
	s := &Storage{Stable: store, store: store, path: path, layout: layout}
	if err = guarded(func() error { return s.prepare(dir, path, log) }); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if layout == nil {
		log.Warn("there is no space for a journal, so each write to the log takes longer: free some space and start again", "data_dir", dir)
	}
	if err := makePrivate(dir); err != nil {
		log.Warn("files of the data directory may be readable by others", "error", err)
	}
	store.fatal = fatal
	store.reserve.path, store.reserve.database = filepath.Join(dir, reserveFile), filepath.Join(dir, logFile)
	if err := s.KeepReserve(); err != nil {
		log.Warn("no space is kept for a full disk", "error", err)
	}
	return s, nil
}

// openBolt opens the database, and makes a journal, as fresh says, if there is none; the layout is nil if there was no space
// for one.
func openBolt(dir, path string, lock time.Duration, fresh journal.Layout) (bolt *raftboltdb.BoltStore, layout *journal.Layout, err error) {
	if err = initialize(path, lock); err == nil {
		layout, err = walk(path, lock)
	}
	if err == nil && layout == nil {
		layout, err = makeJournal(dir, path, lock, fresh)
	}
	if err == nil {
		bolt, err = newBolt(path, lock)
	}
	if errors.Is(err, bolterrors.ErrTimeout) {
		return nil, nil, fmt.Errorf("%s is in use by another process", path)
	}
	var file *fs.PathError
	var errno syscall.Errno
	if err != nil && !errors.Is(err, ErrForPerson) && !errors.As(err, &file) && !errors.As(err, &errno) { // a file that can be read but is not valid
		err = fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if err != nil {
		return nil, nil, err
	}
	return bolt, layout, nil
}

func newBolt(path string, lock time.Duration) (*raftboltdb.BoltStore, error) {
	return raftboltdb.New(raftboltdb.Options{
		Path: path,
		BoltOptions: &bbolt.Options{
			Timeout: lock, NoFreelistSync: true, FreelistType: bbolt.FreelistMapType,
		},
		MsgpackUseNewTimeFormat: true,
	})
}

func (s *Storage) prepare(dir, path string, log hclog.Logger) (err error) {
	if err := removeLeftovers(filepath.Join(dir, "snapshots"), nil); err != nil {
		return err
	}
	if s.snapshots, err = openSnapshots(dir, log, s.store.written); err != nil {
		return err
	}
	s.Snapshots = s.snapshots
	if s.layout != nil {
		covered, err := newestIndex(s.Snapshots)
		if err == nil {
			err = s.store.openJournal(s.layout, covered)
		}
		if err != nil {
			return err
		}
	}
	if err = verify(dir, s.store, s.Snapshots); err != nil {
		return err
	}
	if err = s.store.dropOld(s.Snapshots); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if s.Logs, err = raft.NewLogCache(cachedEntries, s.store); err != nil {
		return err
	}
	if err = s.ForgetBootstrap(); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if s.Known, err = s.known(); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if s.ShortID, err = s.shortID(); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if s.Incarnation, err = s.nextIncarnation(); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// NewShortID makes the directory a new server to Raft.
func (s *Storage) NewShortID() (err error) {
	s.ShortID, err = s.drawShortID()
	return err
}

func (s *Storage) shortID() (string, error) {
	id, err := s.Stable.Get(keyShortID)
	if err == nil && len(id) > 0 {
		return string(id), nil
	}
	if err != nil && !errors.Is(err, raftboltdb.ErrKeyNotFound) {
		return "", err
	}
	return s.drawShortID()
}

func (s *Storage) drawShortID() (string, error) {
	var random [5]byte
	if _, err := rand.Read(random[:]); err != nil {
		return "", err
	}
	id := hex.AppendEncode(nil, random[:])
	return string(id), s.Stable.Set(keyShortID, id)
}

func (s *Storage) nextIncarnation() (uint64, error) {
	last, err := s.Stable.GetUint64(keyIncarnation)
	if err != nil && !errors.Is(err, raftboltdb.ErrKeyNotFound) {
		return 0, err
	}
	return last + 1, s.Stable.SetUint64(keyIncarnation, last+1)
}

// Hooks connect the directory to a running node. They are called on Raft's goroutines and must return at once.
type Hooks struct {
	// HangLimit is how long one write may wait for the disk before the process ends; it is called while a write is
	// in progress. A leader whose disk hangs keeps its leadership and stops the cluster (hashicorp/raft#503, #614,
	// #666); its end lets the others elect.
	HangLimit func() time.Duration
	Leads     func() bool // this node leads
	NoSpace   func()      // a write has found no space
	// Snapshot returns index and term of the last entry of the snapshot that Raft relies on; 0, 0: none.
	Snapshot func() (index, term uint64)
}

// Serve sets the hooks, once Raft runs. From then on a vote that finds no space on the disk waits for space, where
// it failed before.
func (s *Storage) Serve(h Hooks) {
	s.store.hooks.Store(&h)
	s.store.watchdog.setLimit(h.HangLimit)
}

// WaitsForSpace reports whether Raft's vote or term waits for space on the disk. While it does, Raft cannot be
// stopped cleanly.
func (s *Storage) WaitsForSpace() bool { return s.store.waiting.Load() }

// KeepReserve reserves a little disk space again if the last reserve was used up and there is plenty of space. It
// costs nothing while the space is held.
func (s *Storage) KeepReserve() error { return s.store.reserve.keep() }

// Close syncs and closes the directory. What the journal holds is in the database then, unless that had no space.
func (s *Storage) Close() error {
	close(s.store.closed)
	var err error
	if s.store.journal != nil {
		err = s.store.journal.Close()
	}
	s.store.watchdog.close()
	closed := s.store.backend.Close()
	switch {
	case noSpace(err): // it is in the journal
		return closed
	case err != nil || closed != nil || s.store.journal == nil || s.Incarnation == 0:
		return errors.Join(err, closed)
	}
	return forgetJournal(s.path, s.Incarnation)
}
