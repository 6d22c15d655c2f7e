package storage

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/raft"
	"go.etcd.io/bbolt"
)

// killed makes a directory with n entries as a process leaves it that is killed: the last ones are in the journal.
func killed(t *testing.T, n uint64) string {
	t.Helper()
	dir := t.TempDir()
	s := mustOpen(t, dir)
	for i := uint64(1); i <= n; i++ {
		write(t, s, i)
	}
	if s.store.journal.Stats().Entries == 0 {
		t.Fatal("nothing is in the journal")
	}
	copied, err := CopyAside(dir, "killed")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(copied) })
	mustClose(t, s)
	return copied
}

// buckets lists those of a directory's database.
func buckets(t *testing.T, dir string) (names []string) {
	t.Helper()
	db, err := bbolt.Open(filepath.Join(dir, logFile), 0o600, &bbolt.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = db.View(func(tx *bbolt.Tx) error {
		return tx.ForEach(func(name []byte, _ *bbolt.Bucket) error {
			names = append(names, string(name))
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// holdsEntries wants entries 1 to n in a directory's log.
func holdsEntries(t *testing.T, s *Storage, n uint64) {
	t.Helper()
	first, err1 := s.Logs.FirstIndex()
	last, err2 := s.Logs.LastIndex()
	if err := errors.Join(err1, err2); err != nil || first != 1 || last != n {
		t.Fatalf("entries %d to %d, want 1 to %d; %v", first, last, n, err)
	}
	for i := first; i <= last; i++ {
		if err := s.Logs.GetLog(i, &raft.Log{}); err != nil {
			t.Errorf("entry %d: %v", i, err)
		}
	}
}

// TestKilledProcess: what only the journal has is there at the next start, and when the directory is only looked at.
func TestKilledProcess(t *testing.T) {
	dir := killed(t, 40)
	look, err := Look(dir, quiet())
	if err != nil {
		t.Fatal(err)
	}
	holdsEntries(t, look, 40)
	mustClose(t, look)
	s := mustOpen(t, dir)
	holdsEntries(t, s, 40)
	write(t, s, 41)
	mustClose(t, s)
	s = mustOpen(t, dir)
	holdsEntries(t, s, 41)
	mustClose(t, s)
}

// TestWayBack: a release that knows no journal refuses a database with a bucket that it does not know. It is there as long as
// the journal may hold something: not after a clean stop, nor after FlushJournal.
func TestWayBack(t *testing.T) {
	dir := killed(t, 40)
	if names := fmt.Sprint(buckets(t, dir)); names != "[conf journal logs]" {
		t.Fatalf("after a kill: %s", names)
	}
	flushed, err := FlushJournal(dir, quiet())
	if err != nil || !flushed.Journal || flushed.Entries == 0 {
		t.Fatalf("%+v, %v", flushed, err)
	}
	if names := fmt.Sprint(buckets(t, dir)); names != "[conf logs]" {
		t.Fatalf("after it was flushed: %s", names)
	}
	if flushed, err := FlushJournal(dir, quiet()); err != nil || flushed != (Flushed{}) {
		t.Errorf("once more: %+v, %v", flushed, err)
	}
	s := mustOpen(t, dir)
	holdsEntries(t, s, 40)
	if _, err := FlushJournal(dir, quiet()); err == nil || !strings.Contains(err.Error(), "in use by another process") {
		t.Errorf("flushed while a process uses it: %v", err)
	}
	mustClose(t, s)
	if names := fmt.Sprint(buckets(t, dir)); names != "[conf logs]" {
		t.Fatalf("after a clean stop: %s", names)
	}
}

// TestOldRelease: what a release that knows no journal does to a directory is right for the next one that does, though the
// files of the journal are still there.
func TestOldRelease(t *testing.T) {
	dir := killed(t, 40)
	if _, err := FlushJournal(dir, quiet()); err != nil {
		t.Fatal(err)
	}
	bolt, err := newBolt(filepath.Join(dir, logFile), lookLock)
	if err != nil {
		t.Fatal(err)
	}
	old := newChecked(bolt, dir, func(err error) { t.Error(err) }, func(error) {})
	err = errors.Join(old.DeleteRange(30, 40), old.StoreLogs([]*raft.Log{{Index: 30, Term: 9, Data: []byte("another")}}), bolt.Close())
	if err != nil {
		t.Fatal(err)
	}
	s := mustOpen(t, dir)
	defer mustClose(t, s)
	holdsEntries(t, s, 30)
	var l raft.Log
	if err := s.Logs.GetLog(30, &l); err != nil || l.Term != 9 {
		t.Errorf("entry 30 is of term %d, want 9; %v", l.Term, err)
	}
}

// TestStopNoticesAnotherProcess: a process that is slow to end leaves the bucket to one that has used the directory since.
func TestStopNoticesAnotherProcess(t *testing.T) {
	dir := killed(t, 5)
	if err := forgetJournal(filepath.Join(dir, logFile), 7); err != nil {
		t.Fatal(err)
	}
	if names := fmt.Sprint(buckets(t, dir)); names != "[conf journal logs]" {
		t.Errorf("another process's journal was given up: %s", names)
	}
}

// TestDamagedJournal: a damaged journal is refused with what to do, and nothing is changed.
func TestDamagedJournal(t *testing.T) {
	dir := killed(t, 40)
	for what, harm := range map[string]func(path string, b []byte) error{
		"a header":    func(path string, b []byte) error { b[45] ^= 4; return os.WriteFile(path, b, 0o600) },
		"a record":    func(path string, b []byte) error { b[4096+60] ^= 4; return os.WriteFile(path, b, 0o600) },
		"a file less": func(path string, _ []byte) error { return os.Remove(path) },
	} {
		harmed, err := CopyAside(dir, "harmed")
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(harmed, "journal.0")
		b, err := os.ReadFile(path)
		if err == nil {
			err = harm(path, bytes.Clone(b))
		}
		if err != nil {
			t.Fatal(err)
		}
		for name, open := range map[string]func() (*Storage, error){
			"Open": func() (*Storage, error) { return Open(harmed, quiet(), func(error) {}) },
			"Look": func() (*Storage, error) { return Look(harmed, quiet()) },
		} {
			_, err := open()
			if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "journal.0") || !strings.Contains(err.Error(), "move the directory away") {
				t.Errorf("%s, %s: %v", what, name, err)
			}
		}
		if err := os.RemoveAll(harmed); err != nil {
			t.Fatal(err)
		}
	}
}

// TestNewerJournal: a journal of another format is no damage.
func TestNewerJournal(t *testing.T) {
	dir := killed(t, 5)
	err := withDatabase(filepath.Join(dir, logFile), lookLock, func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte(journalBucket)).Put(keyLayout, summed(keyLayout, []byte("2 striped")))
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, quiet(), func(error) {}); err == nil || errors.Is(err, ErrDamaged) || !errors.Is(err, ErrForPerson) ||
		!strings.Contains(err.Error(), "newer release") {
		t.Errorf("%v", err)
	}
}

// TestNoSpaceForAJournal: on a disk without space a node works with the database alone, and has a journal once there is
// space again.
func TestNoSpaceForAJournal(t *testing.T) {
	disk := smallDisk(t)
	dir := filepath.Join(disk, "data")
	mustClose(t, mustOpen(t, dir))
	for i := range journalLayout.Files {
		if err := os.Remove(filepath.Join(dir, fmt.Sprintf("journal.%d", i))); err != nil {
			t.Fatal(err)
		}
	}
	filler := fillUp(t, disk)
	s := mustOpen(t, dir)
	if s.store.journal != nil {
		t.Error("there is a journal")
	}
	write(t, s, 1)
	mustClose(t, s)
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	s = mustOpen(t, dir)
	defer mustClose(t, s)
	if s.store.journal == nil {
		t.Error("there is no journal")
	}
	holdsEntries(t, s, 1)
}
