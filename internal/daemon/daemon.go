// Package daemon owns the process: it assembles the packages in the order in which they need each other, and stops
// them in the opposite one.
//
// It promises that Open either returns a daemon that serves or leaves nothing behind, that Close ends in bounded
// time with everything accepted finished or answered, and that no goroutine waits for a reader of the log. It makes
// no decision about data, and never reads flags: cmd/ciderd does. It exits only where continuing would be wrong.
package daemon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"ciderd/internal/accounts"
	"ciderd/internal/admin"
	"ciderd/internal/auth"
	"ciderd/internal/cluster"
	"ciderd/internal/config"
	"ciderd/internal/fsm"
	"ciderd/internal/machine"
	"ciderd/internal/peer"
	"ciderd/internal/recovery"
	"ciderd/internal/report"
	"ciderd/internal/server"
	"ciderd/internal/web"
)

// Daemon is one running node with its ports.
type Daemon struct {
	config   *config.Config
	version  string
	log      hclog.Logger // logs.Main
	logs     Logs
	node     *cluster.Node
	server   *server.Server
	serving  atomic.Pointer[server.Server] // server, for fatal, which may be called before it exists
	hasher   *auth.Hasher
	accounts *accounts.Accounts
	web      *web.Server // nil: its port could not be opened, or none is set
	webPort  net.Listener
	hosts    atomic.Pointer[config.Hosts]      // listen.admin_hosts
	alike    atomic.Pointer[map[string]string] // see config.Alike
	socket   *admin.Server                     // for the operators
	reports  *report.Source                    // what clients and both of them show
	ports    ports                             // of clients
	failed   chan error                        // of a port that stopped serving
	empty    bool                              // the data directory was empty at the start
	wg       sync.WaitGroup
	cancel   context.CancelFunc
	ending   sync.Mutex // held by fatal
	// reloading is held while the daemon opens and by each reload: they come one after the other, whoever asks. Only its
	// holder changes config.Runtime, with runtime held: whoever reads that needs one of the two.
	reloading, runtime sync.Mutex

	encryption *encryption
	peers      *peer.Security
	exit       func(code int)
	draining   atomic.Bool // out of traffic, until an operator says otherwise or the process ends
	drains     sync.Mutex  // makes a change of draining, with all that comes with it, one step
}

// Open starts a node. It returns when its ports are bound and it takes part in its cluster, which may be before it
// serves reads: see WaitReady.
func Open(c *config.Config, version string, logs Logs) (*Daemon, error) {
	d := &Daemon{config: c, version: version, log: logs.Main, logs: logs, failed: make(chan error, 9), exit: os.Exit}
	fsm.Release = version
	note(d, c)
	ctx, cancel := context.WithCancel(context.Background())
	d.cancel = cancel
	d.reloading.Lock()
	defer d.reloading.Unlock()
	if err := d.open(ctx); err != nil {
		cancel()
		d.wg.Wait()
		return nil, err
	}
	return d, nil
}

// open binds the ports first: a node that cannot serve should not join, and a port in use should be reported before
// any data is touched.
func (d *Daemon) open(ctx context.Context) error {
	if err := d.openEncryption(); err != nil {
		return err
	}
	var err error
	if d.ports, err = d.openPorts(); err != nil {
		return err
	}
	peerListener, err := d.listenPeer()
	if err != nil {
		d.ports.close()
		return err
	}
	telling := atomic.Pointer[report.Source]{} // other nodes may ask before there is one
	reports := newReports(&telling)
	if d.hasher, err = auth.NewHasher(auth.Options{Cost: d.config.Auth.BcryptCost}); err == nil {
		err = d.openNode(peerListener, reports)
	}
	if err == nil {
		d.accounts = accounts.New(accountsConfig(&d.config.Runtime), sessionsNode{Node: d.node}, d.hasher)
		d.accounts.OnFailure(newFailedLogins(d.log.Named("accounts")).tell)
		d.reports = reporting{d, &d.serving, reports}.source()
		telling.Store(d.reports)
		if err = d.openSocket(); err != nil {
			err = errors.Join(err, d.node.Close(ctx))
			peerListener = nil // the node has closed it
		}
	}
	if err != nil {
		d.ports.close()
		if peerListener != nil {
			peerListener.Close()
		}
		return err
	}
	c := serverConfig(d.config, d.version)
	c.Redis = d.redisConfig()
	d.server = server.New(c, sessionsNode{d.node, d.reports}, d.accounts, d.log.Named("server"))
	d.serving.Store(d.server)
	d.servePorts()
	if kept := clientFiles(d.config.Limits.MaxConnections); kept < d.config.Limits.MaxConnections {
		d.log.Warn("fewer connections than configured, for want of file descriptors", "connections", kept)
	}
	d.openWeb()
	d.wg.Go(func() { d.tellSystemd(ctx) })
	d.wg.Go(func() { d.tuneMemory(ctx) })
	d.wg.Go(func() { d.reports.Watch(ctx) })
	d.wg.Go(func() { d.encryption.watch(ctx, d.encryptionReminders) })
	return nil
}

// note keeps what of a configuration is read from any goroutine.
func note(d *Daemon, c *config.Config) {
	alike, hosts := c.Alike(), c.AdminHosts
	d.alike.Store(&alike)
	d.hosts.Store(&hosts)
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

func (d *Daemon) openNode(peerListener net.Listener, reports *cluster.Reports) error {
	c := cluster.Config{
		Cluster: d.config.ClusterName, Node: d.config.NodeName, DataDir: d.config.DataDir,
		Listener: peerListener, Log: d.log, RaftLog: d.logs.Raft, Fatal: d.fatal,
	}
	file := fileLimits(d.config)
	c.Members, c.Limits = members(d.config), &file
	c.MachineMemory, c.Heap, c.Taken, c.Collections = machineMemory, heap, taken, machine.Collections
	c.PeerSecurity, c.Draining = d.peers, d.draining.Load
	c.Reports = reports
	if e := d.config.Election; e > 0 {
		c.Timing = cluster.TimingFor(e)
	} else {
		c.AdaptElection = true
	}
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

// Survivor returns the stopped node of a configuration, for recovery.
func Survivor(c *config.Config, version string, log hclog.Logger) (*recovery.Survivor, error) {
	fsm.Release = version
	_, security, err := openEncryption(c, log)
	if err != nil {
		return nil, err
	}
	dir := c.DataDir
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	return &recovery.Survivor{
		Cluster: c.ClusterName, Node: c.NodeName, DataDir: dir, Log: log, Members: members(c), Security: security,
	}, nil
}

func serverConfig(c *config.Config, version string) server.Config {
	return server.Config{
		MaxValue:       c.Limits.MaxValueSize,
		MaxConnections: clientFiles(c.Limits.MaxConnections),
		MaxPerAddress:  c.Limits.MaxConnectionsPerAddress,
		MaxPerUser:     c.Limits.MaxConnectionsPerUser,
		IdleTimeout:    c.Auth.IdleTimeout,
		LoginTimeout:   c.Auth.LoginTimeout,
		WriteTimeout:   c.Timeouts.Write,
		StallTimeout:   c.Limits.Stall,
		MaxOutput:      int64(c.Limits.MaxOutput),
		ProxyFrom:      c.ProxyFrom.List(),
		HidePassword:   c.Auth.HidePassword,
		CRLF:           c.Newline == config.NewlineCRLF,
		Version:        version,
	}
}

// fatal ends the process where continuing would be wrong. It closes the clients' connections first: a process whose
// disk hangs may not be able to end before its disk does, and no client should wait for it.
func (d *Daemon) fatal(err error) {
	d.ending.Lock() // never unlocked: the first reason is the one that is logged
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

// Failed returns a channel that gets an error if a port stops serving while the daemon runs.
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

// CloseLimit is about how long Close takes at most.
func (d *Daemon) CloseLimit() time.Duration {
	d.runtime.Lock() // not reloading, whose holder may wait for a disk
	defer d.runtime.Unlock()
	return max(d.config.Timeouts.Shutdown, time.Second)
}

// Close hands leadership over, finishes what was accepted and closes everything, in about the configured shutdown
// timeout at most.
func (d *Daemon) Close() error {
	_ = notify(stopping) // systemd may not hear it, which does no harm
	d.cancel()
	ctx, cancel := context.WithTimeout(context.Background(), d.CloseLimit())
	defer cancel()
	// Leadership first: what is accepted meanwhile goes to the new leader, and the others wait for a short election
	// instead of a timeout.
	if err := d.node.Transfer(ctx); err != nil {
		d.log.Warn("leadership was not handed over; the others will elect", "error", err)
	}
	// Sessions that wait for a write without a quorum would wait longer than Close may.
	stop := context.AfterFunc(ctx, d.node.Abandon)
	err := d.server.Shutdown(ctx)
	stop()
	if errors.Is(err, context.DeadlineExceeded) {
		d.log.Warn("some client connections were closed before they had finished", "error", err)
		err = nil
	}
	if d.web != nil {
		err = errors.Join(err, d.web.Close())
	}
	err = errors.Join(err, d.socket.Close())
	// What sessions had accepted is done or answered by now, so the node has little to wait for.
	err = errors.Join(err, d.node.Close(ctx))
	d.wg.Wait()
	return err
}
