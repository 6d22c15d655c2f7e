package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// replaceFile writes a file of mode 0600 that is there as a whole or not at all, whatever happens: under another name in
// its directory, which is put on the disk, read back by check, and only then becomes its name. What had that name before
// stays until then. A process that is killed leaves the other name, which begins with a dot; the next one for the same file
// removes that.
func replaceFile(name string, write func(io.Writer) error, check func(*os.File) error) error {
	switch info, err := os.Stat(name); {
	case err == nil && !info.Mode().IsRegular():
		return fmt.Errorf("%s is there, and is no file", name)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	}
	dir := filepath.Dir(name)
	removePartials(name)
	f, err := createPartial(name)
	if err != nil {
		return err
	}
	err = fill(f, write, check)
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return syncDir(dir)
}

const partialSuffix = ".partial"

func partialPrefix(name string) string { return "." + filepath.Base(name) + "." }

// createPartial makes the other file. It has a lock for as long as the process that made it writes it, so that no other
// one takes it for a leftover.
func createPartial(name string) (*os.File, error) {
	for {
		f, err := os.CreateTemp(filepath.Dir(name), partialPrefix(name)+"*"+partialSuffix)
		if err != nil {
			return nil, err
		}
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err != nil && !errors.Is(err, syscall.EWOULDBLOCK) {
			return f, nil // there are no locks here, so nobody takes it for a leftover
		}
		if err == nil && isNamed(f) {
			return f, nil
		}
		f.Close() // it was taken for one in the moment before it had its lock
	}
}

// isNamed reports whether a file is still what its name leads to.
func isNamed(f *os.File) bool {
	open, err := f.Stat()
	if err != nil {
		return false
	}
	named, err := os.Lstat(f.Name())
	return err == nil && os.SameFile(open, named)
}

// removePartials removes what earlier processes have left of the same file. What one still writes is locked; what cannot
// be removed is no reason to write nothing.
func removePartials(name string) {
	dir := filepath.Dir(name)
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		middle, ours := strings.CutPrefix(e.Name(), partialPrefix(name))
		middle, whole := strings.CutSuffix(middle, partialSuffix)
		if ours && whole && middle != "" && strings.Trim(middle, "0123456789") == "" && e.Type().IsRegular() {
			removeLeftover(filepath.Join(dir, e.Name()))
		}
	}
}

// removeLeftover removes a file that nobody has locked.
func removeLeftover(path string) {
	f, err := os.OpenFile(path, os.O_RDWR|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return
	}
	defer f.Close()
	if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil && isNamed(f) {
		_ = os.Remove(path)
	}
}

func fill(f *os.File, write func(io.Writer) error, check func(*os.File) error) error {
	if err := write(f); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if err := check(f); err != nil {
		return fmt.Errorf("it was written, and cannot be read back: %w", err)
	}
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
