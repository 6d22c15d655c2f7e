package storage

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"ciderd/internal/storage/journal"
	"ciderd/internal/tally"
)

// Entries go into a journal first (see package journal): a commit then waits for one sync and not for two, and for no
// copies of pages. Raft's votes and terms, and our own values, stay in the database alone.
//
// A release that does not know the journal must not use a directory in which there may be entries that only the journal
// has. Its walk refuses buckets that it does not know: so a database with a journal in front of it has a bucket of that
// name, with the layout in it. A clean stop empties the journal and removes the bucket; FlushJournal does so after a kill.
// Files of a journal without the bucket mean nothing, and are emptied when the next one is made.

const journalBucket = "journal"

var keyLayout = []byte("layout")

// journalLayout is that of new journals. Together the files hold what comes in while the database is behind.
var journalLayout = journal.Layout{Files: 4, Size: 2 << 20}

// entryLog is where Raft's entries are: the database, or a journal in front of it.
type entryLog interface {
	FirstIndex() (uint64, error)
	LastIndex() (uint64, error)
	GetLog(index uint64, l *raft.Log) error
	StoreLogs(logs []*raft.Log) error
	DeleteRange(first, last uint64) error
}

// database is the entries in BoltDB.
type database struct {
	c     *checked
	syncs *tally.Histogram // how long it took to store entries
}

func (d database) FirstIndex() (uint64, error)            { return d.c.backend.FirstIndex() }
func (d database) LastIndex() (uint64, error)             { return d.c.backend.LastIndex() }
func (d database) GetLog(index uint64, l *raft.Log) error { return d.c.backend.GetLog(index, l) }

func (d database) StoreLogs(logs []*raft.Log) error {
	return d.c.timed(d.syncs, "writing the log", func() error { return d.c.backend.StoreLogs(logs) })
}

func (d database) DeleteRange(first, last uint64) error {
	return d.c.write("truncating the log", func() error { return d.c.backend.DeleteRange(first, last) })
}

// openJournal puts the journal in front of the database, and moves what it holds. covered is the index that the newest
// snapshot ends with.
func (c *checked) openJournal(layout *journal.Layout, covered uint64) error {
	j, err := journal.Open(journal.Dir(c.dir), database{c, c.moves}, *layout, covered, c.write)
	if err != nil {
		return c.journalDamage(err)
	}
	c.log, c.journal = j, j
	if err = j.Flush(); noSpace(err) {
		return nil // the entries stay where they are
	}
	return err
}

// layoutOf reads the layout of the journal in front of a database; nil: there is none.
func layoutOf(tx *bbolt.Tx) (*journal.Layout, error) {
	b := tx.Bucket([]byte(journalBucket))
	if b == nil {
		return nil, nil
	}
	text, err := valueOf(keyLayout, b.Get(keyLayout))
	if err != nil {
		return nil, err
	}
	layout := &journal.Layout{}
	if n, err := fmt.Sscanf(string(text), "1 %d %d", &layout.Files, &layout.Size); err != nil || n != 2 {
		return nil, ForPerson(fmt.Sprintf("a newer release of ciderd has made the journal (%q): start that, or a newer one", text))
	}
	return layout, nil
}

// makeJournal makes an empty journal for a database that has none. The database's lock is held meanwhile: so no other
// process can have one.
//
// It returns nil if there is no space for one.
func makeJournal(dir, path string, lock time.Duration, fresh journal.Layout) (layout *journal.Layout, err error) {
	err = withDatabase(path, lock, func(tx *bbolt.Tx) error {
		if layout, err = layoutOf(tx); err != nil || layout != nil {
			return err // another process has just made it, and ended
		}
		if err := journal.Create(journal.Dir(dir), fresh); err != nil {
			return err
		}
		b, err := tx.CreateBucket([]byte(journalBucket))
		if err != nil {
			return err
		}
		return b.Put(keyLayout, summed(keyLayout, fmt.Appendf(nil, "1 %d %d", fresh.Files, fresh.Size)))
	})
	switch {
	case noSpace(err):
		return nil, nil
	case err != nil:
		return nil, err
	case layout == nil:
		layout = &fresh
	}
	return layout, nil
}

// forgetJournal removes the bucket of a journal that the process of an incarnation has emptied. It does nothing if another
// process has used the directory since: that may have put entries into the journal.
func forgetJournal(path string, incarnation uint64) error {
	err := withDatabase(path, 0, func(tx *bbolt.Tx) error {
		conf := tx.Bucket([]byte(confBucket))
		if conf == nil || !bytes.Equal(conf.Get(keyIncarnation), summed(keyIncarnation, binary.LittleEndian.AppendUint64(nil, incarnation))) {
			return errNotOurs
		}
		if tx.Bucket([]byte(journalBucket)) == nil {
			return nil
		}
		return tx.DeleteBucket([]byte(journalBucket))
	})
	if errors.Is(err, errNotOurs) || errors.Is(err, bolterrors.ErrTimeout) || noSpace(err) {
		return nil // the next clean stop does it
	}
	return err
}

var errNotOurs = errors.New("another process has used the directory")

// withDatabase runs a transaction in a database that is not open. A lock of 0 is what bbolt makes of it: one try.
func withDatabase(path string, lock time.Duration, transaction func(*bbolt.Tx) error) error {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{
		Timeout: max(lock, time.Millisecond), NoFreelistSync: true, FreelistType: bbolt.FreelistMapType,
	})
	if err != nil {
		return err
	}
	return errors.Join(db.Update(transaction), db.Close())
}

// readLog is the entries of a directory that is only read.
type readLog struct {
	entryLog
	extra []*raft.Log // that only the journal has
}

func (r readLog) FirstIndex() (uint64, error) {
	first, err := r.entryLog.FirstIndex()
	if err == nil && first == 0 && len(r.extra) > 0 {
		first = r.extra[0].Index
	}
	return first, err
}

func (r readLog) LastIndex() (uint64, error) {
	if n := len(r.extra); n > 0 {
		return r.extra[n-1].Index, nil
	}
	return r.entryLog.LastIndex()
}

func (r readLog) GetLog(index uint64, l *raft.Log) error {
	if len(r.extra) > 0 && index >= r.extra[0].Index && index <= r.extra[len(r.extra)-1].Index {
		*l = *r.extra[index-r.extra[0].Index]
		return nil
	}
	return r.entryLog.GetLog(index, l)
}

// lookAtJournal has what is read include what only the journal has.
func (c *checked) lookAtJournal(layout *journal.Layout, covered uint64) error {
	extra, err := journal.Read(journal.Dir(c.dir), c.log, *layout, covered)
	c.log = readLog{c.log, extra}
	return c.journalDamage(err)
}

// journalDamage gives the journal's damage the class ErrDamaged, and says which file to look at.
func (c *checked) journalDamage(err error) error {
	var d *journal.Damage
	if !errors.As(err, &d) {
		return err
	}
	return damage(filepath.Join(c.dir, d.File), err)
}

// Flushed is what FlushJournal has done.
type Flushed struct {
	Journal bool // there was one
	Entries int  // that only it had
}

// FlushJournal moves what the journal of a directory holds into the database and takes the journal out of use, so that
// releases that know none can open the directory. No process may use it. A start makes a new journal.
func FlushJournal(dir string, log hclog.Logger) (f Flushed, err error) {
	defer func() { err = explain(dir, err) }()
	s, err := Look(dir, log)
	if err != nil {
		return f, err
	}
	incarnation, err := s.Stable.GetUint64(keyIncarnation)
	if r, ok := s.store.log.(readLog); ok {
		f.Journal, f.Entries = true, len(r.extra)
	}
	covered, err2 := newestIndex(s.Snapshots)
	if err = errors.Join(err, err2, s.Close()); err != nil || !f.Journal {
		return f, err
	}
	path := filepath.Join(dir, logFile)
	bolt, err := newBolt(path, lookLock)
	if err != nil {
		return f, err
	}
	var failed error // what would end a node
	s = &Storage{store: newChecked(bolt, dir, func(err error) { failed = err }, func(error) {}), path: path, layout: s.layout}
	if err = s.store.openJournal(s.layout, covered); err == nil {
		s.Incarnation = incarnation
	}
	return f, errors.Join(err, s.Close(), failed)
}
