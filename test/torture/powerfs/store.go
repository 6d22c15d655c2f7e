package powerfs

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// The store holds the data of each regular file in a file of its own, named by its inode's number.

func (f *FS) path(n *inode) string { return filepath.Join(f.store, strconv.FormatUint(n.id, 10)) }

// newInode makes an inode without a name.
func (f *FS) newInode(mode, uid, gid uint32) (*inode, error) {
	f.next++
	n := &inode{id: f.next, mode: mode, uid: uid, gid: gid, changed: time.Now()}
	if n.isDir() {
		n.now, n.kept = map[string]*inode{}, map[string]*inode{}
	}
	if !n.isRegular() {
		return n, nil
	}
	var err error
	n.data, err = os.OpenFile(f.path(n), os.O_RDWR|os.O_CREATE, 0o600)
	return n, err
}

// takeIn moves what is in the directory into the store.
func (f *FS) takeIn() (err error) {
	f.tree.root, err = f.takeDir(f.dir)
	return err
}

func (f *FS) takeDir(dir string) (*inode, error) {
	info, err := os.Stat(dir)
	if err != nil {
		return nil, err
	}
	n, err := f.newInode(modeAndOwner(info))
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		var child *inode
		switch {
		case e.IsDir():
			child, err = f.takeDir(path)
			err = errors.Join(err, os.Remove(path))
		case e.Type().IsRegular():
			child, err = f.takeFile(path)
		case e.Type() == os.ModeSocket:
			err = os.Remove(path) // its process is gone
		default:
			err = fmt.Errorf("%s: neither a file nor a directory", path)
		}
		if err != nil {
			return nil, err
		}
		if child != nil {
			n.now[e.Name()] = child
		}
	}
	n.kept = maps.Clone(n.now)
	return n, nil
}

func (f *FS) takeFile(path string) (*inode, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	f.next++
	n := &inode{id: f.next, size: info.Size(), changed: info.ModTime()}
	n.mode, n.uid, n.gid = modeAndOwner(info)
	n.ledger.synced(n.size)
	if err := os.Rename(path, f.path(n)); err != nil {
		return nil, err
	}
	n.data, err = os.OpenFile(f.path(n), os.O_RDWR, 0)
	return n, err
}

func modeAndOwner(info os.FileInfo) (mode, uid, gid uint32) {
	st := info.Sys().(*syscall.Stat_t)
	return st.Mode, st.Uid, st.Gid
}

// giveBack moves what there is now back into the directory, and removes the store.
func (f *FS) giveBack() error {
	err := f.giveDir(f.dir, f.tree.root)
	for n := range f.tree.reachable() {
		if n.data != nil {
			err = errors.Join(err, n.data.Close())
		}
	}
	if err == nil {
		err = os.RemoveAll(f.store)
	}
	syscall.Sync()
	return err
}

func (f *FS) giveDir(dir string, of *inode) error {
	for name, n := range of.now {
		path := filepath.Join(dir, name)
		var err error
		switch {
		case n.isDir():
			if err = os.Mkdir(path, 0o700); err == nil {
				err = f.giveDir(path, n)
			}
		case n.isRegular():
			err = os.Rename(f.path(n), path)
		default:
			continue // a socket
		}
		if err == nil {
			err = errors.Join(os.Chown(path, int(n.uid), int(n.gid)), os.Chmod(path, os.FileMode(n.mode&0o777)))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// sweep removes the data of those of the inodes that have no name any more, cannot get one back, and
// are not open.
func (f *FS) sweep(inodes map[*inode]bool) error {
	var errs []error
	reachable := f.tree.reachable()
	for n := range inodes {
		if reachable[n] || n.data == nil || n.opens > 0 && !f.dead {
			continue
		}
		errs = append(errs, n.data.Close(), os.Remove(f.path(n)))
		n.data = nil
	}
	return errors.Join(errs...)
}
