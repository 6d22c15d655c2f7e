package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// freshSuffix marks a database that is being created.
const freshSuffix = ".new"

// initialize makes an empty database if there is none. It renames it into place once all of it is on the disk: one
// that a power loss left half written looks damaged, and would be refused forever.
func initialize(path string, lock time.Duration) error {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer func() { _ = dir.Close() }() // which unlocks it
	if err := lockFile(dir, lock); err != nil {
		return err
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return err // another process has just made it
	}
	fresh := path + freshSuffix
	if err := os.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	db, err := bbolt.Open(fresh, 0o600, &bbolt.Options{Timeout: lock, NoFreelistSync: true})
	if err != nil {
		return fmt.Errorf("%s: %w", fresh, err)
	}
	if err := db.Close(); err != nil {
		return err
	}
	return errors.Join(os.Rename(fresh, path), dir.Sync())
}

// lockFile waits up to limit for the lock of a file or directory.
func lockFile(f *os.File, limit time.Duration) error {
	for deadline := time.Now().Add(limit); ; time.Sleep(10 * time.Millisecond) {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case err == nil:
			return nil
		case !errors.Is(err, syscall.EWOULDBLOCK):
			return &fs.PathError{Op: "flock", Path: f.Name(), Err: err}
		case time.Now().After(deadline):
			return bolterrors.ErrTimeout
		}
	}
}
