package rig

import (
	"errors"
	"os"
	"syscall"
	"unsafe"

	"ciderd/test/harness"
)

// Shutdown makes the file system forget, at once, all that has not been synced, and fail all that
// comes: ext4's way to rehearse a power cut (FS_IOC_SHUTDOWN with EXT4_GOING_FLAGS_NOLOGFLUSH).
func (d *Disk) Shutdown() error {
	dir, err := os.Open(d.mount)
	if err != nil {
		return err
	}
	defer func() { _ = dir.Close() }()
	const shutdownIoctl = 0x8004587d
	noLogFlush := uint32(2)
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, dir.Fd(), shutdownIoctl, uintptr(unsafe.Pointer(&noLogFlush)))
	if errno != 0 {
		return &os.PathError{Op: "shutdown", Path: d.mount, Err: errno}
	}
	return nil
}

// Remount brings back, after a shutdown, what is really on the disk; nobody may have a file open. A
// mount namespace that somebody on the machine makes at this moment holds the old, dead file system
// for a while, and a mount would give just that one again: so it is tried until it is alive.
func (d *Disk) Remount() error {
	return harness.Until(harness.Limit, "remounting "+d.mount, func() error {
		if err := Command("umount", d.mount); err != nil {
			return err
		}
		if err := Command("mount", "-o", "loop", d.image, d.mount); err != nil {
			return err
		}
		probe := d.filler()
		return errors.Join(os.WriteFile(probe, nil, 0o600), os.Remove(probe))
	})
}
