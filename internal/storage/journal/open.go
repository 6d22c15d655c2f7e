package journal

import (
	"cmp"
	"errors"
	"io/fs"
	"slices"
	"time"

	"github.com/hashicorp/raft"
)

// freshSuffix marks a file that is being made.
const freshSuffix = ".new"

// Create makes an empty journal, or makes one that is there empty. No process may use it. It returns once all is synced;
// on an error there may be some of its files.
func Create(dir FS, layout Layout) error {
	for n := range layout.Files {
		f := &file{layout: layout, number: n}
		if err := f.create(dir); err != nil {
			return err
		}
	}
	return dir.Sync()
}

// create makes a file of zeros with a header.
func (f *file) create(dir FS) error {
	name := fileName(f.number)
	if there, err := dir.Open(name); err == nil {
		f.File = there
		size, err := there.Size()
		if err == nil && size == f.layout.Size {
			return errors.Join(f.renew(0), there.Close())
		}
		_ = there.Close() // another one takes its place
	}
	fresh, err := dir.Create(name + freshSuffix)
	if err != nil {
		return err
	}
	f.File = fresh
	const step = 256 << 10
	zeros := make([]byte, step)
	for at := int64(0); at < f.layout.Size && err == nil; at += step {
		_, err = fresh.WriteAt(zeros[:min(step, f.layout.Size-at)], at)
	}
	if err == nil {
		err = f.renew(0)
	}
	if err = errors.Join(err, fresh.Close()); err != nil {
		return err
	}
	return dir.Rename(name+freshSuffix, name)
}

// Open opens a journal. covered is the index up to where a snapshot has taken the place of the log; 0: there is none. disk is
// as Disk says. What the journal holds beyond the store's end is part of the log at once, and moved as what is appended: see
// Flush.
func Open(dir FS, store Store, layout Layout, covered uint64, disk Disk) (*Journal, error) {
	return open(dir, store, layout, covered, disk, moveMost)
}

func open(dir FS, store Store, layout Layout, covered uint64, disk Disk, most int64) (*Journal, error) {
	files, logs, err := read(dir, store, layout, covered)
	if err != nil {
		return nil, err
	}
	j := &Journal{store: store, disk: disk, layout: layout, most: most, waiting: logs}
	for _, l := range logs {
		j.bytes += recordSize(l)
	}
	for _, f := range files {
		if f.last == 0 {
			j.free = append(j.free, f)
		} else {
			j.files = append(j.files, f)
		}
	}
	slices.SortFunc(j.files, func(a, b *file) int { return cmp.Compare(a.last, b.last) })
	if j.last, err = store.LastIndex(); err != nil {
		return nil, errors.Join(err, closeAll(files))
	}
	if n := len(logs); n > 0 {
		j.last, j.since = logs[n-1].Index, time.Now()
	}
	j.startMover()
	return j, nil
}

func closeAll(files []*file) (err error) {
	for _, f := range files {
		err = errors.Join(err, f.Close())
	}
	return err
}

// Read returns the entries that a journal holds beyond the store's end. It changes nothing. covered is as in Open.
func Read(dir FS, store Store, layout Layout, covered uint64) ([]*raft.Log, error) {
	files, logs, err := read(dir, store, layout, covered)
	return logs, errors.Join(err, closeAll(files))
}

// read opens all files, and returns the entries that they hold beyond the store's end.
func read(dir FS, store Store, layout Layout, covered uint64) (files []*file, logs []*raft.Log, err error) {
	defer func() {
		if err != nil {
			err, files = errors.Join(err, closeAll(files)), nil
		}
	}()
	last, err := store.LastIndex()
	if err != nil {
		return nil, nil, err
	}
	parts := map[uint64][]*raft.Log{} // by their first index
	for n := range layout.Files {
		f := &file{layout: layout, number: n}
		f.File, err = dir.Open(fileName(n))
		if errors.Is(err, fs.ErrNotExist) {
			err = damaged(fileName(n), "it is missing")
		}
		if err != nil {
			return files, nil, err
		}
		files = append(files, f)
		part, err := f.read()
		if err != nil {
			return files, nil, err
		}
		if f.reached > last && f.reached > covered {
			return files, nil, damaged("", "the log in the database ends at %d, and had reached %d when %s was emptied", last, f.reached, fileName(n))
		}
		if part, err = beyond(store, part, last); err != nil {
			return files, nil, err
		}
		if len(part) > 0 {
			if parts[part[0].Index] != nil {
				return files, nil, damaged(fileName(n), "entry %d is in another file too", part[0].Index)
			}
			parts[part[0].Index] = part
		}
	}
	logs, err = join(parts, last)
	return files, logs, err
}

// beyond leaves out the entries up to last, which the store has as well, if they are the same.
func beyond(store Store, logs []*raft.Log, last uint64) ([]*raft.Log, error) {
	for len(logs) > 0 && logs[0].Index <= last {
		var stored raft.Log
		err := store.GetLog(logs[0].Index, &stored)
		switch {
		case errors.Is(err, raft.ErrLogNotFound): // it was deleted, from the beginning of the log
		case err != nil:
			return nil, err
		case stored.Term != logs[0].Term:
			return nil, damaged("", "entry %d is of term %d in the journal, and of term %d in the database", logs[0].Index, logs[0].Term, stored.Term)
		}
		logs = logs[1:]
	}
	return logs, nil
}

// join puts the parts behind each other. Together they must continue the store.
func join(parts map[uint64][]*raft.Log, last uint64) (logs []*raft.Log, err error) {
	for next := last + 1; len(parts) > 0; {
		part := parts[next]
		if part == nil {
			return nil, damaged("", "entry %d is neither in the journal nor in the database", next)
		}
		delete(parts, next)
		for _, l := range part {
			if l.Index != next {
				return nil, damaged("", "entry %d is neither in the journal nor in the database", next)
			}
			next++
		}
		logs = append(logs, part...)
	}
	return logs, nil
}
