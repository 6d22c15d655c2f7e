package journal

import (
	"os"
	"syscall"
)

// syncContents is fdatasync: the times of the file are not worth a write of their own.
func syncContents(f *os.File) error {
	for {
		err := syscall.Fdatasync(int(f.Fd()))
		switch err {
		case nil:
			return nil
		case syscall.EINTR:
		default:
			return &os.PathError{Op: "sync", Path: f.Name(), Err: err}
		}
	}
}
