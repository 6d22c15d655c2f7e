package machine

import (
	"io/fs"
	"syscall"
)

// Files returns how many file descriptors are open in this process, and how many may be; 0: not known.
func Files(root fs.FS) (open, most int) {
	if list, err := fs.ReadDir(root, "proc/self/fd"); err == nil {
		open = len(list)
	}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err == nil {
		most = int(min(limit.Cur, 1<<31-1))
	}
	return open, most
}
