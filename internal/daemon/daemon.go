// Package daemon owns the process: it puts the rooms together in the order in which they need each
// other, and takes them apart in the opposite one.
//
// It promises that Open either gives a daemon that serves or leaves nothing behind, and that Close
// ends in bounded time with everything accepted finished or answered; and that nobody waits for who reads
// the log. It makes no decision about data, and never reads flags: that is cmd/ciderd's. It exits only where
// going on would be wrong.
package daemon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"ciderd/internal/admin"
	"ciderd/internal/auth"
	"ciderd/internal/cluster"
	"ciderd/internal/config"
	"ciderd/internal/fsm"
	"ciderd/internal/peer"
	"ciderd/internal/recovery"
	"ciderd/internal/server"
)

// Daemon is one running node with its ports.
type Daemon struct {
	config  *config.Config
	runtime atomic.Pointer[config.Runtime] // config.Runtime, for other goroutines than Reload's
	version string
	log     hclog.Logger // logs.Main
	logs    Logs
	node    *cluster.Node
	server  *server.Server
	serving atomic.Pointer[server.Server] // server, for fatal, which may be called before it is there
	hasher  *auth.Hasher
	admin   *http.Server
	socket  *admin.Server // for the operators
	failed  chan error    // of a port that stopped serving
	empty   bool          // the data directory was empty at the start
	wg      sync.WaitGroup
	cancel  context.CancelFunc
	ending  sync.Mutex // held by fatal
	exit    func(code int)
}

// Open starts a node. It returns when its ports are bound and it takes part in its cluster, which
// may be before it serves reads: see WaitReady.
func Open(c *config.Config, version string, logs Logs) (*Daemon, error) {
	d := &Daemon{config: c, version: version, log: logs.Main, logs: logs, failed: make(chan error, 4), exit: os.Exit}
	runtime := c.Runtime // a copy: Reload changes the original
	d.runtime.Store(&runtime)
	fsm.Release = version
	ctx, cancel := context.WithCancel(context.Background())
	d.cancel = cancel
	if err := d.open(ctx); err != nil {
		cancel()
		d.wg.Wait()
		return nil, err
	}
	return d, nil
}

// open binds the ports first: a node that cannot serve should not join, and a port that is taken
// should say so before any data is touched.
func (d *Daemon) open(ctx context.Context) error {
	text, err := listenText(d.config.Text)
	if err != nil {
		return err
	}
	peerListener, err := d.listenPeer()
	if err != nil {
		closeAll(text)
		return err
	}
	if d.hasher, err = auth.NewHasher(auth.Options{Cost: d.config.Auth.BcryptCost}); err == nil {
		err = d.openNode(peerListener)
	}
	if err == nil {
		if err = d.openSocket(); err != nil {
			err = errors.Join(err, d.node.Close(ctx))
			peerListener = nil // the node has closed it
		}
	}
	if err != nil {
		closeAll(text)
		if peerListener != nil {
			peerListener.Close()
		}
		return err
	}
	d.server = server.New(serverConfig(d.config, d.version), sessionsNode{d.node}, d.hasher, d.log.Named("server"))
	d.serving.Store(d.server)
	for _, l := range text {
		d.wg.Go(func() {
			if err := d.server.Serve(l); err != nil {
				d.failed <- fmt.Errorf("serving %s: %w", l.Addr(), err)
			}
		})
	}
	if kept := clientFiles(d.config.Limits.MaxConnections); kept < d.config.Limits.MaxConnections {
		d.log.Warn("fewer connections than configured, for want of file descriptors", "connections", kept)
	}
	d.openAdmin()
	d.wg.Go(func() { d.tellSystemd(ctx) })
	d.wg.Go(func() { tuneGC(ctx) })
	return nil
}

func (d *Daemon) listenPeer() (net.Listener, error) {
	if d.config.Single || d.config.Peer == "" {
		return nil, nil
	}
	l, err := net.Listen("tcp", d.config.Peer)
	if err != nil {
		return nil, fmt.Errorf("the port for other nodes: %w", err)
	}
	return l, nil
}

func (d *Daemon) openNode(peerListener net.Listener) error {
	c := cluster.Config{
		Cluster: d.config.ClusterName, Node: d.config.NodeName, DataDir: d.config.DataDir,
		Listener: peerListener, Log: d.log, RaftLog: d.logs.Raft, Fatal: d.fatal,
	}
	c.Members = members(d.config)
	var err error
	d.node, err = cluster.Open(c)
	if err == nil {
		d.empty = !d.node.Known()
	}
	return err
}

func members(c *config.Config) (list peer.Members) {
	for _, n := range c.Nodes {
		list = append(list, peer.Member{Name: n.Name, Address: n.PeerAddress})
	}
	return list
}

// Survivor is the stopped node of a configuration, for recovery.
func Survivor(c *config.Config, version string, log hclog.Logger) *recovery.Survivor {
	fsm.Release = version
	dir := c.DataDir
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	return &recovery.Survivor{
		Cluster: c.ClusterName, Node: c.NodeName, DataDir: dir, Log: log, Members: members(c),
	}
}

// sessionsNode is the node as the server wants it.
type sessionsNode struct{ *cluster.Node }

func (n sessionsNode) Propose(g fsm.Group, timeout time.Duration) server.Proposal {
	return n.Node.Propose(g, timeout)
}

func serverConfig(c *config.Config, version string) server.Config {
	return server.Config{
		MaxValue:       c.Limits.MaxValueSize,
		MaxConnections: clientFiles(c.Limits.MaxConnections),
		MaxPerAddress:  c.Limits.MaxConnectionsPerAddress,
		MaxUsers:       int64(c.Limits.MaxUsers),
		SignupClosed:   !c.Auth.SignupOpen,
		IdleTimeout:    c.Auth.IdleTimeout,
		LoginTimeout:   c.Auth.LoginTimeout,
		WriteTimeout:   c.Timeouts.Write,
		StallTimeout:   c.Limits.Stall,
		MaxOutput:      int64(c.Limits.MaxOutput),
		HidePassword:   c.Auth.HidePassword,
		CRLF:           c.Newline == config.NewlineCRLF,
		Version:        version,
	}
}

// fatal ends the process where going on would be wrong. The clients' connections go first: a process
// whose disk hangs may not be able to end before its disk does, and nobody should wait for it.
func (d *Daemon) fatal(err error) {
	d.ending.Lock() // for good: the first reason is the one that is said
	d.logs.Last(hclog.Error, "this node cannot go on", "error", err)
	if s := d.serving.Load(); s != nil {
		closed := make(chan struct{})
		go func() {
			s.Close()
			close(closed)
		}()
		select {
		case <-closed:
		case <-time.After(fatalGrace):
		}
	}
	d.logs.Flush()
	d.exit(ExitCode(err))
}

const fatalGrace = 200 * time.Millisecond

// Failed gives an error if a port stops serving while the daemon runs.
func (d *Daemon) Failed() <-chan error { return d.failed }

// readyPoll is how often WaitReady looks.
const readyPoll = 5 * time.Millisecond

// WaitReady returns once reads are served, or with ctx's error.
func (d *Daemon) WaitReady(ctx context.Context) error {
	for !d.node.Ready() {
		select {
		case <-time.After(readyPoll):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// Reload takes over what may change while the daemon runs, and says which keys need a restart; or nothing of it, if
// the file is another node's.
func (d *Daemon) Reload(c *config.Config) error {
	if err := config.Replaces(d.config, c); err != nil {
		return err
	}
	changed, needRestart := config.Diff(d.config, c)
	d.config.Runtime = c.Runtime
	d.runtime.Store(&c.Runtime)
	d.server.SetConfig(serverConfig(d.config, d.version))
	d.logs.setLevel(c.LogLevel)
	if err := d.hasher.SetCost(c.Auth.BcryptCost); err != nil {
		d.log.Error("bcrypt_cost", "error", err)
	}
	d.log.Info("configuration read again", "changed", changed, "need a restart", needRestart)
	return nil
}

// CloseLimit is about how long Close takes at most.
func (d *Daemon) CloseLimit() time.Duration { return max(d.config.Timeouts.Shutdown, time.Second) }

// Close hands leadership over, finishes what was accepted and closes everything, in about the
// configured shutdown timeout at most.
func (d *Daemon) Close() error {
	_ = notify(stopping) // a courtesy
	d.cancel()
	ctx, cancel := context.WithTimeout(context.Background(), d.CloseLimit())
	defer cancel()
	// Leadership first: what is accepted meanwhile goes to the new leader, and the others wait for
	// an election's moment instead of a timeout.
	if err := d.node.Transfer(ctx); err != nil {
		d.log.Warn("leadership was not handed over; the others will elect", "error", err)
	}
	// Sessions that wait for a write without a quorum would wait beyond our time.
	stop := context.AfterFunc(ctx, d.node.Abandon)
	err := d.server.Shutdown(ctx)
	stop()
	if errors.Is(err, context.DeadlineExceeded) {
		d.log.Warn("some clients were cut off", "error", err)
		err = nil
	}
	if d.admin != nil {
		err = errors.Join(err, d.admin.Close())
	}
	err = errors.Join(err, d.socket.Close())
	// What sessions had accepted is done or answered by now, so the node has little to wait for.
	err = errors.Join(err, d.node.Close(ctx))
	d.wg.Wait()
	return err
}
