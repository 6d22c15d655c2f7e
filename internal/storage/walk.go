package storage

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"go.etcd.io/bbolt"

	"ciderd/internal/storage/boltfile"
	"ciderd/internal/storage/journal"
)

// The buckets that raft-boltdb makes: Raft's log, and what this package's Stable holds.
const (
	logBucket  = "logs"
	confBucket = "conf"
)

// walk reads every page of the database that is in use, before it is opened for good. Then bbolt collects the free
// pages (they are not written, which makes each commit much cheaper) on its own goroutine, where a damaged page is
// a panic that cannot be caught. Opened for reading it does not collect them, so here damage shows on this
// goroutine, as an error.
//
// It returns the layout of the journal in front of the database; nil: there is none.
func walk(path string, lock time.Duration) (found *journal.Layout, err error) {
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) || err == nil && info.Size() == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if err := readThrough(path); err != nil {
		return nil, err
	}
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true, Timeout: lock})
	if err != nil {
		return nil, err
	}
	defer db.Close()
	if err := boltfile.Check(path); err != nil { // now that no other process can write
		return nil, asDamage(err)
	}
	err = db.View(func(tx *bbolt.Tx) error {
		err := tx.ForEach(func(name []byte, b *bbolt.Bucket) error {
			if string(name) != confBucket && string(name) != logBucket && string(name) != journalBucket {
				return fmt.Errorf("%w: there is a bucket %q", ErrDamaged, name)
			}
			return walkBucket(name, b)
		})
		if err != nil {
			return err
		}
		found, err = layoutOf(tx)
		return err
	})
	return found, err
}

// asDamage gives boltfile's DamageError the class ErrDamaged.
func asDamage(err error) error {
	var damage *boltfile.DamageError
	if errors.As(err, &damage) {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return err
}

// readThrough brings a file into the page cache in one sweep. bbolt's memory map is read page by page, which after
// a cold start of the machine takes minutes where this takes a second.
func readThrough(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{f}, make([]byte, 1<<20))
	return err
}

// walkBucket checks that the keys are in order and that each can be found from above, and that values which are not
// entries match their keys: one whose name has changed would look as if it were missing.
func walkBucket(name []byte, b *bbolt.Bucket) error {
	find := b.Cursor()
	var last []byte
	return b.ForEach(func(k, v []byte) error {
		found, _ := find.Seek(k)
		if last != nil && bytes.Compare(last, k) >= 0 || !bytes.Equal(found, k) {
			return fmt.Errorf("%w: bucket %q: keys out of order", ErrDamaged, name)
		}
		if _, err := valueOf(k, v); err != nil && string(name) != logBucket {
			return fmt.Errorf("bucket %q: %w", name, err)
		}
		last = append(last[:0], k...)
		return nil
	})
}
