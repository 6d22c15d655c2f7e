package storage

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
)

const (
	// reserveFile holds reserveSize bytes of the disk. What finds a full disk gets them: the entry that
	// closes the state, deletions, a vote. They are taken back when the disk has reserveBack bytes free.
	reserveFile = "reserve"
	reserveSize = 4 << 20
	reserveBack = 4 * reserveSize
)

// reserve is room on the disk for when somebody else has filled it at once, and there was no time to
// foresee it. What is released goes to the database's file at once, so that whoever took the rest of the
// disk cannot take it too.
type reserve struct {
	path     string // empty: there is none, and never will be
	database string

	mu   sync.Mutex // held
	held bool
}

// keep makes the reserve if there is none and the disk has plenty of room.
func (r *reserve) keep() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.held || r.path == "" {
		return nil
	}
	if info, err := os.Stat(r.path); err == nil && info.Size() == reserveSize {
		r.held = true // of the process before this one
		return nil
	}
	free, err := FreeSpace(filepath.Dir(r.path))
	if err != nil || free < reserveBack {
		return err
	}
	if err := allocate(r.path, reserveSize); err != nil {
		return errors.Join(err, os.Remove(r.path))
	}
	r.held = true
	return nil
}

// allocate makes a file of size bytes that are really there.
func allocate(path string, size int64) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	err = fallocate(f, 0, 0, size)
	if errors.Is(err, syscall.EOPNOTSUPP) {
		_, err = f.Write(make([]byte, size))
	}
	return errors.Join(err, f.Close())
}

// release gives the reserve's room to the database; false: there was none.
func (r *reserve) release() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.held {
		return false
	}
	r.held = false
	if os.Remove(r.path) != nil {
		return false
	}
	// A file system that cannot do this has given the room to everybody: the next write may still find it.
	_ = extend(r.database, reserveSize)
	return true
}

// extend takes up to size bytes of the disk for what a database will write behind its last page, in
// steps, as the disk may have less than all of it: bbolt makes its file long without taking room for it.
func extend(path string, size int64) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // nothing was written
	m, err := checkMetas(f)
	if err != nil {
		return err
	}
	const step = 64 << 10
	for at := int64(m.pages()) * int64(m.pageSize()); size > 0 && err == nil; at, size = at+step, size-step {
		err = fallocate(f, keepSize, at, step) // its length is bbolt's business
	}
	return err
}

// noRoom tells whether a write (not a sync), or the making or renaming of a file, found no room: it changed
// nothing.
func noRoom(err error) bool {
	if !errors.Is(err, syscall.ENOSPC) && !errors.Is(err, syscall.EDQUOT) {
		return false
	}
	var file *fs.PathError
	var rename *os.LinkError
	return errors.As(err, &file) && file.Op != "sync" || errors.As(err, &rename)
}
