package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// replaceFile writes a file of mode 0600 that is there as a whole or not at all, whatever happens: under another name in
// its directory, which is put on the disk, read back by check, and only then becomes its name. What had that name before
// stays until then. A process that is killed leaves the other name, which begins with a dot.
func replaceFile(name string, write func(io.Writer) error, check func(*os.File) error) error {
	switch info, err := os.Stat(name); {
	case err == nil && !info.Mode().IsRegular():
		return fmt.Errorf("%s is there, and is no file", name)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	}
	dir := filepath.Dir(name)
	f, err := os.CreateTemp(dir, "."+filepath.Base(name)+".*.partial")
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
