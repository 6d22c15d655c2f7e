package torture

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"ciderd/internal/harness"
)

// A node is one ciderd in a namespace of its own, on a disk of its own.
type node struct {
	name   string
	link   *link
	disk   *disk
	bin    string
	config string
	log    string
	clock  string // the file that says by how much its wall clock is off, see setClock

	proc   *harness.Process
	paused bool
	// mayEnd: the fault at hand may end the process, or does so itself.
	mayEnd bool
	tracer *harness.Process
	unread *os.File // the other end of its output, where that is a pipe; nil: it is log

	level  atomic.Int32 // of trouble, see strain
	starts atomic.Int64 // of the process, so that a client knows why its connection is gone
}

func (n *node) text() string { return n.link.address() + ":8080" }
func (n *node) peer() string { return n.link.address() + ":7000" }

// start runs the daemon and returns at once.
func (n *node) start() error {
	if n.running() {
		return nil
	}
	output, err := os.OpenFile(n.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o666)
	if err != nil {
		return err
	}
	defer func() { _ = output.Close() }()
	return n.startTo(output)
}

// startUnread is start with an output that is full and that nobody reads, until the node is healed.
func (n *node) startUnread() error {
	r, w, err := harness.FullPipe()
	if err != nil {
		return err
	}
	defer func() { _ = w.Close() }()
	n.unread = r
	return n.startTo(w)
}

func (n *node) startTo(output *os.File) error {
	args := append(n.link.within(), n.bin, "-config", n.config, "-node", n.name)
	env := []string{"TESTCLOCK_FILE=" + n.clock}
	proc, err := harness.StartProcessTo(output, "nsenter", filepath.Dir(n.config), env, args...)
	if err != nil {
		return fmt.Errorf("starting %s: %w", n.name, err)
	}
	n.proc, n.paused = proc, false
	n.starts.Add(1)
	return nil
}

func (n *node) running() bool {
	if n.proc == nil {
		return false
	}
	select {
	case <-n.proc.Done():
		return false
	default:
		return true
	}
}

func (n *node) kill() error {
	n.mayEnd = true
	if n.proc == nil {
		return nil
	}
	return n.proc.Kill()
}

// stopLimit is generous: what is accepted may have to wait for an election.
const stopLimit = 60 * time.Second

// terminate sends SIGTERM and wants exit code 0.
func (n *node) terminate() error {
	n.mayEnd = true
	if err := n.proc.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	code, err := n.proc.ExitCode(stopLimit)
	if err == nil && code != 0 {
		err = fmt.Errorf("exit code %d", code)
	}
	if err != nil {
		return violationf("SIGTERM to %s: %v", n.name, err)
	}
	return nil
}

func (n *node) pause() error {
	n.paused = true
	return n.proc.Pause()
}

func (n *node) resume() error {
	n.paused = false
	return n.proc.Resume()
}

// trace makes system calls of the node fail or wait, by strace's -e inject.
func (n *node) trace(calls, inject string) error {
	pid, err := n.pid()
	if err != nil {
		return err
	}
	n.tracer, err = harness.StartProcess("strace", filepath.Dir(n.config), n.log+".strace", nil,
		"-f", "-qq", "-p", strconv.Itoa(pid), "-e", "trace="+calls, "-e", "inject="+calls+":"+inject)
	return err
}

func (n *node) untrace() error {
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

func (n *node) pid() (int, error) {
	if !n.running() {
		return 0, fmt.Errorf("%s does not run", n.name)
	}
	// The daemon is all that runs in its namespace, once nsenter has become it.
	var pid int
	err := harness.Until(10*time.Second, n.name+" is in its namespace", func() error {
		out, err := exec.Command("ip", "netns", "pids", n.link.namespace).Output()
		if err != nil {
			return err
		}
		pid, err = strconv.Atoi(strings.TrimSpace(string(out)))
		return err
	})
	return pid, err
}

// heal takes back what was done to the node and its surroundings, and starts it if it has ended.
func (n *node) heal() error {
	errs := []error{n.link.heal(), n.disk.heal(), n.untrace(), n.setClock(0)}
	if n.running() && n.paused {
		errs = append(errs, n.resume())
	}
	if n.unread != nil {
		errs = append(errs, n.unread.Close())
		n.unread = nil
	}
	return errors.Join(errs...)
}

// remove takes what the node was given off the machine. It must not run.
func (n *node) remove() error {
	var errs []error
	if n.disk != nil {
		errs = append(errs, n.disk.remove())
	}
	if n.link != nil {
		errs = append(errs, n.link.remove())
	}
	return errors.Join(errs...)
}

// status is what the node says of itself on its admin port.
type status struct {
	ServerID string
	Role     string
	Term     uint64
	Applied  uint64
	Ready    bool
	Voter    bool
	// Goroutines is of the process.
	Goroutines int
	Waiting    string
}

var admin = &http.Client{Timeout: 3 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

func (n *node) status() (s status, err error) {
	if !n.running() || n.paused {
		return s, fmt.Errorf("%s does not answer", n.name)
	}
	resp, err := admin.Get("http://" + n.link.address() + ":8081/status")
	if err != nil {
		return s, err
	}
	defer func() { _ = resp.Body.Close() }()
	return s, json.NewDecoder(resp.Body).Decode(&s)
}

// serving is nil if the node has caught up and is a full member.
func (n *node) serving() error {
	s, err := n.status()
	switch {
	case err != nil:
		return err
	case !s.Ready:
		return fmt.Errorf("%s waits: %s", n.name, s.Waiting)
	case !s.Voter:
		return fmt.Errorf("%s has no vote yet", n.name)
	}
	return nil
}

// logSince gives what the node has logged behind offset.
func (n *node) logSince(offset int64) string {
	b, err := os.ReadFile(n.log)
	if err != nil || int64(len(b)) < offset {
		return ""
	}
	return string(b[offset:])
}

// lastLine is the last one behind offset.
func (n *node) lastLine(offset int64) string {
	lines := strings.Split(strings.TrimSpace(n.logSince(offset)), "\n")
	return lines[len(lines)-1]
}

func (n *node) logSize() int64 {
	info, err := os.Stat(n.log)
	if err != nil {
		return 0
	}
	return info.Size()
}

// usage is what a process holds.
type usage struct {
	pid, descriptors, goroutines int
	rss                          int64 // bytes
}

func (n *node) usage() (u usage, err error) {
	if u.pid, err = n.pid(); err != nil {
		return u, err
	}
	dir := filepath.Join("/proc", strconv.Itoa(u.pid))
	fds, err := os.ReadDir(filepath.Join(dir, "fd"))
	if err != nil {
		return u, err
	}
	u.descriptors = len(fds)
	s, err := n.status()
	if err != nil {
		return u, err
	}
	if u.goroutines = s.Goroutines; u.goroutines == 0 {
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
		u.rss = kib << 10
	}
	return u, nil
}
