package storage

import (
	"os"
	"syscall"
)

// keepSize is FALLOC_FL_KEEP_SIZE: space is allocated, and the file's length stays.
const keepSize = 1

// fallocate allocates disk space for a part of a file.
func fallocate(f *os.File, mode uint32, at, size int64) error {
	return syscall.Fallocate(int(f.Fd()), mode, at, size)
}
