package storage

import (
	"os"
	"syscall"
)

// keepSize is FALLOC_FL_KEEP_SIZE: the room is taken, and the file's length stays.
const keepSize = 1

// fallocate takes room of the disk for a part of a file.
func fallocate(f *os.File, mode uint32, at, size int64) error {
	return syscall.Fallocate(int(f.Fd()), mode, at, size)
}
