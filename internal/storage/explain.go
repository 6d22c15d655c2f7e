package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// explain adds to an error what an operator can do about it, where the system's message does not say: which user
// owns what cannot be opened, and which resource has run out that is only called "no space left on device" or "too
// many open files".
func explain(dir string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: %s", err, whoseIs(dir))
	case errors.Is(err, syscall.ENOSPC) && OutOfInodes(dir):
		return fmt.Errorf("%w: the file system of %s has space, but no inodes for another file: remove files there (df -i %s)", err, dir, dir)
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return fmt.Errorf("%w: this process is out of file descriptors: raise its limit (LimitNOFILE in the unit, ulimit -n in a shell)", err)
	}
	return err
}

// whoseIs returns who owns a directory, or its nearest ancestor that exists, and this process's user.
func whoseIs(dir string) string {
	for {
		info, err := os.Stat(dir)
		if err == nil {
			owner := "another user"
			if s, ok := info.Sys().(*syscall.Stat_t); ok {
				owner = userName(int(s.Uid))
			}
			return fmt.Sprintf("%s belongs to %s (mode %04o), and this process runs as %s: start it as the owner, or chown -R the directory",
				dir, owner, info.Mode().Perm(), userName(os.Geteuid()))
		}
		up := filepath.Dir(dir)
		if up == dir {
			return fmt.Sprintf("this process runs as %s", userName(os.Geteuid()))
		}
		dir = up
	}
}

func userName(uid int) string {
	if u, err := user.LookupId(strconv.Itoa(uid)); err == nil {
		return fmt.Sprintf("%s (uid %d)", u.Username, uid)
	}
	return fmt.Sprintf("uid %d", uid)
}

// OutOfInodes reports whether dir's file system has bytes left, but no inode for another file.
func OutOfInodes(dir string) bool {
	var s syscall.Statfs_t
	return syscall.Statfs(dir, &s) == nil && s.Files > 0 && s.Ffree == 0 && s.Bavail > 0
}

// makePrivate removes all access of other users to the files of a data directory, which a wide umask may have
// granted: the files hold every user's values. The directory itself is its owner's to open.
func makePrivate(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil // another process's socket, or the like
		}
		if err != nil || info.Mode().Perm()&0o077 == 0 || !info.Mode().IsRegular() && !info.IsDir() {
			return err
		}
		return os.Chmod(path, info.Mode().Perm()&0o700)
	})
}
