package rig

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"ciderd/test/harness"
	"ciderd/test/overlay"
	"ciderd/test/torture/judge"
)

// A Node is one ciderd in a namespace of its own, on a disk of its own.
type Node struct {
	Name   string
	Link   *Link
	Disk   *Disk
	bin    string
	config string
	Log    Log
	clock  string // the file that says by how much its wall clock is off, see SetClock

	Proc   *harness.Process
	Paused bool
	// MayEnd: the fault at hand may end the process, or does so itself.
	MayEnd bool
	tracer *harness.Process
	unread *os.File // the other end of its output, where that is a pipe; nil: it is log

	Level  atomic.Int32 // of trouble, see judge.Strain
	Starts atomic.Int64 // of the process, so that a client knows why its connection is gone
}

func (n *Node) text() string { return n.Link.address() + ":8080" }
func (n *Node) Peer() string { return n.Link.address() + ":7000" }

// Start runs the daemon and returns at once.
func (n *Node) Start() error {
	if n.Running() {
		return nil
	}
	output, err := os.OpenFile(n.Log.Path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o666)
	if err != nil {
		return err
	}
	defer func() { _ = output.Close() }()
	return n.startTo(output)
}

// StartUnread is start with an output that is full and that nobody reads, until the node is healed.
func (n *Node) StartUnread() error {
	r, w, err := harness.FullPipe()
	if err != nil {
		return err
	}
	defer func() { _ = w.Close() }()
	n.unread = r
	return n.startTo(w)
}

func (n *Node) startTo(output *os.File) error {
	args := append(n.Link.within(), n.bin, "-config", n.config, "-node", n.Name)
	env := []string{overlay.ClockFile + "=" + n.clock}
	proc, err := harness.StartProcessTo(output, "nsenter", filepath.Dir(n.config), env, args...)
	if err != nil {
		return fmt.Errorf("starting %s: %w", n.Name, err)
	}
	n.Proc, n.Paused = proc, false
	n.Starts.Add(1)
	return nil
}

// Running reports whether the process exists, paused or not.
func (n *Node) Running() bool {
	if n.Proc == nil {
		return false
	}
	select {
	case <-n.Proc.Done():
		return false
	default:
		return true
	}
}

// Kill ends the process with SIGKILL and waits until it is gone.
func (n *Node) Kill() error {
	n.MayEnd = true
	if n.Proc == nil {
		return nil
	}
	return n.Proc.Kill()
}

// stopLimit is generous: what is accepted may have to wait for an election.
const stopLimit = 60 * time.Second

// Terminate sends SIGTERM and wants exit code 0.
func (n *Node) Terminate() error {
	n.MayEnd = true
	if err := n.Proc.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	code, err := n.Proc.ExitCode(stopLimit)
	if err == nil && code != 0 {
		err = fmt.Errorf("exit code %d", code)
	}
	if err != nil {
		return judge.Violationf("SIGTERM to %s: %v", n.Name, err)
	}
	return nil
}

func (n *Node) Pause() error {
	n.Paused = true
	return n.Proc.Pause()
}

// Resume ends a Pause.
func (n *Node) Resume() error {
	n.Paused = false
	return n.Proc.Resume()
}

// Trace makes system calls of the node fail or wait, by strace's -e inject.
func (n *Node) Trace(calls, inject string) error {
	pid, err := n.pid()
	if err != nil {
		return err
	}
	n.tracer, err = harness.StartProcess("strace", filepath.Dir(n.config), n.Log.Path+".strace", nil,
		"-f", "-qq", "-p", strconv.Itoa(pid), "-e", "trace="+calls, "-e", "inject="+calls+":"+inject)
	return err
}

func (n *Node) Untrace() error {
	if n.tracer == nil {
		return nil
	}
	// SIGTERM makes strace let go of the process; killed, it would leave it stopped.
	err := n.tracer.Signal(syscall.SIGTERM)
	if err == nil {
		if _, err = n.tracer.ExitCode(10 * time.Second); err != nil {
			err = n.tracer.Kill()
		}
	}
	n.tracer = nil
	return err
}

func (n *Node) pid() (int, error) {
	if !n.Running() {
		return 0, fmt.Errorf("%s does not run", n.Name)
	}
	// The daemon is all that runs in its namespace, once nsenter has become it.
	var pid int
	err := harness.Until(10*time.Second, n.Name+" is in its namespace", func() error {
		out, err := exec.Command("ip", "netns", "pids", n.Link.namespace).Output()
		if err != nil {
			return err
		}
		pid, err = strconv.Atoi(strings.TrimSpace(string(out)))
		return err
	})
	return pid, err
}

// heal takes back what was done to the node and its surroundings, and starts it if it has ended.
func (n *Node) heal() error {
	errs := []error{n.Link.Heal(), n.Disk.Heal(), n.Untrace(), n.SetClock(0)}
	if n.Running() && n.Paused {
		errs = append(errs, n.Resume())
	}
	if n.unread != nil {
		errs = append(errs, n.unread.Close())
		n.unread = nil
	}
	return errors.Join(errs...)
}

// remove takes what the node was given off the machine. It must not run.
func (n *Node) remove() error {
	var errs []error
	if n.Disk != nil {
		errs = append(errs, n.Disk.remove())
	}
	if n.Link != nil {
		errs = append(errs, n.Link.remove())
	}
	return errors.Join(errs...)
}

// Status is what the node says of itself on its admin port.
type Status struct {
	ServerID string
	Role     string
	Term     uint64
	Applied  uint64
	Ready    bool
	Voter    bool
	// Goroutines is of the process.
	Goroutines int
	Waiting    string
	PeerTLS    string
}

var admin = &http.Client{Timeout: 3 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

// Status asks the node itself.
func (n *Node) Status() (s Status, err error) {
	if !n.Running() || n.Paused {
		return s, fmt.Errorf("%s does not answer", n.Name)
	}
	resp, err := admin.Get("http://" + n.Link.address() + ":8081/status")
	if err != nil {
		return s, err
	}
	defer func() { _ = resp.Body.Close() }()
	return s, json.NewDecoder(resp.Body).Decode(&s)
}

// Serving is nil if the node has caught up and is a full member.
func (n *Node) Serving() error {
	s, err := n.Status()
	switch {
	case err != nil:
		return err
	case !s.Ready:
		return fmt.Errorf("%s waits: %s", n.Name, s.Waiting)
	case !s.Voter:
		return fmt.Errorf("%s has no vote yet", n.Name)
	}
	return nil
}

// Usage is what the process holds at the moment.
func (n *Node) Usage() (u judge.Usage, err error) {
	if u.Pid, err = n.pid(); err != nil {
		return u, err
	}
	dir := filepath.Join("/proc", strconv.Itoa(u.Pid))
	fds, err := os.ReadDir(filepath.Join(dir, "fd"))
	if err != nil {
		return u, err
	}
	u.Descriptors = len(fds)
	s, err := n.Status()
	if err != nil {
		return u, err
	}
	if u.Goroutines = s.Goroutines; u.Goroutines == 0 {
		return u, errors.New("/status has no number of goroutines")
	}
	b, err := os.ReadFile(filepath.Join(dir, "status"))
	if err != nil {
		return u, err
	}
	_, rest, _ := bytes.Cut(b, []byte("VmRSS:"))
	if fields := strings.Fields(string(rest)); len(fields) > 0 {
		kib, err := strconv.ParseInt(fields[0], 10, 64)
		if err != nil {
			return u, err
		}
		u.RSS = kib << 10
	}
	return u, nil
}

// SetClock makes the node's wall clock jump, at once and for as long as the file says so; see
// overlay.MovableClock.
func (n *Node) SetClock(off time.Duration) error {
	if off == 0 {
		err := os.Remove(n.clock)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	next := n.clock + ".next" // a reader must not see half of it
	return errors.Join(os.WriteFile(next, []byte(off.String()), 0o600), os.Rename(next, n.clock))
}

// forPerson is the exit code of a node whose data directory needs a person.
const forPerson = 65

// NeedsPerson wants a process that has ended to have had that exit code.
func (n *Node) NeedsPerson() error {
	code, err := n.Proc.ExitCode(time.Second)
	if err == nil && code != forPerson {
		err = judge.Violationf("%s ended with exit code %d; want %d", n.Name, code, forPerson)
	}
	return err
}
