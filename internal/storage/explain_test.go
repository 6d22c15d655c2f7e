package storage

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/hashicorp/go-hclog"
)

// Errors that a person has to mend say whose the directory is, or what is out.
func TestExplain(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		err  error
		want string
	}{
		{&fs.PathError{Op: "open", Path: dir, Err: syscall.EACCES}, "belongs to"},
		{&fs.PathError{Op: "open", Path: dir, Err: syscall.EMFILE}, "LimitNOFILE"},
		{&fs.PathError{Op: "open", Path: dir, Err: syscall.ENOSPC}, "no space left"},
		{errors.New("else"), "else"},
	} {
		got := explain(filepath.Join(dir, "not", "there"), c.err)
		if !errors.Is(got, c.err) || !strings.Contains(got.Error(), c.want) {
			t.Errorf("%v: %v", c.err, got)
		}
	}
	if explain(dir, nil) != nil {
		t.Error("an error of nothing")
	}
}

// Files of a data directory are for their owner alone, whatever umask and directory they were made with.
func TestFilesArePrivate(t *testing.T) {
	dir := t.TempDir()
	defer syscall.Umask(syscall.Umask(0))
	for range 2 { // a new one, and one that is there
		if err := os.Chmod(dir, 0o777); err != nil {
			t.Fatal(err)
		}
		s, err := Open(dir, hclog.NewNullLogger(), func(err error) { t.Error(err) })
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if info, bad := d.Info(); bad == nil && path != dir && info.Mode().Perm()&0o077 != 0 {
				t.Errorf("%s has mode %v", path, info.Mode())
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(filepath.Join(dir, logFile), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}
