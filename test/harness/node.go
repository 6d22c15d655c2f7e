package harness

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// Node is one member of a cluster over all its runs. Its addresses and its
// directories stay the same. Methods that start or end something belong to the
// test's own goroutine and end the test on an error.
type Node struct {
	Name    string
	Text    string // host:port of the client protocol
	TextTLS string // host:port of the same with TLS, once there are certificates
	Redis   string // host:port for clients of Redis, if the cluster was made with that
	// RedisTLS is the same, encrypted, if the cluster has certificates too.
	RedisTLS string
	Admin    string // host:port of health and metrics
	DataDir  string
	LogPath  string // output of all runs, appended
	Relay    *Relay // what stands before its peer port; nil: nothing, see RelayPeers

	t      testing.TB
	bin    string
	config string
	env    []string
	peer   int
	// reached is where others reach that port: the same, unless there is a Relay.
	reached int
	proc    *Process
	paused  atomic.Bool
	tracer  *Process // makes the disk hang; nil: it does not
}

func newNode(t testing.TB, dir, bin string, i int) *Node {
	name := "n" + strconv.Itoa(i+1)
	loopback := func() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(FreePort(t))) }
	peer := FreePort(t)
	return &Node{
		Name: name, Text: loopback(), TextTLS: loopback(), Redis: loopback(), RedisTLS: loopback(), Admin: loopback(), peer: peer, reached: peer,
		DataDir: filepath.Join(dir, name), LogPath: filepath.Join(dir, name+".log"),
		t: t, bin: bin, config: filepath.Join(dir, "cluster.hcl"),
	}
}

// Use has the node's next start run another binary.
func (n *Node) Use(bin string) { n.bin = bin }

// Start runs the daemon and returns at once; see WaitServing.
func (n *Node) Start() {
	n.t.Helper()
	log, err := os.OpenFile(n.LogPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o666)
	if err != nil {
		n.t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	n.start(log)
}

func (n *Node) start(output *os.File) {
	n.t.Helper()
	if n.Running() {
		n.t.Fatalf("%s runs already", n.Name)
	}
	proc, err := StartProcessTo(output, n.bin, filepath.Dir(n.config), n.env, "-config", n.config, "-node", n.Name)
	if err != nil {
		n.t.Fatalf("starting %s: %v", n.Name, err)
	}
	n.proc = proc
	n.paused.Store(false)
}

// Pid is the process id of the running daemon.
func (n *Node) Pid() int { return n.proc.cmd.Process.Pid }

// Peer is host:port of the port between nodes.
func (n *Node) Peer() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(n.peer)) }

// Running tells whether the process exists, paused or not.
func (n *Node) Running() bool {
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

// Answers tells whether the process exists and is not paused.
func (n *Node) Answers() bool { return n.Running() && !n.paused.Load() }

// Kill ends the node with SIGKILL and waits until it is gone.
func (n *Node) Kill() {
	n.t.Helper()
	if n.proc == nil {
		return
	}
	if err := n.proc.Kill(); err != nil {
		n.t.Fatalf("killing %s: %v", n.Name, err)
	}
}

// Stop sends SIGTERM, waits up to limit and gives the exit code.
func (n *Node) Stop(limit time.Duration) int {
	n.t.Helper()
	if err := n.proc.Signal(syscall.SIGTERM); err != nil {
		n.t.Fatalf("stopping %s: %v", n.Name, err)
	}
	return n.WaitEnd(limit)
}

// WaitEnd waits up to limit for the process to end and gives the exit code.
func (n *Node) WaitEnd(limit time.Duration) int {
	n.t.Helper()
	code, err := n.proc.ExitCode(limit)
	if err != nil {
		n.t.Fatalf("stopping %s: %v", n.Name, err)
	}
	return code
}

// Signal sends any other signal.
func (n *Node) Signal(sig os.Signal) {
	n.t.Helper()
	if err := n.proc.Signal(sig); err != nil {
		n.t.Fatalf("%v to %s: %v", sig, n.Name, err)
	}
}

// Pause stops every thread of the node; Resume lets them run again.
func (n *Node) Pause() {
	n.t.Helper()
	n.paused.Store(true)
	if err := n.proc.Pause(); err != nil {
		n.t.Fatalf("pausing %s: %v", n.Name, err)
	}
}

// Resume ends a Pause.
func (n *Node) Resume() {
	n.t.Helper()
	if err := n.proc.Resume(); err != nil {
		n.t.Fatalf("resuming %s: %v", n.Name, err)
	}
	n.paused.Store(false)
}

// WipeData removes the data directory of a node that does not run.
func (n *Node) WipeData() {
	n.t.Helper()
	if n.Running() {
		n.t.Fatalf("%s still runs", n.Name)
	}
	if err := os.RemoveAll(n.DataDir); err != nil {
		n.t.Fatal(err)
	}
}

// Dial connects to the node's text port.
func (n *Node) Dial() (*Client, error) { return Dial(n.Text) }

// Serving is nil if the node accepts connections and has caught up: it judges a
// password instead of answering LOADING. The user it asks for does not exist.
func (n *Node) Serving() error {
	if !n.Running() {
		return fmt.Errorf("%s does not run", n.Name)
	}
	c, err := n.Dial()
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	if reply, err := c.Do("PING"); err != nil || reply != "PONG" {
		return fmt.Errorf("%s: PING: %q, %w", n.Name, reply, err)
	}
	err = c.Login("nobody", "nothing")
	var refused *ReplyError
	if errors.As(err, &refused) && refused.Code == "AUTH_FAILED" {
		return nil
	}
	return fmt.Errorf("%s: LOGIN: %w", n.Name, err)
}

// WaitServing waits up to Limit until Serving.
func (n *Node) WaitServing() {
	n.t.Helper()
	Eventually(n.t, n.Name+" serves", n.Serving)
}
