package cluster

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/hashicorp/raft"

	"ciderd/internal/diskspace"
	"ciderd/internal/divergence"
	"ciderd/internal/eviction"
	"ciderd/internal/fsm"
	"ciderd/internal/membership"
	"ciderd/internal/peer"
	"ciderd/internal/peerstate"
	"ciderd/internal/pipeline"
	"ciderd/internal/storage"
	"ciderd/internal/tally"
)

// newNode makes all parts of a node and gives each what it needs from the others. It starts nothing.
func newNode(c Config, st *storage.Storage, book *peer.Book) *Node {
	c.setDefaults()
	n := &Node{config: c, log: c.Log.Named("cluster"), clock: c.Clock, storage: st, waitsForSpace: st.WaitsForSpace}
	n.ctx, n.cancel = context.WithCancel(context.Background())
	self := peer.Identity{Cluster: c.Cluster, Node: c.Node, ServerID: c.Node + "/" + st.ShortID, Nonce: rand.Text(), Release: fsm.Release}
	n.network = peer.NewNetwork(self, c.Members, book, n.log)
	n.network.Security = c.PeerSecurity
	n.serving = &serving{log: n.log}
	n.fsm = fsm.New(self.ServerID, fsm.Hooks{
		Stamp:    func(stamp int64) { n.time.observe(stamp) },
		Results:  func(incarnation, sequence uint64, r []fsm.Result) { n.pipeline.Applied(incarnation, sequence, r) },
		Restored: n.restored, Fatal: n.config.fatal, MakeWay: n.serving.makeWay,
	})
	n.raft = &consensus{self: self.ServerID, storage: st, fsm: n.fsm, stopped: n.ctx.Done()}
	n.network.IsServer = n.raft.isServer
	n.peers = peerstate.New(n.network, n.raft.Leader, func() uint64 { return n.raft.LastIndex() }, n.log)
	n.time = &timekeeper{clock: c.Clock, peers: n.peers, dueBy: n.fsm.DueBy, log: n.log}
	n.formats = newFormats(n.raft)
	n.wirePath(self)
	n.limits = newLimits(n)
	n.wireLeadership()
	n.wireOthers()
	return n
}

// wirePath makes the path of writes into the log, and that of reads.
func (n *Node) wirePath(self peer.Identity) {
	n.notifier = newNotifier(n.raft, n.config.Timing.Commit)
	in := &entries{
		raft: n.raft, closed: func() bool { return n.space.Refuses() }, weights: &weights{raft: n.raft, fsm: n.fsm},
		formats: n.formats, clock: n.clock, notifier: n.notifier, log: n.log,
	}
	weights := in.weights.now // made once, not for each write
	n.evictor = eviction.New(eviction.Config{
		Leads: in.mayEvict, Term: n.raft.Term, Confirm: n.raft.Confirm, AppliedBytes: n.fsm.AppliedBytes,
		Shares: func() fsm.Shares { return n.fsm.Shares().With(weights) },
		Give:   in.evict, Now: n.clock.Now, Log: n.log.Named("eviction"),
	})
	in.evictor = n.evictor
	n.forwards = &forwards{raft: n.raft, network: n.network, entries: in, time: n.time, counts: &n.counts, ctx: n.ctx, log: n.log}
	ways := &sinks{
		raft: n.raft, network: n.network, entries: in, time: n.time, fatal: n.config.fatal, log: n.log,
		incarnation: func() uint64 { return n.pipeline.Incarnation() },
	}
	n.incarnations = &incarnations{
		self: self.ServerID, storage: n.storage, fatal: n.config.fatal, log: n.log, told: make(chan struct{}, 1),
	}
	n.pipeline = pipeline.New(pipeline.Config{
		Origin: self.ServerID, Incarnation: n.storage.Incarnation, Leader: n.raft.Leader, Open: ways.open,
		Outrun: n.incarnations.outrun, Log: n.log,
	})
	n.incarnations.pipeline = n.pipeline
	n.readIndex = newReadIndex(n.ctx, n.raft, n.network, n.time)
	n.snapshots = &snapshots{raft: n.raft, fsm: n.fsm, tooOld: make(chan struct{}, 1), fatal: n.config.fatal, counts: &n.counts, log: n.log, took: tally.NewHistogram(tally.Latencies)}
}

// wireLeadership makes the parts that depend on which node leads.
func (n *Node) wireLeadership() {
	n.transfers = &transfers{
		raft: n.raft, peers: n.peers, node: n.config.Node, fatal: n.config.fatal, ctx: n.ctx, log: n.log,
		again: map[string]time.Time{}, answered: map[string]time.Time{}, electionTimeout: n.config.Timing.Election,
		draining: n.config.Draining,
	}
	n.campaigner = &campaigner{
		raft: n.raft, network: n.network, unfit: func() bool { return n.space.Low() || n.config.Draining() }, ctx: n.ctx, log: n.log,
		header: func() raft.RPCHeader { return n.raft.header(n.transport) },
	}
	n.streams = newStreams(n.ctx, n.network)
	n.receiver = newReceiver(n.ctx, n.log, n.raft.progress, n.network, n.campaigner.connectionEnded)
	if n.config.AdaptElection && len(n.config.Members) > 1 {
		n.electionWait = &electionWait{raft: n.raft, base: n.config.Timing, electionIn: n.config.Timing.Heartbeat, log: n.log}
		n.receiver.answered = n.electionWait.answered
	}
	n.campaigner.receiver = n.receiver
}

// wireOthers makes the parts from other packages.
func (n *Node) wireOthers() {
	own := ownWrites{n.pipeline}
	n.space = diskspace.New(n.ctx, diskspace.Config{
		Cluster: diskspace.Cluster{
			Leads: n.raft.Leads, Voters: n.raft.Voters, Ready: n.Ready, Size: n.fsm.Size, Closed: n.fsm.Closed, SetClosed: own.setClosed,
			CanRefuse: func() bool { return n.Reads(fsm.OpRefuse.Since()) }, Transfer: n.transfers.transfer,
		},
		Peers: n.peers, Storage: n.storage, DataDir: n.config.DataDir, Free: n.config.FreeSpace,
		Reads: n.formats.note, Log: n.log,
	})
	n.membership = membership.New(n.ctx, membership.Config{
		Network: n.network, Peers: n.peers, Storage: n.storage, DataDir: n.config.DataDir, Raft: n.raft,
		Changes: &changes{consensus: n.raft, transfers: n.transfers, formats: n.formats, forwards: n.forwards, forget: own.forget},
		Serving: n.serving, Disk: n.space, Reads: n.formats.note, Fatal: n.config.fatal, Log: n.log,
		Poll: n.config.Polls.Membership, RecoveryPoll: n.config.Polls.Recovery,
	})
	n.divergence = divergence.New(divergence.Config{
		Network: n.network, Voters: func() []string { others, _ := n.raft.Voters(); return others }, Leader: n.raft.Leader,
		Hashes: n.fsm.StateHashes, Withdraw: n.serving.withdraw, ServeAgain: n.serving.serveAgain, Withdrawn: n.serving.withdrawn.Load,
		Fatal: n.config.fatal, Every: n.config.Polls.Compare, Log: n.log,
	})
	if n.config.Reports != nil {
		n.config.Reports.answer(n.network)
	}
	n.status = &status{raft: n.raft, network: n.network, peers: n.peers, serving: n.serving, space: n.space, notices: n.notices}
	heatQuestion.Answer(n.network, func(_ peer.Identity, r heatReport) (struct{}, error) {
		return struct{}{}, eviction.Follow(n.fsm.Shares(), r.Reads)
	})
	peerstate.Question.Answer(n.network, func(from peer.Identity, _ struct{}) (peerstate.State, error) {
		file := n.limits.File()
		live, unused := n.config.Heap()
		s := peerstate.State{
			LastIndex: n.raft.LastIndex(), Settled: n.clock.Settled(), Now: n.clock.Now(), Wall: n.clock.Wall(),
			Entries: fsm.EntryVersion, Role: n.raft.role(), Draining: n.config.Draining(),
			Machine: n.config.MachineMemory(), Heap: live + unused, Taken: n.config.Taken(), Counted: n.fsm.Shares().Memory(), Writing: n.snapshots.writing.Load(), Limits: (*peerstate.FileLimits)(&file),
		}
		n.membership.Describe(&s, from.ServerID)
		n.space.Describe(&s)
		return s, nil
	})
}

// loops returns what runs in the background until the node stops, besides the loops of other packages.
func (n *Node) loops() []func(context.Context) {
	leader := &leaderWatch{raft: n.raft, log: leaderLog{raft: n.raft, silent: n.status.withSilent, changes: &n.counts.leaderChanges, Logger: n.log}, changed: n.leaderChanged}
	sweeps := &sweeper{raft: n.raft, ready: n.Ready, fsm: n.fsm, clock: n.clock, pipeline: n.pipeline, log: n.log}
	return []func(context.Context){
		n.pipeline.Run, leader.run, n.incarnations.run, sweeps.run, n.snapshots.run, n.space.Run, n.divergence.Run,
		n.transfers.whileDraining, n.evictor.Run, (&pressure{node: n}).run, newReporter(n).Run,
		(&eviction.Compactor{Shares: n.fsm.Shares, Heap: n.config.Heap}).Run,
		(&eviction.Defragmenter{Shares: n.fsm.Shares, Collections: n.config.Collections}).Run,
	}
}

// leaderChanged is called with the leader, after every change and every second.
func (n *Node) leaderChanged(leader string) {
	n.notifier.follow(n.raft.Servers())
	if n.electionWait != nil {
		n.electionWait.look(n.raft.Leads(), time.Now())
	}
	n.readIndex.endOldQuestion(leader)
	n.pipeline.LeaderChanged()
}

// restored is called when the state was restored from a snapshot: this node's own at the start, or one that a
// leader has sent.
func (n *Node) restored(incarnation, sequence uint64) {
	n.serving.emptied.Store(false)
	n.log.Info("state taken from a snapshot", "index", n.fsm.Applied())
	n.pipeline.Restored(incarnation, sequence)
	n.membership.Restored()
}

// committedFSM is the FSM as Raft sees it: its entries are committed, and committed is called with the
// configurations among them.
type committedFSM struct {
	*fsm.FSM
	committed func(index uint64, c raft.Configuration)
}

// ApplyBatch applies entries in their order.
func (f committedFSM) ApplyBatch(logs []*raft.Log) []any {
	for _, log := range logs {
		if log.Type == raft.LogConfiguration {
			f.committed(log.Index, raft.DecodeConfiguration(log.Data))
		}
	}
	return f.FSM.ApplyBatch(logs)
}
