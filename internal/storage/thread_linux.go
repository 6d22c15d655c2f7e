package storage

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"syscall"
)

// thread is a thread of this process that one goroutine has to itself.
type thread int

func lockThread() thread {
	runtime.LockOSThread()
	return thread(syscall.Gettid())
}

func (thread) unlock() { runtime.UnlockOSThread() }

// waits reports whether the thread waits inside a system call, or for a page of a file (which the kernel reports as
// call -1). It then waits for the disk, as its goroutine is writing. A thread that only lacks a processor counts as
// running, and one whose goroutine waits for the Go scheduler or for another goroutine sleeps in a futex. Where
// this cannot be read (no /proc) the disk is assumed.
func (t thread) waits() bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/self/task/%d/syscall", t))
	if err != nil {
		return true
	}
	word, _, _ := bytes.Cut(bytes.TrimSpace(text), []byte(" "))
	call, err := strconv.Atoi(string(word))
	if err != nil {
		return false // "running"
	}
	switch call {
	case syscall.SYS_FUTEX, syscall.SYS_NANOSLEEP, syscall.SYS_SCHED_YIELD:
		return false
	}
	return true
}
