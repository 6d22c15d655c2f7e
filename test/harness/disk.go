package harness

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Need skips the test where a program is missing; under CI that is a failure.
func Need(t testing.TB, program string) {
	t.Helper()
	_, err := exec.LookPath(program)
	skipOrFail(t, err)
}

// skipOrFail ends a test whose machine cannot do what it needs.
func skipOrFail(t testing.TB, err error) {
	t.Helper()
	switch {
	case err != nil && os.Getenv("CI") != "":
		t.Fatalf("%v, and CI is set", err)
	case err != nil:
		t.Skip(err)
	}
}

// SmallDisk gives a node that has not been started a file system of its own,
// with size as mount's tmpfs takes it, until the end of the test, which also ends
// the node. It needs root: without, the test is skipped, or fails if the
// environment has CI.
func (n *Node) SmallDisk(size string) {
	n.t.Helper()
	Need(n.t, "mount")
	if err := os.MkdirAll(n.DataDir, 0o777); err != nil {
		n.t.Fatal(err)
	}
	msg, err := exec.Command("mount", "-t", "tmpfs", "-o", "size="+size, "tmpfs", n.DataDir).CombinedOutput()
	if err != nil {
		err = fmt.Errorf("mounting a small file system: %w: %s", err, msg)
	}
	skipOrFail(n.t, err)
	n.t.Cleanup(func() {
		n.Kill()
		if msg, err := exec.Command("umount", n.DataDir).CombinedOutput(); err != nil {
			n.t.Errorf("umount: %v: %s", err, msg)
		}
	})
}

// ballast is the file that takes the space on a disk.
func (n *Node) ballast() string { return filepath.Join(n.DataDir, "ballast") }

// FillDisk leaves so many bytes free on the node's SmallDisk.
func (n *Node) FillDisk(leave int64) {
	n.t.Helper()
	if err := fill(n.ballast(), leave); err != nil {
		n.t.Fatalf("filling the disk of %s: %v", n.Name, err)
	}
}

func fill(path string, leave int64) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	var fs syscall.Statfs_t
	if err := syscall.Fstatfs(int(f.Fd()), &fs); err != nil {
		return err
	}
	if free := int64(fs.Bavail) * fs.Bsize; free > leave {
		return syscall.Fallocate(int(f.Fd()), 0, 0, free-leave)
	}
	return nil
}

// hang is longer than a node waits for its disk.
const hang = time.Minute

// HangDisk makes every sync of the node's wait until FreeDisk, or until the node
// has ended itself for that. It needs strace, as Need.
func (n *Node) HangDisk() {
	n.t.Helper()
	n.injectSyncs(fmt.Sprintf("delay_enter=%d", hang.Microseconds()))
}

// SlowDisk makes every sync of the node's take longer, until FreeDisk. It needs strace, as Need.
func (n *Node) SlowDisk(by time.Duration) {
	n.t.Helper()
	n.injectSyncs(fmt.Sprintf("delay_enter=%d", by.Microseconds()))
}

// FailSyncs makes every sync of the node's fail, as HangDisk does.
func (n *Node) FailSyncs() {
	n.t.Helper()
	n.injectSyncs("error=EIO")
}

func (n *Node) injectSyncs(what string) {
	n.t.Helper()
	Need(n.t, "strace")
	const calls = "fdatasync,fsync"
	tracer, err := StartProcess("strace", filepath.Dir(n.config), n.LogPath+".strace", nil, "-f", "-p", strconv.Itoa(n.Pid()),
		"-e", "trace="+calls, "-e", fmt.Sprintf("inject=%s:%s", calls, what))
	if err != nil {
		n.t.Fatalf("strace of %s: %v", n.Name, err)
	}
	n.tracer = tracer
	n.t.Cleanup(func() { _ = tracer.Kill() })
	Eventually(n.t, n.Name+" is traced", func() error {
		select {
		case <-tracer.Done():
			n.t.Fatalf("strace has ended:\n%s", tail(n.LogPath+".strace", tailLines))
		default:
		}
		return allTraced(n.Pid())
	})
}

// letGo is how long strace may take to let go of a process.
const letGo = 10 * time.Second

// FreeDisk ends what HangDisk, SlowDisk and FillDisk do.
func (n *Node) FreeDisk() {
	n.t.Helper()
	if err := os.Remove(n.ballast()); err != nil && !os.IsNotExist(err) {
		n.t.Fatal(err)
	}
	if n.tracer == nil {
		return
	}
	// SIGTERM makes strace let go of the process; killed, it would leave it stopped. Of a process that is
	// ending it does not let go.
	err := n.tracer.Signal(syscall.SIGTERM)
	if err == nil {
		if _, err = n.tracer.ExitCode(letGo); err != nil {
			err = n.tracer.Kill()
		}
	}
	if err != nil {
		n.t.Fatalf("strace of %s: %v", n.Name, err)
	}
	n.tracer = nil
}

// allTraced is nil if every thread of pid has a tracer.
func allTraced(pid int) error {
	files, err := filepath.Glob(filepath.Join("/proc", strconv.Itoa(pid), "task", "*", "status"))
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return fmt.Errorf("pid %d: no such process", pid)
	}
	for _, file := range files {
		status, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if strings.Contains(string(status), "\nTracerPid:\t0\n") {
			return fmt.Errorf("%s: not traced", file)
		}
	}
	return nil
}
