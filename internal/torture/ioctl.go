package torture

import (
	"os"
	"syscall"
	"unsafe"
)

// shutdown makes the file system forget, at once, all that has not been synced, and fail all that
// comes: ext4's way to rehearse a power cut (FS_IOC_SHUTDOWN with EXT4_GOING_FLAGS_NOLOGFLUSH).
func (d *disk) shutdown() error {
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

// remount brings back, after a shutdown, what is really on the disk; nobody may have a file open.
func (d *disk) remount() error {
	if err := command("umount", d.mount); err != nil {
		return err
	}
	return command("mount", "-o", "loop", d.image, d.mount)
}
