package rig

import (
	"path/filepath"
	"time"

	"ciderd/test/torture/powerfs"
)

// tornSync is about what an fsync takes on an SSD without a capacitor.
const tornSync = 3 * time.Millisecond

// room is the directory that data lies in; powerfs covers it while it is to be torn.
func (d *Disk) room() string { return filepath.Join(d.mount, "room") }

// Tear puts the disk's data on a file system that forgets and tears, in a power loss, what was not
// synced. The node must not run.
func (d *Disk) Tear() (err error) {
	if d.Torn != nil {
		return nil
	}
	if d.Torn, err = powerfs.Mount(d.room(), filepath.Join(d.mount, "store")); err == nil {
		d.Torn.SyncTakes(tornSync)
	}
	return err
}

// Mend puts the data back on the plain file system. The node must not run.
func (d *Disk) Mend() error {
	if d.Torn == nil {
		return nil
	}
	err := d.Torn.Unmount()
	if err == nil {
		d.Torn = nil
	}
	return err
}
