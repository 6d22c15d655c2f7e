package storage

import "syscall"

// FreeSpace returns how many bytes an unprivileged process can still write in dir's file system.
func FreeSpace(dir string) (uint64, error) {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		return 0, err
	}
	return fs.Bavail * uint64(fs.Bsize), nil
}
