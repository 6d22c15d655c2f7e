package rig

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Prefix begins the name of everything that outlives a process: namespaces, mounts, directories.
const Prefix = "ciderd-torture-"

const (
	netnsDir = "/run/netns"
	WorkRoot = "/var/tmp"
	lockPath = "/run/" + Prefix + "lock"
	subnet   = "10.99.99." // inside the namespaces only
	hubHost  = "254"
)

// Command runs a program to its end and gives its output with the error.
func Command(name string, args ...string) error {
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}

// lockMachine lets one run at a time use the names that begin with prefix. The kernel lets go with
// the process.
func lockMachine() (*os.File, error) {
	f, err := os.OpenFile(lockPath, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("another torture run has %s: %w", lockPath, err), f.Close())
	}
	return f, nil
}

// removeLeftovers takes away what a run that was killed left behind. The lock is held, so nothing
// with our prefix belongs to a run that lives.
func removeLeftovers() error {
	errs := []error{unmountAll()}
	names, err := ownNamespaces()
	errs = append(errs, err)
	for _, name := range names {
		errs = append(errs, endProcesses(name))
	}
	// Once more: a process of the killed run may have kept a mount busy.
	errs[0] = unmountAll()
	for _, name := range names {
		errs = append(errs, Command("ip", "netns", "del", name))
	}
	dirs, err := filepath.Glob(filepath.Join(WorkRoot, Prefix+"work-*"))
	errs = append(errs, err)
	for _, dir := range dirs {
		errs = append(errs, os.RemoveAll(dir))
	}
	return errors.Join(errs...)
}

func ownNamespaces() ([]string, error) {
	entries, err := os.ReadDir(netnsDir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), Prefix) {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// endProcesses kills, one by one, what runs in a namespace of ours, except this process.
func endProcesses(namespace string) error {
	out, err := exec.Command("ip", "netns", "pids", namespace).Output()
	if err != nil {
		return fmt.Errorf("ip netns pids %s: %w", namespace, err)
	}
	for _, field := range strings.Fields(string(out)) {
		pid, err := strconv.Atoi(field)
		if err != nil || pid == os.Getpid() {
			continue
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			return err
		}
		for deadline := time.Now().Add(10 * time.Second); syscall.Kill(pid, 0) == nil && time.Now().Before(deadline); {
			time.Sleep(10 * time.Millisecond)
		}
	}
	return nil
}

// unmountAll thaws and unmounts the file systems that are mounted below directories of ours.
func unmountAll() error {
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return err
	}
	var errs []error
	for line := range strings.Lines(string(mounts)) {
		fields := strings.Fields(line)
		if len(fields) < 2 || !strings.HasPrefix(fields[1], filepath.Join(WorkRoot, Prefix+"work-")) {
			continue
		}
		_ = Command("fsfreeze", "-u", fields[1]) // an error says that it was not frozen
		if err := Command("umount", fields[1]); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// hub is the namespace of the clients and of the bridge that all nodes hang on.
func HubNamespace() string { return Prefix + "hub" }

// EnterHub makes the hub and goes on as the same process inside it, with the same arguments: then
// every connection that this process makes is in there. In the process that has entered, it
// returns the lock, which must be kept until the end.
func EnterHub() (*os.File, error) {
	const inside = "TORTURE_INSIDE_HUB" // the lock's descriptor, which survives exec
	if fd := os.Getenv(inside); fd != "" {
		n, err := strconv.Atoi(fd)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", inside, err)
		}
		syscall.CloseOnExec(n) // the nodes must not inherit it
		return os.NewFile(uintptr(n), lockPath), os.Unsetenv(inside)
	}
	lock, err := lockMachine()
	if err != nil {
		return nil, err
	}
	if err := removeLeftovers(); err != nil {
		return nil, fmt.Errorf("left-overs of an earlier run: %w", err)
	}
	if err := Command("ip", "netns", "add", HubNamespace()); err != nil {
		return nil, err
	}
	fd, err := syscall.Dup(int(lock.Fd())) // without close-on-exec
	if err != nil {
		return nil, err
	}
	nsenter, err := exec.LookPath("nsenter")
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	args := append([]string{nsenter, "--net=" + filepath.Join(netnsDir, HubNamespace()), "--", self}, os.Args[1:]...)
	return nil, syscall.Exec(nsenter, args, append(os.Environ(), fmt.Sprintf("%s=%d", inside, fd)))
}
