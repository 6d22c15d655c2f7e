package storage

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"syscall"
)

// thread is one of this process, which a goroutine has for itself.
type thread int

func lockThread() thread {
	runtime.LockOSThread()
	return thread(syscall.Gettid())
}

func (thread) unlock() { runtime.UnlockOSThread() }

// waits tells whether the thread waits inside a system call, or for a page of a file (a call of number -1 to
// the kernel): for the disk, as its goroutine is writing. A thread without a processor runs, to the kernel;
// and one whose goroutine waits for the Go scheduler, or for another goroutine, sleeps in a futex. Where
// nobody tells (no /proc), it is the disk.
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
