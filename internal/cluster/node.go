// Package cluster owns the replicated log: it brings writes into it exactly once whichever node leads, knows which
// node leads, and decides when this node may serve reads.
//
// It promises that a proposal has one outcome (see pipeline.Proposal), that a write it reports as done is on the
// disks of a majority and applied here, and that an index it returns for SYNC covers everything acknowledged
// earlier. It never looks into a command or a result, and never answers from another node's memory: results come
// from this node's own apply.
//
// A write: package pipeline makes batches and keeps those that are not done; sinks send them to the leader's Raft;
// the FSM applies each once and tells the pipeline; the notifier tells followers of the commit at once. The
// packages membership, diskspace and divergence decide about servers, full disks and states that differ: Open wires
// them to this node's Raft.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"ciderd/internal/clock"
	"ciderd/internal/diskspace"
	"ciderd/internal/divergence"
	"ciderd/internal/eviction"
	"ciderd/internal/fsm"
	"ciderd/internal/limits"
	"ciderd/internal/membership"
	"ciderd/internal/peer"
	"ciderd/internal/peerstate"
	"ciderd/internal/pipeline"
	"ciderd/internal/storage"
)

// Config is what a node needs to know.
type Config struct {
	Cluster string       // its name: nodes of another one are refused
	Node    string       // this node's name
	Members peer.Members // every node of the file, this one included; a single node: itself
	// DataDir is created if it does not exist.
	DataDir string
	// Listener is the peer port; nil for a single node, which needs none. The node closes it.
	Listener net.Listener
	// Clock is the cluster's time; nil: the machine's.
	Clock *clock.Clock
	Log   hclog.Logger
	// RaftLog is for the Raft library's own lines; nil: Log.
	RaftLog hclog.Logger
	// Fatal is called when the process must not continue (an entry that cannot be read); nil: the error is logged
	// and the process ends with status 1.
	Fatal func(error)
	// FreeSpace returns the bytes that are left for the data directory; nil: asks the file system.
	FreeSpace func() (uint64, error)
	// PeerSecurity is how connections between nodes are protected, for this node only; nil: not at all. Its mode may
	// change while the node runs.
	PeerSecurity *peer.Security
	// Lookup resolves the names of other nodes' hosts; nil: as the machine does.
	Lookup peer.Lookup
	// Limits are those of the node's file; nil: the node proposes none.
	Limits *limits.File
	// MachineMemory returns how much memory there is for this process, in bytes; 0, or nil: not known.
	MachineMemory func() int64
	// Heap returns the live heap and what lies unused between its objects, in bytes; 0, or nil: not known.
	Heap func() (live, unused int64)
	// Taken returns the memory of the process that no file stands behind, in bytes; 0, or nil: not known.
	Taken func() int64
	// Collections returns how many garbage collections there have been; nil: always another number.
	Collections func() uint64
	// Reports is what nodes say of themselves; nil: this one says nothing. It belongs to this node from then on.
	Reports *Reports
	// Draining reports whether this node is taken out of traffic: then it leads only if no other can. nil: it never is.
	Draining func() bool
	// Timing overrides Raft's timeouts; the zero value is DefaultTiming.
	Timing Timing
	// AdaptElection has a follower wait longer where its leader's messages come late; see electionWait.
	AdaptElection bool
	// JournalSize overrides the size of a new journal's files, in bytes; see storage.OpenWith. 0: the usual one.
	JournalSize int64
	// Polls overrides how often this node checks itself; zero fields are those of DefaultPolls.
	Polls Polls
}

// Node is one member of the cluster, or a cluster by itself. All methods may be called from any goroutine.
type Node struct {
	config   Config
	log      hclog.Logger
	clock    *clock.Clock
	storage  *storage.Storage
	fsm      *fsm.FSM
	pipeline *pipeline.Pipeline
	network  *peer.Network
	port     *peer.Listener // nil: a single node, which needs none
	peers    *peerstate.Peers
	raft     *consensus

	// These use Raft; wire.go says what each gets of the others.
	membership *membership.Membership
	space      *diskspace.Space
	divergence *divergence.Watch

	serving      *serving
	status       *status
	time         *timekeeper
	formats      *formats
	forwards     *forwards
	transfers    *transfers
	campaigner   *campaigner
	electionWait *electionWait // nil: timeouts stay as they are
	readIndex    *readIndex
	evictor      *eviction.Evictor
	limits       *limits.Keeper
	notifier     *notifier
	snapshots    *snapshots
	incarnations *incarnations

	streams   *streams
	receiver  *receiver
	transport *raft.NetworkTransport
	// waitsForSpace is storage.WaitsForSpace, except in tests.
	waitsForSpace func() bool

	counts counts

	ctx    context.Context // ends when Close begins to stop what runs in the background
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

// Open starts a node. It returns as soon as the node takes part; Ready reports when it may be read.
func Open(c Config) (*Node, error) {
	if c.RaftLog == nil {
		c.RaftLog = c.Log
	}
	st, err := storage.OpenWith(c.DataDir, c.JournalSize, c.RaftLog, c.fatal)
	if err != nil {
		return nil, err
	}
	if err := mayStart(&c, st); err != nil {
		return nil, errors.Join(err, st.Close())
	}
	book, err := membership.OpenBook(st, c.Members, c.Lookup)
	if err != nil {
		return nil, errors.Join(err, st.Close())
	}
	n := newNode(c, st, book)
	if err := n.start(); err != nil {
		n.cancel()
		n.membership.Wait()
		n.wg.Wait()
		return nil, errors.Join(err, n.network.Close(), st.Close())
	}
	return n, nil
}

// mayStart refuses a directory that has no server, is another node's, is that of a removed server, or holds
// impossible values.
func mayStart(c *Config, st *storage.Storage) error {
	if err := st.Claim(c.DataDir, storage.Owner{Cluster: c.Cluster, Node: c.Node}); err != nil {
		return err
	}
	begun, err := st.Notes().Recovering()
	if err != nil {
		return err
	}
	if begun != nil {
		return storage.ForPerson(fmt.Sprintf("ciderd recover was broken off in %s: run it again (the directory as it was is %s beside it)", c.DataDir, begun.Copy))
	}
	removed, err := st.Notes().Removed()
	if removed {
		err = membership.ErrRemoved
	}
	if err == nil {
		err = st.Plausible()
	}
	return err
}

func (c *Config) setDefaults() {
	if c.Timing == (Timing{}) {
		c.Timing = DefaultTiming
	}
	if len(c.Members) == 1 {
		// A single node cannot mistake silence: be ready at once.
		c.Timing.Heartbeat, c.Timing.Election, c.Timing.Lease = aloneTimeout, aloneTimeout, aloneTimeout
	}
	c.Polls.setDefaults()
	if c.FreeSpace == nil {
		c.FreeSpace = func() (uint64, error) { return storage.FreeSpace(c.DataDir) }
	}
	if c.MachineMemory == nil {
		c.MachineMemory = func() int64 { return 0 }
	}
	if c.Draining == nil {
		c.Draining = func() bool { return false }
	}
	if c.Collections == nil {
		var n uint64
		c.Collections = func() uint64 { n++; return n }
	}
	if c.Heap == nil {
		c.Heap = func() (live, unused int64) { return 0, 0 }
	}
	if c.Taken == nil {
		c.Taken = func() int64 { return 0 }
	}
	if c.Clock == nil {
		c.Clock = clock.New(nil)
	}
}

// start starts everything that runs in the background.
func (n *Node) start() error {
	if n.config.Limits != nil {
		if err := n.limits.Begin(); err != nil {
			return err
		}
	}
	if err := n.comeAlone(); err != nil {
		return err
	}
	if err := n.startRaft(); err != nil {
		return errors.Join(err, n.stopListening())
	}
	n.membership.Start()
	for _, run := range n.loops() {
		n.wg.Go(func() { run(n.ctx) })
	}
	if n.config.Limits != nil {
		n.wg.Go(func() { n.limits.Run(n.ctx) })
	}
	n.wg.Go(func() {
		n.membership.Form(n.ctx)
		n.catchUp(n.ctx)
	})
	return nil
}

// comeAlone opens the peer port, on which only claims are served at first, and returns when no other process is
// known to be this server.
func (n *Node) comeAlone() error {
	if n.config.Listener == nil {
		return nil
	}
	n.port = n.network.Listen(n.config.Listener, n.membership.Rules())
	n.port.Handle(peer.KindRaft, func(c net.Conn, from peer.Identity) { n.receiver.serve(c, from) })
	n.port.Handle(peer.KindForward, n.forwards.serve)
	n.port.Start()
	if err := n.membership.ComeAlone(); err != nil {
		return errors.Join(err, n.stopListening())
	}
	return nil
}

func (n *Node) stopListening() error {
	n.cancel() // ends handlers
	if n.port == nil {
		return nil
	}
	return n.port.Close()
}

func (n *Node) startRaft() (err error) {
	n.transport = newTransport(n.streams, n.config.RaftLog.Named("transport"), rpcTimeout)
	n.notifier.transport = n.transport
	applied := committedFSM{n.fsm, func(index uint64, c raft.Configuration) { n.membership.Committed(index, serversOf(c)) }}
	n.raft.Raft, err = raft.NewRaft(n.raftConfig(), applied, n.storage.Logs, n.storage.Stable, n.storage.Snapshots, n.forRaft())
	if err != nil {
		return errors.Join(fmt.Errorf("starting Raft: %w", err), n.transport.Close())
	}
	// Before any message of another node can arrive: without it Raft's answers about a snapshot's end differ.
	n.storage.Serve(storage.Hooks{
		HangLimit: n.hangLimit, NoSpace: n.space.Full, Snapshot: n.snapshots.last, Leads: n.raft.Leads,
	})
	if n.port != nil {
		n.port.Runs()
	}
	return nil
}

func (n *Node) forRaft() *raftTransport {
	return &raftTransport{n.transport, n.receiver, n.network.Heard, n.config.Timing.Election, func() { signal(n.snapshots.tooOld) }, n.transfers.campaigns}
}

// hangLimit returns how long a write to this node's disk may take: all clients wait for a leader's, and none for a
// follower's. A node that leads alone has no other that could take over.
func (n *Node) hangLimit() time.Duration {
	if others, _ := n.raft.Voters(); len(others) > 0 && n.raft.Leads() {
		return 5 * time.Second
	}
	return 30 * time.Second
}

// maxAppendEntries is how many entries Raft sends a follower at once, and takes into its own queue:
// entries are batches already, so they need not be many.
const maxAppendEntries = 16

func (n *Node) raftConfig() *raft.Config {
	c := raft.DefaultConfig()
	c.LocalID = raft.ServerID(n.raft.self)
	c.HeartbeatTimeout, c.ElectionTimeout = n.config.Timing.Heartbeat, n.config.Timing.Election
	c.LeaderLeaseTimeout, c.CommitTimeout = n.config.Timing.Lease, n.config.Timing.Commit
	c.SnapshotInterval, c.SnapshotThreshold = never, neverByCounting
	c.TrailingLogs = maxTrailing
	c.NoLegacyTelemetry = true
	c.MaxAppendEntries = maxAppendEntries
	c.BatchApplyCh = true
	c.Logger = n.config.RaftLog
	return c
}

// catchUp makes the node ready once it has applied everything that was acknowledged when it started: its answers
// never go back, not even over its own restarts. After that it stays ready.
func (n *Node) catchUp(ctx context.Context) {
	start := time.Now()
	if err := n.membership.CheckRecovery(ctx); err != nil {
		n.config.fatal(err)
		return
	}
	for ctx.Err() == nil {
		if err := n.trySync(ctx); err == nil {
			n.serving.SetWaiting("")
			n.serving.caughtUp.Store(true)
			n.log.Info("ready", "applied", n.fsm.Applied(), "after", time.Since(start).Round(time.Millisecond).String())
			return
		}
	}
}

// trySync tries once to catch up. Meanwhile it reports why that takes so long.
func (n *Node) trySync(ctx context.Context) error {
	try, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	done := make(chan error, 1)
	n.wg.Go(func() { done <- n.Sync(try) })
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case err := <-done:
			return err
		case <-tick.C:
			n.serving.SetWaiting(n.missing(ctx))
		}
	}
}

// missing returns why this node cannot catch up.
func (n *Node) missing(ctx context.Context) string {
	n.peers.AskAll(ctx)
	if leader := peer.NodeName(n.raft.Leader()); leader != "" {
		return n.status.withSilent("catching up with " + leader)
	}
	return n.status.withSilent("catching up: no leader")
}

func (c *Config) fatal(err error) {
	if c.Fatal != nil {
		c.Fatal(err)
		return
	}
	c.Log.Error("this node cannot go on", "error", err)
	os.Exit(1)
}

// Ready reports whether reads here are served.
func (n *Node) Ready() bool { return n.serving.ready() }

// Known reports whether the data directory held anything when the node was opened.
func (n *Node) Known() bool { return n.storage.Known }

// FSM returns the node's copy of the state, for reading.
func (n *Node) FSM() *fsm.FSM { return n.fsm }

// Clock returns the cluster's time as this node knows it.
func (n *Node) Clock() *clock.Clock { return n.clock }

// Propose brings commands into the log; see pipeline.Pipeline.Propose.
func (n *Node) Propose(g fsm.Group, timeout time.Duration) *pipeline.Proposal {
	return n.pipeline.Propose(g, timeout)
}

// Reads reports whether every server is known to read entries of a version.
func (n *Node) Reads(version int) bool { return n.formats.all() >= version }

// Sync returns once this node has applied every write that had been answered OK anywhere when Sync was called. It
// tries until ctx ends, and then returns ErrNoLeader if no leader was known, else ErrTimeout.
func (n *Node) Sync(ctx context.Context) error { return n.readIndex.sync(ctx) }

// Limits returns the part of the node that takes over the limits of its file.
func (n *Node) Limits() *limits.Keeper { return n.limits }

// Membership returns the part of the node that knows and changes its members.
func (n *Node) Membership() *membership.Membership { return n.membership }

// Transfer hands leadership to an up-to-date voter, if this node leads and there is another one.
func (n *Node) Transfer(ctx context.Context) error { return n.transfers.transfer(ctx) }

// Status returns what this node knows of itself.
func (n *Node) Status() Status { return n.status.of() }
