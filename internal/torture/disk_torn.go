package torture

import (
	"errors"
	"path/filepath"
	"time"

	"ciderd/internal/torture/powerfs"
)

// tornSync is about what an fsync takes on an SSD without a capacitor.
const tornSync = 3 * time.Millisecond

// room is the directory that data lies in; powerfs covers it while it is to be torn.
func (d *disk) room() string { return filepath.Join(d.mount, "room") }

// tear puts the disk's data on a file system that forgets and tears, in a power loss, what was not
// synced. The node must not run.
func (d *disk) tear() (err error) {
	if d.torn != nil {
		return nil
	}
	if d.torn, err = powerfs.Mount(d.room(), filepath.Join(d.mount, "store")); err == nil {
		d.torn.SyncTakes(tornSync)
	}
	return err
}

// mend puts the data back on the plain file system. The node must not run.
func (d *disk) mend() error {
	if d.torn == nil {
		return nil
	}
	err := d.torn.Unmount()
	if err == nil {
		d.torn = nil
	}
	return err
}

// tear puts nodes on such disks; they are killed for that, and come back.
func tear(r *round, nodes ...*node) error {
	return r.moved((*disk).tear, nodes...)
}

// mend takes those of the nodes off such disks that are on one.
func mend(r *round, nodes ...*node) error {
	var torn []*node
	for _, n := range nodes {
		if n.disk.torn != nil {
			torn = append(torn, n)
		}
	}
	if len(torn) == 0 {
		return nil
	}
	return r.moved((*disk).mend, torn...)
}

func (r *round) moved(move func(*disk) error, nodes ...*node) error {
	r.down(nodes...)
	var errs []error
	for _, n := range nodes {
		errs = append(errs, n.kill())
	}
	for _, n := range nodes {
		errs = append(errs, move(n.disk))
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return r.back(nodes...)
}
