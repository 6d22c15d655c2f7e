package storage

import (
	"bytes"
	"errors"
	"fmt"
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
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true, Timeout: lock})
	if err != nil {
		return err
	}
	defer db.Close()
	return db.View(func(tx *bbolt.Tx) error {
		return tx.ForEach(walkBucket)
	})
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
