package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// patience is how long anything may take that is waited for.
const patience = 60 * time.Second

// process is a server that runs, or has.
type process struct {
	binary string
	args   []string
	dir    string
	log    string
	cmd    *exec.Cmd
	ended  chan struct{}
}

func newProcess(dir, name, binary string, args ...string) *process {
	return &process{binary: binary, args: args, dir: dir, log: filepath.Join(dir, name+".log")}
}

// start is called by main's goroutine only: see init.
func (p *process) start() error {
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o666)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(p.binary, p.args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = p.dir, log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	for _, v := range os.Environ() { // what configures servers is here alone
		if !strings.HasPrefix(v, "CIDERD_") && !strings.HasPrefix(v, "ETCD_") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	p.cmd, p.ended = cmd, make(chan struct{})
	go func(ended chan struct{}) {
		_ = cmd.Wait()
		close(ended)
	}(p.ended)
	return nil
}

// kill ends it with SIGKILL.
func (p *process) kill() {
	if p.cmd != nil {
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
}

// cpu is how much time of processors it has taken, to the nanosecond: ticks of /proc miss what is brief.
func (p *process) cpu() time.Duration {
	clock := int32(^p.cmd.Process.Pid<<3 | 2) // as clock_getcpuclockid makes it
	var t unix.Timespec
	if unix.ClockGettime(clock, &t) != nil {
		return 0
	}
	return time.Duration(t.Nano())
}

// anonymous is its anonymous resident memory, in bytes: without the files that the kernel keeps for it.
func (p *process) anonymous() int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), "RssAnon:")
	f := strings.Fields(rest)
	if len(f) == 0 {
		return 0
	}
	kib, _ := strconv.ParseInt(f[0], 10, 64)
	return kib << 10
}

// tail is the end of its log.
func (p *process) tail() string {
	text, _ := os.ReadFile(p.log)
	if len(text) > 1000 {
		text = text[len(text)-1000:]
	}
	return string(text)
}

// until waits until a condition holds, that p runs all the while.
func (p *process) until(what string, holds func() error) error {
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		err := holds()
		if err == nil {
			return nil
		}
		select {
		case <-p.ended:
			return fmt.Errorf("%s: %s has ended: %s", what, p.binary, p.tail())
		default:
		}
		if time.Now().After(end) {
			return fmt.Errorf("%s: %w: %s", what, err, p.tail())
		}
	}
}

// nextPort is below those that the kernel gives to connections.
var nextPort = 23000 + os.Getpid()%3000

// freePort returns a port of loopback that nobody listens on.
func freePort() string {
	for ; ; nextPort++ {
		l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(nextPort))
		if err != nil {
			continue
		}
		_ = l.Close()
		nextPort++
		return strconv.Itoa(nextPort - 1)
	}
}

func answers(address string) func() error {
	return func() error {
		c, err := net.DialTimeout("tcp", address, time.Second)
		if err == nil {
			err = c.Close()
		}
		return err
	}
}

var errMissing = errors.New("not installed")

// program finds a program of another project.
func program(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, errMissing)
	}
	return path, nil
}
