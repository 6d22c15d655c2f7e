//go:build !linux

package storage

import (
	"os"
	"syscall"
)

const keepSize = 1

// fallocate is not supported on this system.
func fallocate(*os.File, uint32, int64, int64) error { return syscall.EOPNOTSUPP }
