package storage

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/hashicorp/raft"
)

// openEnding opens a directory and gathers why the process would end.
func openEnding(t *testing.T, dir string) (*Storage, *[]error) {
	t.Helper()
	var why []error
	s, err := Open(dir, quiet(), func(err error) { why = append(why, err) })
	if err != nil {
		t.Fatal(err)
	}
	return s, &why
}

// failingSink fails in everything with err.
type failingSink struct{ err error }

func (f failingSink) Write([]byte) (int, error) { return 0, f.err }
func (f failingSink) Close() error              { return f.err }
func (f failingSink) Cancel() error             { return f.err }
func (failingSink) ID() string                  { return "1-1-1" }

// A snapshot that fails for want of room, or of a descriptor, is a snapshot less; any other failure, and of a
// sync any at all, ends the process.
func TestFailedSnapshots(t *testing.T) {
	s, why := openEnding(t, t.TempDir())
	defer mustClose(t, s)
	at := func(op string, errno syscall.Errno) error {
		return &fs.PathError{Op: op, Path: contentsFile, Err: errno}
	}
	renamed := func(errno syscall.Errno) error {
		return &os.LinkError{Op: "rename", Old: "1.tmp", New: "1", Err: errno}
	}
	for _, c := range []struct {
		err  error
		ends bool
	}{
		{nil, false},
		{at("write", syscall.ENOSPC), false}, {at("write", syscall.EDQUOT), false}, {renamed(syscall.ENOSPC), false},
		{at("open", syscall.EMFILE), false}, {at("open", syscall.ENFILE), false},
		{at("sync", syscall.ENOSPC), true}, {at("sync", syscall.EIO), true}, {at("write", syscall.EIO), true},
		{renamed(syscall.EIO), true}, {at("open", syscall.EROFS), true},
	} {
		sink := &snapshotSink{SnapshotSink: failingSink{c.err}, store: s.Snapshots.(*snapshots)}
		for name, do := range map[string]func() error{
			"Write": func() error { _, err := sink.Write(nil); return err }, "Close": sink.Close, "Cancel": sink.Cancel,
		} {
			*why = nil
			if err := do(); !errors.Is(err, c.err) {
				t.Errorf("%s: %v: the caller got %v", name, c.err, err)
			}
			if len(*why) > 0 != c.ends {
				t.Errorf("%s: %v: ends %v", name, c.err, *why)
			}
		}
	}
}

// A snapshot that cannot be begun, on a disk that has space.
func TestSnapshotsThatCannotBeBegun(t *testing.T) {
	dir := t.TempDir()
	s, why := openEnding(t, dir)
	defer mustClose(t, s)
	snapshots := filepath.Join(dir, "snapshots")
	if err := errors.Join(os.Remove(snapshots), os.WriteFile(snapshots, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Snapshots.Create(1, 1, 1, raft.Configuration{}, 1, nil); err == nil || len(*why) == 0 {
		t.Errorf("error %v, ends %v", err, *why)
	}
}
