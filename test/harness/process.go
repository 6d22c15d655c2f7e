package harness

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Process is one run of the daemon: its pid, its output and its end.
// Its methods may be called from any goroutine.
type Process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when the process has ended
}

// StartProcess runs the binary in dir with args and, added to CleanEnv, env. Both outputs are appended to the file at logPath.
func StartProcess(bin, dir, logPath string, env []string, args ...string) (*Process, error) {
	log, err := os.OpenFile(logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o666)
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()
	return StartProcessTo(log, bin, dir, env, args...)
}

// StartProcessTo is StartProcess with an output that is open.
func StartProcessTo(output *os.File, bin, dir string, env []string, args ...string) (*Process, error) {
	cmd := exec.Command(bin, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, output, output
	cmd.Env = append(CleanEnv(), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := startOnLastingThread(cmd); err != nil {
		return nil, err
	}
	p := &Process{cmd: cmd, done: make(chan struct{})}
	go func() {
		// The state is read from cmd.ProcessState; the error repeats it.
		_ = cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// CleanEnv is this process's environment without the variables that configure
// ciderd (and those of this package, which look like them): a test's result must
// not depend on them.
func CleanEnv() []string {
	return slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "CIDERD_") })
}

// Pdeathsig ends a child when the thread that started it ends, which is what
// saves the machine from orphans when a test run is killed, so all children
// are started by one thread that lives as long as the process.
var startOnLastingThread = func() func(*exec.Cmd) error {
	type request struct {
		cmd *exec.Cmd
		err chan error
	}
	requests := make(chan request)
	start := sync.OnceFunc(func() {
		go func() {
			runtime.LockOSThread()
			for r := range requests {
				r.err <- r.cmd.Start()
			}
		}()
	})
	return func(cmd *exec.Cmd) error {
		start()
		r := request{cmd, make(chan error)}
		requests <- r
		return <-r.err
	}
}()

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// ExitCode waits up to limit for the end and gives the exit code, or -1 where
// a signal ended the process.
func (p *Process) ExitCode(limit time.Duration) (int, error) {
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode(), nil
	case <-time.After(limit):
		return 0, fmt.Errorf("pid %d still runs after %v", p.cmd.Process.Pid, limit)
	}
}

// Signal sends sig; a process that has ended already is no error.
func (p *Process) Signal(sig os.Signal) error {
	err := p.cmd.Process.Signal(sig)
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}

// Kill ends the process with SIGKILL and waits until it is gone.
func (p *Process) Kill() error {
	if err := p.Signal(syscall.SIGKILL); err != nil {
		return err
	}
	_, err := p.ExitCode(Limit)
	return err
}

// Pause sends SIGSTOP and returns once every thread stands still: the signal
// reaches the threads one by one, and until then the process still answers.
func (p *Process) Pause() error {
	if err := p.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	pid := p.cmd.Process.Pid
	return Until(Limit, fmt.Sprintf("pid %d stopped", pid), func() error { return allStopped(pid) })
}

// Resume ends a Pause.
func (p *Process) Resume() error { return p.Signal(syscall.SIGCONT) }

// Ended is nil if nothing of the process runs any more: it is gone, or all that is left of it are threads
// that cannot go before the disk has answered them.
func (p *Process) Ended() error {
	select {
	case <-p.done:
		return nil
	default:
	}
	return allIn(p.cmd.Process.Pid, "DZX")
}

// allStopped is nil if every thread of pid is in the state T (stopped).
func allStopped(pid int) error { return allIn(pid, "T") }

// allIn is nil if every thread of pid is in one of the states, letters as in /proc/PID/stat.
func allIn(pid int, states string) error {
	files, err := filepath.Glob(filepath.Join("/proc", strconv.Itoa(pid), "task", "*", "stat"))
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return errors.New("no such process")
	}
	for _, file := range files {
		stat, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if state := threadState(string(stat)); state == "" || !strings.Contains(states, state) {
			return fmt.Errorf("%s: state %q", file, state)
		}
	}
	return nil
}

// threadState takes the state letter out of a line of /proc/PID/stat. The
// command name before it is in parentheses and may hold some itself.
func threadState(stat string) string {
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(fields) == 0 {
		return ""
	}
	return fields[0]
}
