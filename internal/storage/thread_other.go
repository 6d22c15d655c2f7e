//go:build !linux

package storage

// thread is empty where threads cannot be inspected: whatever a write waits for is taken for the disk.
type thread struct{}

func lockThread() thread { return thread{} }

func (thread) unlock() {}

func (thread) waits() bool { return true }
