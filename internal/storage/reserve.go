package storage

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"ciderd/internal/storage/boltfile"
)

const (
	// reserveFile holds reserveSize bytes of the disk. A write that finds the disk full gets them: the entry that
	// closes the state, deletions, a vote. They are reserved again when the disk has reserveBack bytes free.
	reserveFile = "reserve"
	reserveSize = 4 << 20
	reserveBack = 4 * reserveSize
)

// reserve is disk space for when something else suddenly fills the disk. What is released is given to the
// database's file at once, so that the other writer cannot take it too.
type reserve struct {
	path     string // empty: no reserve
	database string

	mu   sync.Mutex // held
	held bool
}

// keep makes the reserve if there is none and the disk has plenty of space.
func (r *reserve) keep() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.held || r.path == "" {
		return nil
	}
	if info, err := os.Stat(r.path); err == nil && info.Size() == reserveSize {
		r.held = true // from the previous process
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

// allocate makes a file of size bytes that are really allocated.
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

// release gives the reserve's space to the database; false: there was none.
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
	// A file system that does not support this has returned the space to all: the next write may still find it.
	_ = extend(r.database, reserveSize)
	return true
}

// extend allocates up to size bytes for what a database will write after its last page. It goes in steps, as the
// disk may have less: bbolt lengthens its file without allocating.
func extend(path string, size int64) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // nothing was written
	used, err := boltfile.Used(f)
	if err != nil {
		return err
	}
	const step = 64 << 10
	for at := used; size > 0 && err == nil; at, size = at+step, size-step {
		err = fallocate(f, keepSize, at, step) // bbolt decides its length
	}
	return err
}

// noSpace reports whether a write (not a sync), or creating or renaming a file, found no space: it changed nothing.
func noSpace(err error) bool {
	if !errors.Is(err, syscall.ENOSPC) && !errors.Is(err, syscall.EDQUOT) {
		return false
	}
	var file *fs.PathError
	var rename *os.LinkError
	return errors.As(err, &file) && file.Op != "sync" || errors.As(err, &rename)
}
