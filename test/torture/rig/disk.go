package rig

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"ciderd/test/torture/powerfs"
)

// diskSize is of a node's file system, in bytes; the image is sparse.
const diskSize = 1536 << 20

// A Disk is a file system of its own for one node, in a file.
type Disk struct {
	image, mount string
	plain        bool        // a directory like any other: this machine cannot do better
	Torn         *powerfs.FS // over room, while a fault has it so
}

func newDisk(dir, name string, plain bool) (*Disk, error) {
	d := &Disk{image: filepath.Join(dir, name+".img"), mount: filepath.Join(dir, name), plain: plain}
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
		Command("mkfs.ext4", "-q", "-m", "0", "-E", "lazy_itable_init=1", d.image),
		Command("mount", "-o", "loop", d.image, d.mount),
		os.Mkdir(d.room(), 0o700),
	)
}

// Data is the node's data directory: below the mount, so that a wipe leaves the file system.
func (d *Disk) Data() string   { return filepath.Join(d.room(), "data") }
func (d *Disk) filler() string { return filepath.Join(d.mount, "filler") }

func (d *Disk) free() (int64, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(d.mount, &s); err != nil {
		return 0, err
	}
	return int64(s.Bavail) * s.Bsize, nil
}

// Fill leaves about the given number of bytes free.
func (d *Disk) Fill(leave int64) error {
	free, err := d.free()
	if err != nil || free <= leave {
		return err
	}
	size := free - leave
	if info, err := os.Stat(d.filler()); err == nil {
		size += info.Size()
	}
	return Command("fallocate", "-l", strconv.FormatInt(size, 10), d.filler())
}

// Freeze makes all that writes to the disk wait, until Heal.
func (d *Disk) Freeze() error { return Command("fsfreeze", "-f", d.mount) }

// Heal takes back all that was done to the disk.
func (d *Disk) Heal() error {
	if !d.plain {
		_ = Command("fsfreeze", "-u", d.mount) // an error says that it was not frozen
	}
	err := os.Remove(d.filler())
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// Wipe removes the data directory.
func (d *Disk) Wipe() error { return os.RemoveAll(d.Data()) }

func (d *Disk) remove() error {
	if !d.plain {
		_ = Command("fsfreeze", "-u", d.mount)
	}
	if err := d.Mend(); err != nil {
		return fmt.Errorf("%s stays: %w", d.mount, err)
	}
	if d.plain {
		return os.RemoveAll(d.mount)
	}
	if err := Command("umount", d.mount); err != nil {
		return fmt.Errorf("%s stays: %w", d.image, err)
	}
	return errors.Join(os.Remove(d.mount), os.Remove(d.image))
}

// Snapshots lists the node's finished snapshots, oldest first.
func (d *Disk) Snapshots() []string {
	all, err := filepath.Glob(filepath.Join(d.Data(), "snapshots", "*"))
	if err != nil {
		return nil
	}
	var done []string
	for _, dir := range all {
		if !strings.HasSuffix(dir, ".tmp") {
			done = append(done, dir)
		}
	}
	// term-index-milliseconds: the last is what sorts.
	slices.SortFunc(done, func(a, b string) int {
		return strings.Compare(a[strings.LastIndexByte(a, '-')+1:], b[strings.LastIndexByte(b, '-')+1:])
	})
	return done
}

// NewestSnapshot is its name; empty: none.
func (d *Disk) NewestSnapshot() string {
	s := d.Snapshots()
	if len(s) == 0 {
		return ""
	}
	return filepath.Base(s[len(s)-1])
}

// Keep copies the data directory, if there is one.
func (d *Disk) Keep(dir string) error {
	if _, err := os.Stat(d.Data()); err != nil {
		return nil
	}
	return Command("cp", "-a", d.Data(), dir)
}
