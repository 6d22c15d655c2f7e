package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// CopyAside copies a data directory that no process writes, synced, to DIR.suffix, which it returns and which must
// not exist yet. On an error it leaves nothing of the copy.
func CopyAside(dir, suffix string) (copied string, err error) {
	copied = filepath.Clean(dir) + "." + suffix
	if err := os.Mkdir(copied, 0o700); err != nil {
		return "", err
	}
	err = os.CopyFS(copied, filesOnly{os.DirFS(dir)})
	if err == nil {
		err = syncCopy(copied)
	}
	if err != nil {
		return "", errors.Join(err, os.RemoveAll(copied))
	}
	return copied, nil
}

// filesOnly hides the admin socket, which cannot be copied, and the reserve, which is empty.
type filesOnly struct{ fs.FS }

func (f filesOnly) ReadDir(name string) ([]fs.DirEntry, error) {
	all, err := fs.ReadDir(f.FS, name)
	var kept []fs.DirEntry
	for _, e := range all {
		if e.IsDir() || e.Type().IsRegular() && e.Name() != reserveFile {
			kept = append(kept, e)
		}
	}
	return kept, err
}

var _ fs.ReadDirFS = filesOnly{}

// syncCopy syncs a copy and gives it the modes of a data directory.
func syncCopy(dir string) error {
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		mode := fs.FileMode(0o600)
		if e.IsDir() {
			mode = 0o700
		}
		if err := os.Chmod(path, mode); err != nil {
			return err
		}
		return syncPath(path)
	})
	return errors.Join(err, syncPath(filepath.Dir(dir)))
}

func syncPath(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// GiveToOwner gives all files in dir to the owner of dir: files that root has written must belong to the daemon's
// user. For other users than root it does nothing.
func GiveToOwner(dir string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return fmt.Errorf("%s: no owner", dir)
	}
	return filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, int(owner.Uid), int(owner.Gid))
	})
}
