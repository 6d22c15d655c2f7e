package storage

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/raft"
)

// bbolt's pages carry no checksums, so a disk that changed its mind shows only as wrong data. What
// Raft stores therefore goes in with a CRC32C of its own and is checked whenever it is read: an
// entry's in the field that raft.Log has for layers like this one, a value's behind the value.

// ErrDamaged: what was read is not what was written. It is of the class ErrForPerson.
var ErrDamaged = ForPerson("damaged")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// backend is what raft-boltdb gives us.
type backend interface {
	raft.LogStore
	raft.StableStore
	Close() error
}

// checked is a backend that checks what it reads, and ends the process where going on would be
// wrong. A disk that is full is not such a case: nothing was written, and space may come back.
type checked struct {
	backend
	watchdog *watchdog
	fatal    func(error)
	dir      string
	reserve  *reserve
	hooks    atomic.Pointer[Hooks] // nil: nobody is there yet who could wait
	closed   chan struct{}
	cut      atomic.Bool // the end of the log was cut off, and nothing has been stored since
	waiting  atomic.Bool // a vote waits for room

	stable   sync.Mutex // one value at a time; voteTerm
	voteTerm []byte     // of a vote whose candidate has not been stored yet
}

// newChecked returns one that waits for nobody and keeps no reserve.
func newChecked(b backend, dir string, fatal, hangs func(error)) *checked {
	return &checked{
		backend: b, dir: dir, fatal: fatal, watchdog: newWatchdog(hangs), reserve: &reserve{}, closed: make(chan struct{}),
	}
}

func entrySum(l *raft.Log) []byte {
	var head [17]byte
	binary.LittleEndian.PutUint64(head[:], l.Index)
	binary.LittleEndian.PutUint64(head[8:], l.Term)
	head[16] = byte(l.Type)
	sum := crc32.Update(crc32.Checksum(head[:], castagnoli), castagnoli, l.Data)
	return binary.LittleEndian.AppendUint32(nil, sum)
}

func (c *checked) GetLog(index uint64, l *raft.Log) error {
	err := c.backend.GetLog(index, l)
	if errors.Is(err, raft.ErrLogNotFound) && c.standIn(index, l) {
		return nil
	}
	if err != nil {
		return err
	}
	if l.Index != index || string(l.Extensions) != string(entrySum(l)) {
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
	entries := make([]*raft.Log, len(logs))
	for i, l := range logs {
		if l.Type == boundary {
			return errBoundary
		}
		with := *l // the original goes on to followers, without the sum
		with.Extensions = entrySum(l)
		entries[i] = &with
	}
	err := c.write("writing the log", func() error { return c.backend.StoreLogs(entries) })
	switch {
	case err != nil && c.cut.Load():
		c.fatal(fmt.Errorf("no room for what takes the place of entries that were cut off: %w", err))
	case err != nil && c.changesServers(logs):
		c.fatal(fmt.Errorf("no room for a change of the cluster's servers: %w", err))
	}
	c.cut.Store(false)
	return err
}

// changesServers tells whether this node leads, and logs hold a change of the configuration. A leader
// that cannot store one goes on as if it had (raft's appendConfigurationEntry): better to end.
func (c *checked) changesServers(logs []*raft.Log) bool {
	h := c.hooks.Load()
	return h != nil && h.Leads() && slices.ContainsFunc(logs, func(l *raft.Log) bool {
		return l.Type == raft.LogConfiguration
	})
}

// cutSlice is how many entries are cut at a time: bbolt takes one writer at a time, and what is to be
// stored should not wait for a million of small ones.
const cutSlice = 4096

func (c *checked) DeleteRange(first, last uint64) error {
	if index, term := c.snapshot(); index > 0 && first <= index {
		return c.cutFront(first, last, index, term)
	}
	end, err := c.LastIndex()
	if err != nil {
		return err
	}
	if last >= end {
		// A follower cuts off entries that others take the place of: all at once, or Raft would go on
		// with a log that has a hole. When the others find no room, Raft goes on with a wrong idea of
		// where its log ends: better to end.
		err := c.cutOff(first, last)
		c.cut.Store(err == nil)
		return err
	}
	return c.cutSlices(first, last)
}

func (c *checked) cutSlices(first, last uint64) error {
	for from := first; from <= last; from += cutSlice {
		if err := c.cutOff(from, min(last, from+cutSlice-1)); err != nil {
			return err
		}
	}
	return nil
}

func (c *checked) cutOff(first, last uint64) error {
	return c.write("cutting the log", func() error { return c.backend.DeleteRange(first, last) })
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

// valueOf takes the sum off what is stored under a key.
func valueOf(key, stored []byte) ([]byte, error) {
	n := len(stored) - crc32.Size
	if n < 0 || string(stored[n:]) != string(valueSum(key, stored[:n])) {
		return nil, fmt.Errorf("value %q: %w", key, ErrDamaged)
	}
	return stored[:n], nil
}

// write runs a write of one bbolt transaction, and once more with the reserve's room if it found none.
func (c *checked) write(what string, transaction func() error) error {
	watched := func() error {
		defer c.watchdog.begin(what)()
		return transaction()
	}
	err := watched()
	if noRoom(err) {
		if c.releaseReserve() {
			err = watched()
		}
		c.tellNoRoom()
	}
	return c.written(err)
}

func (c *checked) releaseReserve() bool {
	defer c.watchdog.begin("making room on a full disk")()
	return c.reserve.release()
}

// written passes the fate of a write on. After a failed sync nobody knows what the disk holds, and a
// second one that succeeds would not tell, so the first ends the process. A write (not a sync) that
// found no room changed nothing.
func (c *checked) written(err error) error {
	if err != nil && !noRoom(err) {
		c.fatal(fmt.Errorf("the disk failed: %w", err))
	}
	return err
}

func (c *checked) tellNoRoom() {
	if h := c.hooks.Load(); h != nil {
		h.NoRoom()
	}
}
