package journal

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// ErrDamaged: what was read is not what was written. It is a *Damage.
var ErrDamaged = errors.New("damaged")

// Damage says what is wrong, and in which file.
type Damage struct {
	File string // its name; empty: it is not one file
	what string
}

func (d *Damage) Error() string { return d.what }

// Is makes it an ErrDamaged.
func (d *Damage) Is(target error) bool { return target == ErrDamaged }

func damaged(file, format string, args ...any) error {
	return &Damage{file, fmt.Sprintf(format, args...)}
}

var errClosed = errors.New("the journal is closed")

// Disk does a piece of work on the disk, which what names, and decides what its failure means: it may try it again, or
// end the process after a failed sync. It returns the last error.
type Disk func(what string, work func() error) error

// Store is the database that entries are moved into. Its StoreLogs and DeleteRange do all or nothing, and return once
// that is synced; they are Disk's work already.
type Store interface {
	FirstIndex() (uint64, error)
	LastIndex() (uint64, error)
	GetLog(index uint64, l *raft.Log) error
	StoreLogs(logs []*raft.Log) error
	DeleteRange(first, last uint64) error
}

// Journal is a Store with a journal in front of it. Its methods may be called from any goroutine; Close only once.
type Journal struct {
	store  Store
	disk   Disk
	layout Layout
	most   int64 // bytes of records in one move

	appending sync.Mutex // one append, deletion or flush at a time; the files' ends, buf
	buf       []byte

	mu       sync.Mutex // all below
	changed  sync.Cond
	files    []*file // that have entries which were not moved, or room; the oldest first, and the last one is appended to
	free     []*file
	waiting  []*raft.Log // entries that were not moved, of consecutive indexes
	bytes    int64       // of waiting, as records
	last     uint64      // the index that the log ends with, 0: it is empty
	since    time.Time   // when the oldest of waiting came
	want     uint64      // how many rounds the mover is asked for
	rounds   uint64      // that it has done
	failure  error       // of the last round
	busy     bool        // the mover is in a round
	paused   bool        // it is not to begin one
	closing  bool
	moverRan sync.WaitGroup
}

// How much is moved, and when. Moves are large, as what one costs is mostly for itself; but a vote may have to wait for
// one, and so may what is appended, if all files are full.
const (
	moveFrom = 512 << 10 // bytes of records; fewer wait
	moveMost = 1 << 20   // bytes of records in one move
	// moveAfter is for how long entries wait at most.
	moveAfter = time.Second
	// retryAfter is how long the mover waits after a failure, unless somebody needs room.
	retryAfter = time.Second
	// bufferKept is the largest buffer that is kept.
	bufferKept = 1 << 20
)

// StoreLog stores one entry.
func (j *Journal) StoreLog(l *raft.Log) error { return j.StoreLogs([]*raft.Log{l}) }

// StoreLogs returns once the entries are synced. It keeps them, so they must not be changed. On an error none of them is
// stored.
func (j *Journal) StoreLogs(logs []*raft.Log) error {
	if len(logs) == 0 {
		return nil
	}
	j.appending.Lock()
	defer j.appending.Unlock()
	size := int64(0)
	for _, l := range logs {
		if err := checkEntry(l); err != nil {
			return err
		}
		size += recordSize(l)
	}
	if !j.continues(logs) || size > j.layout.Size-recordsAt {
		return j.storeDirectly(logs)
	}
	f, err := j.room(size)
	if err != nil {
		return err
	}
	err = j.disk("writing the log", func() (err error) {
		j.buf, err = f.append(logs, j.buf[:0])
		return err
	})
	if cap(j.buf) > bufferKept {
		j.buf = nil
	}
	if err != nil {
		return err
	}
	j.appended(f, logs, size)
	return nil
}

// continues reports whether entries are the next ones of the log, and of each other.
func (j *Journal) continues(logs []*raft.Log) bool {
	j.mu.Lock()
	next := j.last + 1
	j.mu.Unlock()
	for _, l := range logs {
		if l.Index != next {
			return false
		}
		next++
	}
	return true
}

func (j *Journal) appended(f *file, logs []*raft.Log, size int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.waiting) == 0 {
		j.since = time.Now()
	}
	before := j.bytes
	j.waiting = append(j.waiting, logs...)
	j.bytes += size
	j.last = logs[len(logs)-1].Index
	f.last = j.last
	if before == 0 || before < moveFrom && j.bytes >= moveFrom {
		j.changed.Broadcast()
	}
}

// storeDirectly puts entries into the store that do not go through the journal, after all that is in it. appending is held.
func (j *Journal) storeDirectly(logs []*raft.Log) error {
	if err := j.flush(); err != nil {
		return err
	}
	j.mu.Lock()
	overwrites := logs[0].Index <= j.last
	j.mu.Unlock()
	if overwrites { // what the journal has of them must not be compared with these
		if err := j.renewAll(logs[0].Index - 1); err != nil {
			return err
		}
	}
	if err := j.store.StoreLogs(logs); err != nil {
		return err
	}
	return j.lookAtEnd()
}

// lookAtEnd asks the store where the log ends. Nothing may be waiting.
func (j *Journal) lookAtEnd() error {
	last, err := j.store.LastIndex()
	if err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.last = last
	return nil
}

// room returns the file for an append of so many bytes. It waits for the mover if all are full. appending is held.
func (j *Journal) room(size int64) (*file, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for {
		if n := len(j.files); n > 0 && j.files[n-1].end+size <= j.layout.Size {
			return j.files[n-1], nil
		}
		if len(j.free) > 0 {
			f := j.free[0]
			j.free = j.free[1:]
			j.files = append(j.files, f)
			j.changed.Broadcast() // the one before is full, and may be moved and renewed
			return f, nil
		}
		if err := j.round(); err != nil && len(j.free) == 0 {
			return nil, err
		}
	}
}

// round asks the mover for a round, and waits for its end. mu is held, but not meanwhile.
func (j *Journal) round() error {
	j.want = max(j.want, j.rounds) + 1
	for want := j.want; j.rounds < want; {
		if j.closing {
			return errClosed
		}
		j.changed.Broadcast()
		j.changed.Wait()
	}
	return j.failure
}

// flush returns when everything is in the store, and nothing is moved or renewed. appending is held.
func (j *Journal) flush() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	for len(j.waiting) > 0 {
		if err := j.round(); err != nil {
			return err
		}
	}
	for j.busy {
		j.changed.Wait()
	}
	return nil
}

// renewAll empties all files of records. Everything is in the store, which will have reached an index at least. appending
// is held.
func (j *Journal) renewAll(reached uint64) error {
	all := j.pause()
	defer j.resume()
	for _, f := range all {
		if err := j.disk("emptying the journal", func() error { return f.renew(reached) }); err != nil {
			return err
		}
		f.last = 0
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.files, j.free = nil, all
	return nil
}

// pause keeps the mover from beginning a round, once it has ended the one that it is in, and returns all files.
func (j *Journal) pause() []*file {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.paused = true
	for j.busy {
		j.changed.Wait()
	}
	return append(append([]*file(nil), j.files...), j.free...)
}

func (j *Journal) resume() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.paused = false
	j.changed.Broadcast()
}

// FirstIndex returns the index that the log begins with, 0 if it is empty.
func (j *Journal) FirstIndex() (uint64, error) {
	first, err := j.store.FirstIndex()
	if err != nil || first > 0 {
		return first, err
	}
	j.mu.Lock()
	if len(j.waiting) > 0 {
		first = j.waiting[0].Index
	}
	j.mu.Unlock()
	if first > 0 {
		return first, nil
	}
	return j.store.FirstIndex() // they may have been moved meanwhile
}

// LastIndex returns the index that the log ends with, 0 if it is empty.
func (j *Journal) LastIndex() (uint64, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.last, nil
}

// GetLog reads an entry. Its data must not be changed.
func (j *Journal) GetLog(index uint64, l *raft.Log) error {
	if j.waits(index, l) {
		return nil
	}
	return j.store.GetLog(index, l)
}

// waits makes l the entry of an index, if that has not been moved.
func (j *Journal) waits(index uint64, l *raft.Log) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.waiting) == 0 || index < j.waiting[0].Index || index > j.last {
		return false
	}
	*l = *j.waiting[index-j.waiting[0].Index]
	return true
}

// DeleteRange deletes entries from the store, and what the journal has of them.
func (j *Journal) DeleteRange(first, last uint64) error {
	j.mu.Lock()
	moved := j.last
	if len(j.waiting) > 0 {
		moved = j.waiting[0].Index - 1
	}
	j.mu.Unlock()
	if last < moved { // what is appended and moved meanwhile comes behind it
		return j.store.DeleteRange(first, last)
	}
	// The store never becomes empty while the journal holds records: they would not continue it.
	j.appending.Lock()
	defer j.appending.Unlock()
	if err := j.flush(); err != nil {
		return err
	}
	if end, err := j.LastIndex(); err != nil || last < end {
		return errors.Join(err, j.store.DeleteRange(first, last))
	}
	return j.deleteEnd(first, last)
}

// deleteEnd deletes entries up to the log's end. Nothing waits, and appending is held.
func (j *Journal) deleteEnd(first, last uint64) error {
	begin, err := j.store.FirstIndex()
	if err != nil {
		return err
	}
	reached := uint64(0)
	if first > begin {
		reached = first - 1
	}
	if err := j.renewAll(reached); err != nil {
		return err
	}
	if err := j.store.DeleteRange(first, last); err != nil {
		return err
	}
	return j.lookAtEnd()
}

// Stats is what a journal has at a moment.
type Stats struct {
	Entries int   // that were not moved yet
	Bytes   int64 // of these, as records
	Size    int64 // bytes of all files
}

// Stats returns the current numbers.
func (j *Journal) Stats() Stats {
	j.mu.Lock()
	defer j.mu.Unlock()
	return Stats{Entries: len(j.waiting), Bytes: j.bytes, Size: int64(j.layout.Files) * j.layout.Size}
}

// Flush moves everything.
func (j *Journal) Flush() error {
	j.appending.Lock()
	defer j.appending.Unlock()
	return j.flush()
}

// Close moves everything and closes the files. If it fails the entries are in the journal, for the next Open.
func (j *Journal) Close() error {
	j.appending.Lock()
	defer j.appending.Unlock()
	err := j.flush()
	j.mu.Lock()
	j.closing = true
	j.changed.Broadcast()
	j.mu.Unlock()
	j.moverRan.Wait()
	if err = errors.Join(err, closeAll(append(j.files, j.free...))); err != nil {
		return fmt.Errorf("closing the journal: %w", err)
	}
	return nil
}
