package cluster

import (
	"context"
	"sync"
	"time"

	"ciderd/internal/eviction"
	"ciderd/internal/limits"
	"ciderd/internal/peer"
	"ciderd/internal/peerstate"
)

// newLimits returns what takes over the limits of a node's file.
func newLimits(n *Node) *limits.Keeper {
	file := limits.File{}
	if n.config.Limits != nil {
		file = *n.config.Limits
	}
	return limits.New(limits.Config{
		File: file, Notes: n.storage.Notes(), Known: n.storage.Known, Ready: n.Ready, Shares: n.fsm.Shares, Reads: n.Reads,
		Propose: ownWrites{n.pipeline}.setLimits, Nodes: (&pressure{node: n}).machines, Machine: n.config.MachineMemory, Log: n.log.Named("limits"),
	})
}

// pressure asks the nodes how much memory they have, and what they really take.
type pressure struct{ node *Node }

func (p *pressure) servers() []string { return p.node.raft.Servers().IDs() }

// machines returns how much memory the servers have, and those that do not answer.
func (p *pressure) machines(ctx context.Context) (memory []int64, missing []string) {
	for r := range peerstate.Question.AskAll(ctx, p.node.network, p.servers(), struct{}{}, peerstate.AllTimeout) {
		if r.Err != nil {
			missing = append(missing, r.From)
			continue
		}
		memory = append(memory, r.Answer.Machine)
	}
	return memory, missing
}

// run tells the evictor what the nodes really take, while this node leads.
func (p *pressure) run(ctx context.Context) {
	next := time.NewTimer(eviction.PressEvery)
	defer next.Stop()
	for every := eviction.PressEvery; ; next.Reset(every) {
		select {
		case <-next.C:
		case <-ctx.Done():
			return
		}
		every = eviction.PressEvery
		n := p.node
		if limits, _ := n.fsm.Shares().Limits(); limits.MaxMemory == 0 || limits.Reject || !n.raft.Leads() {
			continue
		}
		var nodes []eviction.Real
		for _, s := range n.peers.Each(ctx, p.servers(), peerstate.OneTimeout) {
			nodes = append(nodes, eviction.Real{Heap: s.Heap, Taken: s.Taken, Counted: s.Counted, Writing: s.Writing})
		}
		every = n.evictor.Press(nodes)
	}
}

// heatQuestion tells another node what is read on this one. It has a connection of its own: nothing waits for it.
var heatQuestion = peer.Question[heatReport, struct{}]{Name: "Heat", Own: true}

type heatReport struct{ Reads []byte } // see eviction.Follow

// heatTimeout is how long a report may take.
const heatTimeout = 2 * time.Second

// newReporter returns what tells the other nodes of reads here. A node that has not taken the last report yet is left
// out, so that it keeps none from the others.
func newReporter(n *Node) *eviction.Reporter {
	var mu sync.Mutex
	busy := map[string]bool{}
	send := func(ctx context.Context, id string, report []byte) {
		ctx, cancel := context.WithTimeout(ctx, heatTimeout)
		defer cancel()
		if _, err := heatQuestion.Ask(ctx, n.network, id, heatReport{report}); err != nil {
			n.log.Debug("a report of reads was not taken", "node", id, "error", err)
		}
		mu.Lock()
		defer mu.Unlock()
		delete(busy, id)
	}
	return &eviction.Reporter{Shares: n.fsm.Shares, Send: func(ctx context.Context, report []byte) {
		mu.Lock()
		defer mu.Unlock()
		for _, id := range n.raft.Servers().IDs() {
			if id != n.raft.self && !busy[id] {
				busy[id] = true
				n.wg.Go(func() { send(ctx, id, report) })
			}
		}
	}}
}

// notices returns what an operator should know of limits, as far as the other nodes were heard.
func (n *Node) notices(peers []peerstate.Status) []string {
	file := n.limits.File()
	nodes := []limits.Node{{Name: n.config.Node, File: &file, Machine: n.config.MachineMemory()}}
	for _, p := range peers {
		nodes = append(nodes, limits.Node{Name: p.Name, File: (*limits.File)(p.Limits), Machine: p.Machine})
	}
	now, set := n.fsm.Shares().Limits()
	return limits.Notices(nodes, now, set)
}
