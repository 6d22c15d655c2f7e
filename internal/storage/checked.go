package storage

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"ciderd/internal/storage/journal"
	"ciderd/internal/tally"
)

// bbolt's pages carry no checksums, so a disk that returns other bytes than were written shows only as wrong data.
// So what Raft stores gets its own CRC32C, which is checked at each read: an entry's in the field that raft.Log has
// for layers like this one, a value's after the value.

// ErrDamaged: what was read is not what was written. It is of the class ErrForPerson.
var ErrDamaged = ForPerson("damaged")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// backend is what raft-boltdb provides.
type backend interface {
	raft.LogStore
	raft.StableStore
	Close() error
}

// checked is a backend that checks what it reads, and ends the process where continuing would be wrong. A full disk
// is not such a case: nothing was written, and space may come back.
type checked struct {
	backend
	watchdog  *watchdog
	fatal     func(error)
	dir       string
	reserve   *reserve
	hooks     atomic.Pointer[Hooks] // nil: Raft does not run yet
	closed    chan struct{}
	truncated atomic.Bool // the end of the log was truncated, and nothing has been stored since
	waiting   atomic.Bool // a vote waits for space

	stable   sync.Mutex // one value at a time; voteTerm
	voteTerm []byte     // of a vote whose candidate has not been stored yet

	log     entryLog
	journal *journal.Journal // that log is; nil: it is the database

	syncs *tally.Histogram // how long writes took that Raft waited for
	moves *tally.Histogram // how long it took to put entries into the database, where there is a journal before it
}

// newChecked returns a checked that never waits and keeps no reserve.
func newChecked(b backend, dir string, fatal, hangs func(error)) *checked {
	c := &checked{
		backend: b, dir: dir, fatal: fatal, watchdog: newWatchdog(hangs), reserve: &reserve{}, closed: make(chan struct{}),
		syncs: tally.NewHistogram(tally.Latencies), moves: tally.NewHistogram(tally.Latencies),
	}
	c.log = database{c, c.syncs}
	return c
}

func (c *checked) FirstIndex() (uint64, error) { return c.log.FirstIndex() }
func (c *checked) LastIndex() (uint64, error)  { return c.log.LastIndex() }

// summedEntry is an entry with its stored checksum.
type summedEntry struct {
	log  raft.Log
	sum  [4]byte
	head [17]byte // for entrySum
}

// entrySum uses head, which would be allocated anew for each entry if it were its own.
func entrySum(l *raft.Log, head *[17]byte) (encoded [4]byte) {
	binary.LittleEndian.PutUint64(head[:], l.Index)
	binary.LittleEndian.PutUint64(head[8:], l.Term)
	head[16] = byte(l.Type)
	sum := crc32.Update(crc32.Checksum(head[:], castagnoli), castagnoli, l.Data)
	binary.LittleEndian.PutUint32(encoded[:], sum)
	return encoded
}

// hasSum reports whether an entry was read with its right checksum.
func hasSum(l *raft.Log) bool {
	sum := entrySum(l, new([17]byte))
	return bytes.Equal(l.Extensions, sum[:])
}

func (c *checked) GetLog(index uint64, l *raft.Log) error {
	err := c.log.GetLog(index, l)
	if errors.Is(err, raft.ErrLogNotFound) && c.standIn(index, l) {
		return nil
	}
	if err != nil {
		return err
	}
	if l.Index != index || !hasSum(l) {
		err := fmt.Errorf("entry %d of the log: %w", index, ErrDamaged)
		c.fatal(err)
		return err
	}
	l.Extensions = nil
	return nil
}

func (c *checked) StoreLog(l *raft.Log) error { return c.StoreLogs([]*raft.Log{l}) }

// StoreLogs returns once the entries are synced.
func (c *checked) StoreLogs(logs []*raft.Log) error {
	// The originals are sent to followers, without the checksums.
	copies, entries := make([]summedEntry, len(logs)), make([]*raft.Log, len(logs))
	for i, l := range logs {
		if l.Type == boundary {
			return errBoundary
		}
		c := &copies[i]
		c.sum = entrySum(l, &c.head)
		c.log = *l
		c.log.Extensions = c.sum[:]
		entries[i] = &c.log
	}
	err := c.log.StoreLogs(entries)
	switch {
	case err != nil && c.truncated.Load():
		c.fatal(fmt.Errorf("no space for what takes the place of entries that were truncated: %w", err))
	case err != nil && c.changesServers(logs):
		c.fatal(fmt.Errorf("no space for a change of the cluster's servers: %w", err))
	}
	c.truncated.Store(false)
	return err
}

// changesServers reports whether this node leads and logs hold a change of the configuration. A leader that cannot
// store one continues as if it had (raft's appendConfigurationEntry): it is better to end.
func (c *checked) changesServers(logs []*raft.Log) bool {
	h := c.hooks.Load()
	return h != nil && h.Leads() && slices.ContainsFunc(logs, func(l *raft.Log) bool {
		return l.Type == raft.LogConfiguration
	})
}

// deleteSlice is how many entries are deleted at a time: bbolt allows one writer at a time, and entries that are to
// be stored should not wait for a million small deletions.
const deleteSlice = 4096

func (c *checked) DeleteRange(first, last uint64) error {
	if index, term := c.snapshot(); index > 0 && first <= index {
		return c.truncatePrefix(first, last, index, term)
	}
	end, err := c.LastIndex()
	if err != nil {
		return err
	}
	if last >= end {
		// A follower truncates entries that others replace: all at once, or Raft would continue with a hole in the
		// log. If there is no space for the others, Raft continues with a wrong idea of where its log ends: it is
		// better to end.
		err := c.log.DeleteRange(first, last)
		c.truncated.Store(err == nil)
		return err
	}
	return c.deleteInSlices(first, last)
}

func (c *checked) deleteInSlices(first, last uint64) error {
	for from := first; from <= last; from += deleteSlice {
		if err := c.log.DeleteRange(from, min(last, from+deleteSlice-1)); err != nil {
			return err
		}
	}
	return nil
}

func valueSum(key, value []byte) []byte {
	sum := crc32.Update(crc32.Checksum(key, castagnoli), castagnoli, value)
	return binary.LittleEndian.AppendUint32(nil, sum)
}

func summed(key, value []byte) []byte {
	return append(append([]byte(nil), value...), valueSum(key, value)...)
}

func (c *checked) Get(key []byte) ([]byte, error) {
	stored, err := c.backend.Get(key)
	if err != nil {
		return nil, err
	}
	value, err := valueOf(key, stored)
	if err != nil {
		c.fatal(err)
	}
	return value, err
}

// valueOf removes the checksum from what is stored under a key.
func valueOf(key, stored []byte) ([]byte, error) {
	n := len(stored) - crc32.Size
	if n < 0 || string(stored[n:]) != string(valueSum(key, stored[:n])) {
		return nil, fmt.Errorf("value %q: %w", key, ErrDamaged)
	}
	return stored[:n], nil
}

// write is a write to the disk that Raft waits for: a transaction, or to the journal.
func (c *checked) write(what string, transaction func() error) error {
	return c.timed(c.syncs, what, transaction)
}

// timed runs a write, and repeats it with the reserve's space if there was no space.
func (c *checked) timed(took *tally.Histogram, what string, transaction func() error) error {
	watched := func() error {
		defer c.watchdog.end(c.watchdog.begin(what))
		defer took.Since(time.Now())
		return transaction()
	}
	err := watched()
	if noSpace(err) {
		if c.releaseReserve() {
			err = watched()
		}
		c.tellNoSpace()
	}
	return c.written(err)
}

func (c *checked) releaseReserve() bool {
	defer c.watchdog.end(c.watchdog.begin("making space on a full disk"))
	return c.reserve.release()
}

// written handles the outcome of a write. After a failed sync it is unknown what the disk holds, and a second sync
// that succeeds would not tell, so the first failure ends the process. A write (not a sync) that found no space
// changed nothing.
func (c *checked) written(err error) error {
	if err != nil && !noSpace(err) {
		c.fatal(fmt.Errorf("the disk failed: %w", err))
	}
	return err
}

func (c *checked) tellNoSpace() {
	if h := c.hooks.Load(); h != nil {
		h.NoSpace()
	}
}
