package storage

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"go.etcd.io/bbolt"
)

// walk reads every page of the database that holds something, before it is opened for good: bbolt
// looks for the free pages then (they are not written, which saves a good part of each commit) on a
// goroutine of its own, where a damaged page is a panic that nobody can catch. Opened for reading
// it does not, so here damage is met on this goroutine, and is an error.
func walk(path string, lock time.Duration) error {
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) || err == nil && info.Size() == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	if err := readThrough(path); err != nil {
		return err
	}
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true, Timeout: lock})
	if err != nil {
		return err
	}
	defer db.Close()
	return db.View(func(tx *bbolt.Tx) error {
		return tx.ForEach(walkBucket)
	})
}

// readThrough brings a file into the page cache in one sweep. bbolt's memory map is read a page at a
// time, which after a cold start of the machine takes minutes where this takes a second.
func readThrough(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{f}, make([]byte, 1<<20))
	return err
}

// walkBucket checks that the keys are in order and that each can be found from above.
func walkBucket(name []byte, b *bbolt.Bucket) error {
	find := b.Cursor()
	var last []byte
	return b.ForEach(func(k, _ []byte) error {
		found, _ := find.Seek(k)
		if last != nil && bytes.Compare(last, k) >= 0 || !bytes.Equal(found, k) {
			return fmt.Errorf("%w: bucket %q: keys out of order", ErrDamaged, name)
		}
		last = append(last[:0], k...)
		return nil
	})
}
