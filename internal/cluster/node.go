// Package cluster owns the replicated log: it brings writes into it exactly once whoever leads,
// knows who leads, forms the cluster at its first start, and says when this node may serve reads.
//
// It promises that a proposal has one end (see pipeline.Proposal), that what it calls done is on the
// disks of a majority and applied here, and that an index it gives for SYNC holds everything
// acknowledged before. It never looks into a command or a result, and never answers from another
// node's memory: results come from this node's own apply.
//
// The write path: the package pipeline makes batches and keeps those that are not done; sink.go and
// forward.go bring them to the leader's Raft; the FSM applies each once and tells the pipeline;
// notify.go tells followers of the commit at once.
// Beside it: transport.go, query.go and copies.go (other nodes, and who they are), receive.go, scan.go and
// messages.go (what they say to Raft, and what of that cannot be), heard.go (who was heard of), outrun.go (batches
// that a process has not made in its name), form.go (first start), admit.go, change.go, joined.go
// and removed.go (servers come and go), lead.go and transfer.go (what follows from who leads, and handing
// it over), timing.go and suspect.go (a leader that is gone), readindex.go (SYNC), compact.go (snapshots),
// compare.go (equal states), peers.go (what the others say, and why they do not), outside.go (whom they do not count
// in), book.go (where they are), space.go, spacelead.go and formats.go (full disks), recovered.go (a cluster that
// was recovered from the loss of its quorum, see package recovery), stop.go (the end).
package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"ciderd/internal/clock"
	"ciderd/internal/fsm"
	"ciderd/internal/peer"
	"ciderd/internal/pipeline"
	"ciderd/internal/storage"
)

// Config is what a node needs to know.
type Config struct {
	Cluster string       // its name: nodes of another one are refused
	Node    string       // this node's name
	Members peer.Members // every node of the file, this one included; a single node: itself
	// DataDir is made if it is not there.
	DataDir string
	// Listener is the peer port; nil for a single node, which needs none. The node closes it.
	Listener net.Listener
	// Clock is the cluster's time; nil: the machine's.
	Clock *clock.Clock
	Log   hclog.Logger
	// RaftLog is for the Raft library's own lines; nil: Log.
	RaftLog hclog.Logger
	// Fatal is called when going on would be wrong (an entry that cannot be read); nil: the error
	// is logged and the process ends with status 1.
	Fatal func(error)
	// FreeSpace gives the bytes that are left for the data directory; nil: asks the file system.
	FreeSpace func() (uint64, error)
	// Lookup resolves the names of other nodes' hosts; nil: as the machine does.
	Lookup peer.Lookup
	// Timing overrides Raft's timeouts; the zero value is DefaultTiming.
	Timing Timing
}

// Node is one member of the cluster, or a cluster by itself.
type Node struct {
	config   Config
	self     peer.Identity
	log      hclog.Logger
	clock    *clock.Clock
	members  peer.Members
	storage  *storage.Storage
	fsm      *fsm.FSM
	raft     *raft.Raft
	streams  *streams
	receiver *receiver
	budget   *peer.Budget // of messages that others have begun to send
	claims   *claims
	outruns  outruns
	heard    *heard
	// confirming bounds how many others are asked whether they are who they say.
	confirming chan struct{}
	transport  *raft.NetworkTransport
	listener   *peer.Listener
	pipeline   *pipeline.Pipeline
	notifier   *notifier
	tooOld     chan struct{} // a follower has refused this node's newest snapshot, see compact.go
	forming    forming
	reads      *reads // rounds on the leader
	syncs      *reads // rounds of this node's own sessions
	// asked is of the round of syncs that goes on; nil: no other node is asked.
	asked atomic.Pointer[leaderQuestion]

	admissions *admissions
	space      *space
	formats    *formats
	weights    *weights
	heirs      heirs
	// waitsForRoom is storage.WaitsForRoom, but for tests.
	waitsForRoom func() bool

	ready       atomic.Bool
	lastStamp   int64                  // that the log has given; Raft's goroutine only
	disowned    atomic.Pointer[string] // why it is not known to be a member, see outside.go; nil: it is
	committed   atomic.Pointer[committedServers]
	withdrawn   atomic.Bool   // its state differs from the leader's, see compare.go
	suspecting  atomic.Bool   // of the leader, see suspect.go
	barrierTerm atomic.Uint64 // the last term in which a barrier of ours went through
	joined      atomic.Bool   // a committed configuration has had this server, see joined.go
	joins       chan struct{} // look again whether one has
	waiting     atomic.Pointer[string]
	waitingSaid saidLast
	peers       peers
	book        *peer.Book // where the others are

	taking sync.RWMutex // held for reading while a follower's batch is let into Raft's queue, see forward.go

	clientsMu sync.Mutex
	clients   map[string]*peer.Client

	ctx     context.Context // ends when Close begins to stop what runs in the background
	cancel  context.CancelFunc
	stopped <-chan struct{} // ctx.Done()
	wg      sync.WaitGroup
}

// Open starts a node. It returns as soon as the node takes part; Ready tells when it may be read.
func Open(c Config) (*Node, error) {
	if c.RaftLog == nil {
		c.RaftLog = c.Log
	}
	var opened atomic.Pointer[Node]
	st, err := storage.Open(c.DataDir, c.RaftLog, func(err error) {
		if n := opened.Load(); n != nil {
			n.fatal(err)
		} else {
			c.fatal(err)
		}
	})
	if err != nil {
		return nil, err
	}
	if err := mayStart(&c, st); err != nil {
		return nil, errors.Join(err, st.Close())
	}
	n := newNode(c, st)
	opened.Store(n)
	if err := n.start(); err != nil {
		n.cancel()
		n.wg.Wait()
		return nil, errors.Join(err, st.Close())
	}
	return n, nil
}

// mayStart refuses a directory that is no server's, another node's, of one that was told to go, or that says what
// cannot be.
func mayStart(c *Config, st *storage.Storage) error {
	if err := st.Claim(c.DataDir, storage.Owner{Cluster: c.Cluster, Node: c.Node}); err != nil {
		return err
	}
	begun, err := st.Recovering()
	if err != nil {
		return err
	}
	if begun != nil {
		return storage.ForPerson(fmt.Sprintf("ciderd recover was broken off in %s: run it again (the directory as it was is %s beside it)", c.DataDir, begun.Copy))
	}
	removed, err := st.Removed()
	if removed {
		err = errRemoved
	}
	if err == nil {
		err = st.Plausible()
	}
	return err
}

func newNode(c Config, st *storage.Storage) *Node {
	if c.Timing == (Timing{}) {
		c.Timing = timing(c.Log)
	}
	if len(c.Members) == 1 {
		// Alone there is no silence to be mistaken: be ready at once.
		c.Timing.Heartbeat, c.Timing.Election, c.Timing.Lease = aloneTimeout, aloneTimeout, aloneTimeout
	}
	if c.FreeSpace == nil {
		c.FreeSpace = func() (uint64, error) { return storage.FreeSpace(c.DataDir) }
	}
	if c.Clock == nil {
		c.Clock = clock.New(nil)
	}
	n := &Node{
		config: c, log: c.Log.Named("cluster"), clock: c.Clock, storage: st, waitsForRoom: st.WaitsForRoom,
		members: c.Members, clients: map[string]*peer.Client{},
		self:       peer.Identity{Cluster: c.Cluster, Node: c.Node, ServerID: c.Node + "/" + st.ShortID, Nonce: newNonce(), Release: fsm.Release},
		confirming: make(chan struct{}, confirming),
	}
	n.claims = newClaims(n)
	n.heard = newHeard()
	n.ctx, n.cancel = context.WithCancel(context.Background())
	n.stopped = n.ctx.Done()
	n.outruns.told = make(chan struct{}, 1)
	n.pipeline = pipeline.New(pipeline.Config{
		Origin: n.self.ServerID, Incarnation: st.Incarnation, Leader: n.leader, Open: n.openSink, Outrun: n.outruns.tell,
		Log: n.log,
	})
	n.notifier = newNotifier(n)
	n.tooOld = make(chan struct{}, 1)
	n.joins = make(chan struct{}, 1)
	n.admissions = &admissions{node: n, removed: map[string]bool{}}
	n.space = &space{node: n, free: c.FreeSpace, now: make(chan struct{}, 1)}
	n.formats = newFormats(n)
	n.weights = newWeights(n)
	n.reads = &reads{find: n.leaderReadIndex, ctx: n.ctx}
	n.syncs = &reads{find: n.readIndex, ctx: n.ctx}
	n.fsm = fsm.New(n.self.ServerID, fsm.Hooks{
		Stamp: n.observe, Results: n.pipeline.Applied, Restored: n.restored, Fatal: n.fatal,
	})
	return n
}

// restored is called when the state has been taken from a snapshot: this node's own at the start, or one
// that a leader has sent.
func (n *Node) restored(incarnation, sequence uint64) {
	n.log.Info("state taken from a snapshot", "index", n.fsm.Applied())
	n.pipeline.Restored(incarnation, sequence)
	signal(n.joins) // its configuration may have this server
}

func (n *Node) start() (err error) {
	if n.book, err = n.openBook(); err != nil {
		return err
	}
	n.budget = peer.NewBudget(peer.MaxUnfinished)
	if err := n.comeAlone(); err != nil {
		return err
	}
	if err := n.startRaft(); err != nil {
		return errors.Join(err, n.stopListening())
	}
	n.claims.begin()
	n.wg.Go(func() { n.pipeline.Run(n.ctx) })
	n.wg.Go(n.watchLeader)
	n.wg.Go(n.keepAhead)
	n.wg.Go(func() { n.sweep(n.ctx) })
	n.wg.Go(func() { n.compact(n.ctx) })
	n.wg.Go(func() { n.admissions.run(n.ctx) })
	n.wg.Go(func() { n.watchMembership(n.ctx) })
	n.wg.Go(func() { n.watchRecovery(n.ctx) })
	n.wg.Go(func() { n.compareStates(n.ctx) })
	n.wg.Go(func() { n.space.run(n.ctx) })
	n.wg.Go(func() {
		n.form(n.ctx)
		n.catchUp(n.ctx)
	})
	return nil
}

// comeAlone opens the peer port, on which nothing but claims is heard yet, and returns when no other process is
// known to be this server.
func (n *Node) comeAlone() error {
	if n.config.Listener == nil {
		return nil
	}
	n.listener = peer.NewListener(n.config.Listener, n.self, n.members.Has, n.log)
	n.listener.TellOutsiders(n.outsideAsOf)
	n.listener.Door(n.door)
	n.listener.Known(func(id string) bool { return n.claims.takesPart() && n.isServer(id) })
	n.listener.Handle(peer.KindRaft, func(c net.Conn, from peer.Identity) { n.receiver.serve(c, from) })
	n.listener.Handle(peer.KindForward, n.serveForward)
	n.listener.Handle(peer.KindQuery, n.serveQueries)
	n.listener.Start()
	n.claims.hold()
	if err := n.claims.alone(n.ctx); err != nil {
		return errors.Join(err, n.stopListening())
	}
	return nil
}

func (n *Node) stopListening() error {
	n.cancel() // ends handlers
	if n.listener == nil {
		return nil
	}
	return n.listener.Close()
}

func (n *Node) startRaft() (err error) {
	n.streams = newStreams(n.ctx, n.members, n.self)
	n.streams.book = n.book
	n.receiver = newReceiver(n.ctx, n.log, n.progress, n.budget, n.heard, n.connectionEnded)
	n.transport = newTransport(n.streams, n.config.RaftLog.Named("transport"), rpcTimeout)
	applied := committedFSM{n.fsm, n.committedConfiguration}
	n.raft, err = raft.NewRaft(n.raftConfig(), applied, n.storage.Logs, n.storage.Stable, n.storage.Snapshots, n.forRaft())
	if err != nil {
		return errors.Join(fmt.Errorf("starting Raft: %w", err), n.transport.Close())
	}
	// Before anybody else can be heard: without it Raft's answers about a snapshot's end differ.
	n.storage.Serve(storage.Hooks{
		HangLimit: n.hangLimit, NoRoom: n.space.noRoom, Snapshot: n.lastSnapshot,
		Leads: func() bool { return n.raft.State() == raft.Leader },
	})
	if n.listener != nil {
		n.listener.Runs()
	}
	return nil
}

func (n *Node) forRaft() *raftTransport {
	return &raftTransport{n.transport, n.receiver, n.heard, n.config.Timing.Election, func() { signal(n.tooOld) }}
}

// progress is how far this node's Raft has come; not before that has started.
func (n *Node) progress() progress { return progress{n.raft.CurrentTerm(), n.raft.LastIndex()} }

// hangLimit is how long a write to this node's disk may take: everybody waits for a leader's, nobody
// for a follower's. Who leads alone has nobody who would go on.
func (n *Node) hangLimit() time.Duration {
	if others, _ := n.voters(); len(others) > 0 && n.raft.State() == raft.Leader {
		return 5 * time.Second
	}
	return 30 * time.Second
}

// maxAppendEntries is how many entries Raft sends a follower at once, and takes into its own queue:
// entries are batches already, so they need not be many.
const maxAppendEntries = 16

func (n *Node) raftConfig() *raft.Config {
	c := raft.DefaultConfig()
	c.LocalID = raft.ServerID(n.self.ServerID)
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

// catchUp makes the node ready once it has applied all that had been acknowledged when it started:
// what it answers never goes back, over its own restarts. After that it stays ready.
func (n *Node) catchUp(ctx context.Context) {
	start := time.Now()
	if _, err := n.checkRecovery(ctx); err != nil {
		n.fatal(err)
		return
	}
	if plantNotReady {
		n.ready.Store(true)
		return
	}
	for ctx.Err() == nil {
		if err := n.trySync(ctx); err == nil {
			n.setWaiting("")
			n.ready.Store(true)
			n.log.Info("ready", "applied", n.fsm.Applied(), "after", time.Since(start).Round(time.Millisecond).String())
			return
		}
	}
}

// trySync is one try to catch up. It says meanwhile why that takes so long.
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
			n.setWaiting(n.missing(ctx))
		}
	}
}

// missing says why this node cannot catch up.
func (n *Node) missing(ctx context.Context) string {
	n.askStates(ctx, n.members.Others(n.self.Node))
	if leader := peer.NodeName(n.leader()); leader != "" {
		return n.withSilent("catching up with " + leader)
	}
	return n.withSilent("catching up: no leader")
}

// setWaiting notes what this node waits for, and says it once, and again when it changes.
func (n *Node) setWaiting(reason string) {
	n.waiting.Store(&reason)
	if n.waitingSaid.isNew(reason, time.Now()) {
		n.log.Info("waiting before this node can serve", "reason", reason)
	}
}

// saidLast keeps what comes again and again from being said more than once, and what changes to and fro from being
// said more than once a second: it is said with the next time that it comes.
type saidLast struct {
	mu   sync.Mutex // all below
	text string
	at   time.Time
}

func (s *saidLast) isNew(text string, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case text == "":
		s.text = ""
		return false
	case text == s.text, now.Sub(s.at) < time.Second:
		return false
	}
	s.text, s.at = text, now
	return true
}

func (n *Node) fatal(err error) { n.config.fatal(err) }

func (c *Config) fatal(err error) {
	if c.Fatal != nil {
		c.Fatal(err)
		return
	}
	c.Log.Error("this node cannot go on", "error", err)
	os.Exit(1)
}

// Ready tells whether reads here are served.
func (n *Node) Ready() bool { return n.ready.Load() && !n.withdrawn.Load() && n.disowned.Load() == nil }

// Known tells whether the data directory held anything when the node was opened.
func (n *Node) Known() bool { return n.storage.Known }

// FSM is the node's copy of the state, for reading.
func (n *Node) FSM() *fsm.FSM { return n.fsm }

// Clock is the cluster's time as this node knows it.
func (n *Node) Clock() *clock.Clock { return n.clock }

// Propose brings commands into the log; see pipeline.Pipeline.Propose.
func (n *Node) Propose(g fsm.Group, timeout time.Duration) *pipeline.Proposal {
	return n.pipeline.Propose(g, timeout)
}

// Status is what this node knows of itself.
func (n *Node) Status() Status {
	s := Status{
		Cluster: n.self.Cluster, Node: n.self.Node, ServerID: n.self.ServerID, Leader: peer.NodeName(n.leader()),
		Term: n.raft.CurrentTerm(), Commit: n.raft.CommitIndex(), Applied: n.fsm.Applied(), Ready: n.Ready(),
		NoRoom: n.space.low.Load(), Role: n.role(), Waiting: n.waitsFor(),
		Reads: n.Ready(), Writes: n.takesWrites(), Peers: n.peerList(),
	}
	_, s.Voter = n.voters()
	return s
}
