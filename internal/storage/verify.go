package storage

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"

	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
)

// wayOut says what can be done about a damaged directory; nothing in it has been changed.
const wayOut = "nothing was changed; what to do: move the directory away and start again; the node then joins its cluster as a new one and gets everything from the others (a single node: put a backup in its place)"

// damage says what is wrong in a data directory.
func damage(path string, err error) error {
	if !errors.Is(err, ErrDamaged) {
		err = fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return fmt.Errorf("%s: %w; %s", path, err, wayOut)
}

// guarded runs f and turns what bbolt does on a damaged file (a panic, or a fault in its memory map where the file
// was truncated) into an error.
func guarded(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", ErrDamaged, r)
		}
	}()
	return f()
}

// verify reads everything in a directory before a node relies on it: every entry of the log, and the newest
// snapshot. A node with holes must not start: it could win an election and spread them to all nodes.
func verify(dir string, b *checked, snapshots raft.SnapshotStore) error {
	snapshot, err := verifySnapshots(filepath.Join(dir, "snapshots"), snapshots)
	if err != nil {
		return err
	}
	path := filepath.Join(dir, logFile)
	return guarded(func() error {
		first, err := b.FirstIndex()
		if err != nil {
			return damage(path, err)
		}
		last, err := b.LastIndex()
		if err != nil {
			return damage(path, err)
		}
		if last > 0 && first > snapshot+1 {
			return damage(path, fmt.Errorf("%w: the log begins at %d, the newest snapshot ends at %d", ErrDamaged, first, snapshot))
		}
		for index := first; last > 0 && index <= last; index++ {
			err := b.GetLog(index, &raft.Log{})
			if errors.Is(err, raft.ErrLogNotFound) && index <= snapshot {
				continue // after a snapshot was installed over a shorter log, Raft continues after it
			}
			if err != nil {
				return damage(path, err)
			}
		}
		return verifyVotes(path, b, max(last, snapshot))
	})
}

// verifyVotes checks that what Raft remembers of terms and votes is there: without it a server could vote twice. So
// must the server's own id and its count of starts be, which are stored earlier. end is the last index in the
// directory.
func verifyVotes(path string, b *checked, end uint64) error {
	has := map[string]bool{}
	for _, key := range []string{keyTerm, keyVoteTerm, keyVoteCandidate, string(keyShortID), string(keyIncarnation)} {
		_, err := b.Get([]byte(key))
		if err != nil && !errors.Is(err, raftboltdb.ErrKeyNotFound) {
			return damage(path, fmt.Errorf("%s: %w", key, err))
		}
		has[key] = err == nil
	}
	began := end > 0 || has[keyTerm]
	for key, must := range map[string]bool{
		keyTerm:                began || has[keyVoteCandidate],
		keyVoteCandidate:       has[keyVoteTerm], // the reverse can happen, see votes.go
		string(keyShortID):     began,
		string(keyIncarnation): began,
	} {
		if must && !has[key] {
			return damage(path, fmt.Errorf("%w: %s is missing", ErrDamaged, key))
		}
	}
	return nil
}

// newestIndex returns the index that the newest snapshot ends with, 0 if there is none.
func newestIndex(snapshots raft.SnapshotStore) (uint64, error) {
	list, err := snapshots.List()
	if err != nil || len(list) == 0 {
		return 0, err
	}
	return list[0].Index, nil
}

// verifySnapshots returns the index of the newest snapshot, 0 if there is none.
func verifySnapshots(dir string, store raft.SnapshotStore) (uint64, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return 0, err
	}
	finished := 0
	for _, e := range entries {
		// The store would skip one whose description it cannot read, and use an older one.
		if strings.HasSuffix(e.Name(), tmpSuffix) || !e.IsDir() {
			continue
		}
		path := filepath.Join(dir, e.Name())
		if err := checkDescription(path); err != nil {
			return 0, damage(path, err)
		}
		finished++
	}
	list, err := store.List()
	if err == nil && len(list) != finished {
		err = damage(dir, fmt.Errorf("%w: %d of %d snapshots can be read", ErrDamaged, len(list), finished))
	}
	if err != nil || finished == 0 {
		return 0, err
	}
	newest := list[0]
	_, r, err := store.Open(newest.ID) // which reads it whole and compares its checksum
	if err != nil {
		return 0, damage(filepath.Join(dir, newest.ID), err)
	}
	return newest.Index, r.Close()
}
