// Package boltfile owns reading a bbolt database's file page by page, without bbolt. It checks what bbolt trusts
// and would answer with a panic, a fault or an older state.
//
// It promises that in a file that passes Check both meta pages, and every page in use, are as bbolt writes them. It
// never writes, never locks, and does not know what the keys and values mean. The database must not be written
// meanwhile: the caller holds its lock.
package boltfile

import (
	"fmt"
	"os"
)

// DamageError says what is wrong in a file. A read error is not one, except for a page that must be there: then
// DamageError wraps it.
type DamageError struct{ err error }

func (e *DamageError) Error() string { return e.err.Error() }

// Unwrap returns the system's error, if there was one.
func (e *DamageError) Unwrap() error { return e.err }

func damaged(format string, args ...any) error { return &DamageError{fmt.Errorf(format, args...)} }

// Check reads all pages of the database at path that are in use. It returns a *DamageError if one is not as bbolt
// writes it. It does not look at values.
func Check(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // it was only read
	newest, err := readMetas(f)
	if err != nil {
		return err
	}
	return checkPages(f, newest)
}

// Used returns how many bytes from the start of the file were ever in use: the rest is only length. It checks the
// meta pages as Check does.
func Used(f *os.File) (bytes int64, err error) {
	newest, err := readMetas(f)
	if err != nil {
		return 0, err
	}
	return int64(newest.pages()) * int64(newest.pageSize()), nil
}
