package torture

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"ciderd/internal/torture/powerfs"
)

// diskSize is of a node's file system, in bytes; the image is sparse.
const diskSize = 1536 << 20

// A disk is a file system of its own for one node, in a file.
type disk struct {
	image, mount string
	plain        bool        // a directory like any other: this machine cannot do better
	torn         *powerfs.FS // over room, while a fault has it so
}

func newDisk(dir, name string, plain bool) (*disk, error) {
	d := &disk{image: filepath.Join(dir, name+".img"), mount: filepath.Join(dir, name), plain: plain}
	if err := os.Mkdir(d.mount, 0o700); err != nil {
		return nil, err
	}
	if plain {
		return d, os.Mkdir(d.room(), 0o700)
	}
	f, err := os.Create(d.image)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(f.Truncate(diskSize), f.Close()); err != nil {
		return nil, err
	}
	return d, errors.Join(
		command("mkfs.ext4", "-q", "-m", "0", "-E", "lazy_itable_init=1", d.image),
		command("mount", "-o", "loop", d.image, d.mount),
		os.Mkdir(d.room(), 0o700),
	)
}

// data is the node's data directory: below the mount, so that a wipe leaves the file system.
func (d *disk) data() string   { return filepath.Join(d.room(), "data") }
func (d *disk) filler() string { return filepath.Join(d.mount, "filler") }

func (d *disk) free() (int64, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(d.mount, &s); err != nil {
		return 0, err
	}
	return int64(s.Bavail) * s.Bsize, nil
}

// fill leaves about the given number of bytes free.
func (d *disk) fill(leave int64) error {
	free, err := d.free()
	if err != nil || free <= leave {
		return err
	}
	size := free - leave
	if info, err := os.Stat(d.filler()); err == nil {
		size += info.Size()
	}
	return command("fallocate", "-l", strconv.FormatInt(size, 10), d.filler())
}

func (d *disk) freeze() error { return command("fsfreeze", "-f", d.mount) }

// heal takes back all that was done to the disk.
func (d *disk) heal() error {
	if !d.plain {
		_ = command("fsfreeze", "-u", d.mount) // an error says that it was not frozen
	}
	err := os.Remove(d.filler())
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

func (d *disk) wipe() error { return os.RemoveAll(d.data()) }

func (d *disk) remove() error {
	if !d.plain {
		_ = command("fsfreeze", "-u", d.mount)
	}
	if err := d.mend(); err != nil {
		return fmt.Errorf("%s stays: %w", d.mount, err)
	}
	if d.plain {
		return os.RemoveAll(d.mount)
	}
	if err := command("umount", d.mount); err != nil {
		return fmt.Errorf("%s stays: %w", d.image, err)
	}
	return errors.Join(os.Remove(d.mount), os.Remove(d.image))
}
