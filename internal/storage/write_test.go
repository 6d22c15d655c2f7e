package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/hashicorp/raft"
)

// failing is a backend whose writes fail with err, if it is set.
type failing struct {
	backend
	err  error
	cuts []string
}

func (f *failing) StoreLogs(l []*raft.Log) error {
	if f.err != nil {
		return f.err
	}
	return f.backend.StoreLogs(l)
}

func (f *failing) StoreLog(l *raft.Log) error { return f.StoreLogs([]*raft.Log{l}) }

func (f *failing) DeleteRange(first, last uint64) error {
	if f.err != nil {
		return f.err
	}
	f.cuts = append(f.cuts, fmt.Sprint(first, "-", last))
	return f.backend.DeleteRange(first, last)
}

func (f *failing) Close() error { return nil }

func checkedOver(t *testing.T, f *failing) (*checked, *[]error) {
	t.Helper()
	s, err := Open(t.TempDir(), quiet(), func(err error) { t.Error(err) })
	if err != nil {
		t.Fatal(err)
	}
	f.backend = s.store.backend
	var fatal []error
	c := newChecked(f, t.TempDir(), func(err error) { fatal = append(fatal, err) }, func(error) {})
	t.Cleanup(func() {
		c.watchdog.close()
		s.Close()
	})
	return c, &fatal
}

var fullDisk = &fs.PathError{Op: "write", Path: "raft.db", Err: syscall.ENOSPC}

// A write that finds no space changes nothing and may be tried again; any other failure, a sync's above
// all, ends the process.
func TestFailedWrites(t *testing.T) {
	for err, ends := range map[error]bool{
		fullDisk: false, syscall.ENOSPC: true, syscall.EIO: true,
		&fs.PathError{Op: "write", Path: "raft.db", Err: syscall.EIO}: true,
	} {
		f := &failing{err: err}
		c, fatal := checkedOver(t, f)
		if got := c.StoreLog(&raft.Log{Index: 1}); !errors.Is(got, err) {
			t.Errorf("%#v: the caller got %v", err, got)
		}
		if len(*fatal) > 0 != ends {
			t.Errorf("%#v: ends %v, want %v", err, len(*fatal) > 0, ends)
		}
	}
}

// Entries that were cut off and whose successors find no space leave Raft with a wrong end of the log.
func TestNoRoomBehindACut(t *testing.T) {
	f := &failing{}
	c, fatal := checkedOver(t, f)
	store := func(index uint64) error { return c.StoreLog(&raft.Log{Index: index, Term: 1}) }
	for i := uint64(1); i <= 10; i++ {
		if err := store(i); err != nil {
			t.Fatal(err)
		}
	}
	prefix := c.DeleteRange(1, 3)
	f.err = fullDisk
	if err := store(11); prefix != nil || err == nil || len(*fatal) != 0 {
		t.Fatalf("behind a cut of the front: %v, %v, fatal %v", prefix, err, *fatal)
	}
	f.err = nil
	suffix := c.DeleteRange(8, 10)
	f.err = fullDisk
	if err := store(8); suffix != nil || err == nil || len(*fatal) != 1 {
		t.Fatalf("behind a cut of the end: %v, %v, fatal %v", suffix, err, *fatal)
	}
}

// An end that could not be cut off is still there: what finds no space after that ends nothing.
func TestNoRoomForACut(t *testing.T) {
	f := &failing{}
	c, fatal := checkedOver(t, f)
	if err := errors.Join(c.StoreLog(&raft.Log{Index: 1}), c.StoreLog(&raft.Log{Index: 2})); err != nil {
		t.Fatal(err)
	}
	f.err = fullDisk
	if err := c.DeleteRange(2, 2); !errors.Is(err, fullDisk) {
		t.Errorf("the caller got %v", err)
	}
	if err := c.StoreLog(&raft.Log{Index: 3}); !errors.Is(err, fullDisk) || len(*fatal) != 0 {
		t.Errorf("after it: %v, fatal %v", err, *fatal)
	}
}

// The front goes slice by slice; the end at once, since half of that would be a hole.
func TestCutsInSlices(t *testing.T) {
	f := &failing{}
	c, _ := checkedOver(t, f)
	if err := errors.Join(c.StoreLog(&raft.Log{Index: 9001}), c.DeleteRange(1, 9000)); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(c.StoreLog(&raft.Log{Index: 20000}), c.DeleteRange(9002, 20000)); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(f.cuts); got != "[1-4096 4097-8192 8193-9000 9002-20000]" {
		t.Errorf("cuts: %s", got)
	}
	if first, err := c.FirstIndex(); err != nil || first != 9001 {
		t.Errorf("the log begins at %d, %v", first, err)
	}
}

// A snapshot that fails leaves nothing behind, and takes nothing of one that is being written.
func TestFailedSnapshotsLeaveNothing(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(dir, quiet(), func(err error) { t.Error(err) })
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	create := func(index uint64) raft.SnapshotSink {
		sink, err := s.Snapshots.Create(1, index, 1, raft.Configuration{}, 1, nil)
		if err != nil {
			t.Fatal(err)
		}
		return sink
	}
	going, failed := create(5), create(6)
	// What Cancel leaves when it fails, as on a full disk.
	left := filepath.Join(dir, "snapshots", "1-4-1"+tmpSuffix)
	if err := os.Mkdir(left, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := failed.Cancel(); err != nil {
		t.Fatal(err)
	}
	names, _ := filepath.Glob(filepath.Join(dir, "snapshots", "*"))
	if len(names) != 1 || filepath.Base(names[0]) != going.ID()+tmpSuffix {
		t.Errorf("left: %v", names)
	}
	if _, err := going.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := going.Close(); err != nil {
		t.Fatal(err)
	}
	if list, err := s.Snapshots.List(); err != nil || len(list) != 1 || list[0].Index != 5 {
		t.Errorf("snapshots: %v, %v", list, err)
	}
}
