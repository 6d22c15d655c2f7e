package journal

import (
	"errors"
	"io"
	"os"
	"path/filepath"
)

// FS is the directory that a journal is in.
type FS interface {
	// Open opens a file for reading and writing.
	Open(name string) (File, error)
	// Create makes a file, which replaces one of that name.
	Create(name string) (File, error)
	Rename(from, to string) error
	// Sync has the disk store the names.
	Sync() error
}

// File is one file of a journal.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	// Sync returns once the disk has stored what was written.
	Sync() error
	Size() (int64, error)
}

// Dir is a directory of the system.
type Dir string

// Open opens a file.
func (d Dir) Open(name string) (File, error) { return d.file(name, 0) }

// Create makes a file that only its owner can read.
func (d Dir) Create(name string) (File, error) { return d.file(name, os.O_CREATE|os.O_TRUNC) }

func (d Dir) file(name string, flags int) (File, error) {
	f, err := os.OpenFile(filepath.Join(string(d), name), os.O_RDWR|flags, 0o600)
	if err != nil {
		return nil, err
	}
	return systemFile{f}, nil
}

// Rename renames a file.
func (d Dir) Rename(from, to string) error {
	return os.Rename(filepath.Join(string(d), from), filepath.Join(string(d), to))
}

// Sync syncs the directory.
func (d Dir) Sync() error {
	f, err := os.Open(string(d))
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

type systemFile struct{ *os.File }

// Sync syncs the contents: neither length nor place of a journal's file changes.
func (f systemFile) Sync() error { return syncContents(f.File) }

func (f systemFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}
