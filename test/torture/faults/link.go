package faults

import (
	"errors"
	"sync"
	"time"

	"ciderd/test/harness"
	"ciderd/test/torture/judge"
	"ciderd/test/torture/rig"
)

const (
	cutShort = 2 * time.Second
	cutLong  = 15 * time.Second
)

func linkFaults() []Fault {
	cutting := func(name, how string, hold func(*Round) error) Fault {
		return Fault{Name: name, How: how, Hold: hold, Shortest: cutShort, Longest: cutLong}
	}
	ring := cutting("partition-ring", "each node hears only its two neighbours (iptables)", ringCut)
	ring.Least = 5
	halves := cutting("partition-halves", "two nodes are cut off from the other three, both ways, the leader on either side (iptables)", halvesCut)
	halves.Least = 5
	return []Fault{
		cutting("partition-leader", "the leader is cut off from all nodes, both ways (iptables)", isolate(true)),
		cutting("partition-follower", "a follower is cut off from all nodes, both ways (iptables)", isolate(false)),
		cutting("partition-deaf", "a node hears no other one; they hear it (iptables, one way)", deafNode),
		cutting("partition-mute", "no other node hears a node; it hears them (iptables, one way)", muteNode),
		cutting("partition-partial", "the leader and a follower do not hear each other; a third hears both", partialCut),
		ring,
		halves,
		cutting("loss", "5 to 30 % of all packets between nodes are dropped (iptables statistic)", loss),
		cutting("large-drop", "packets over 600 bytes to or from a node are dropped (iptables length)", largeDrop),
		{Name: "garbage", How: "noise, lies, forged and cut short hellos and frames on every peer port", Act: garbage},
		{Name: "replay", How: "the peer traffic of a few seconds, recorded on the wires, sent again", Act: replay},
		{Name: "replay-install", How: "the peer traffic of a follower that is sent a snapshot, recorded on the wires, sent again", Act: replayInstall},
	}
}

func isolate(leads bool) func(r *Round) error {
	return func(r *Round) error {
		n, err := r.follower()
		if leads {
			n, err = r.someLeader()
		}
		if err != nil {
			return err
		}
		rig.Strained(judge.Alone, n)
		for _, other := range r.Cluster.Others(n) {
			if err := rig.Cut(n.Link, other.Link); err != nil {
				return err
			}
		}
		if err := r.flows(r.Cluster.Others(n)...); err != nil {
			return err
		}
		return r.reads(n)
	}
}

func deafNode(r *Round) error {
	n, err := r.target()
	if err != nil {
		return err
	}
	rig.Strained(judge.Alone, n)
	for _, other := range r.Cluster.Others(n) {
		if err := n.Link.Deaf(other.Link); err != nil {
			return err
		}
	}
	return r.flows(r.Cluster.Others(n)...)
}

func muteNode(r *Round) error {
	n, err := r.target()
	if err != nil {
		return err
	}
	rig.Strained(judge.Alone, n)
	for _, other := range r.Cluster.Others(n) {
		if err := other.Link.Deaf(n.Link); err != nil {
			return err
		}
	}
	return r.flows(r.Cluster.Others(n)...)
}

func partialCut(r *Round) error {
	follower, err := r.follower()
	if err != nil {
		return err
	}
	leader, err := r.someLeader()
	if err != nil {
		return err
	}
	rig.Strained(judge.Alone, leader, follower)
	if err := rig.Cut(leader.Link, follower.Link); err != nil {
		return err
	}
	return r.flows(r.Cluster.Others(leader, follower)...)
}

func ringCut(r *Round) error {
	rig.Strained(judge.Alone, r.Cluster.Nodes...)
	nodes := r.Cluster.Nodes
	for i := range nodes {
		for j := i + 2; j < len(nodes); j++ {
			if i == 0 && j == len(nodes)-1 {
				continue // neighbours, the other way round
			}
			if err := rig.Cut(nodes[i].Link, nodes[j].Link); err != nil {
				return err
			}
		}
	}
	return nil
}

// halvesCut wants the larger side to go on as if nothing had happened, and the smaller one to serve reads
// and to refuse writes in the ways that say what became of them.
func halvesCut(r *Round) error {
	leads := r.Random.IntN(2) == 0
	order := r.Random.Perm(len(r.Cluster.Nodes) - 1)
	leader, err := r.someLeader()
	if err != nil {
		return err
	}
	var few []*rig.Node
	if leads {
		few = append(few, leader)
	}
	for _, i := range order[:len(r.Cluster.Nodes)/2-len(few)] {
		few = append(few, r.Cluster.Others(leader)[i])
	}
	many := r.Cluster.Others(few...)
	r.Say("%d nodes are cut off, the leader among them: %v", len(few), leads)
	rig.Strained(judge.Alone, few...)
	for _, a := range few {
		for _, b := range many {
			if err := rig.Cut(a.Link, b.Link); err != nil {
				return err
			}
		}
	}
	if err := r.flows(many...); err != nil {
		return err
	}
	for _, n := range few {
		if err := r.reads(n); err != nil {
			return err
		}
	}
	return r.refuseWrites(few...)
}

// refuseWrites wants new writes on nodes without a majority to end in NO_LEADER or TIMEOUT. All are sent
// at once: each takes as long as a write may wait.
func (r *Round) refuseWrites(nodes ...*rig.Node) error {
	if r.Combined {
		return nil
	}
	errs := make([]error, len(nodes))
	var wg sync.WaitGroup
	for i, n := range nodes {
		wg.Go(func() { errs[i] = r.refusesWrite(n) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (r *Round) refusesWrite(n *rig.Node) error {
	c, err := n.Dial(r.Load.User)
	if err != nil {
		return judge.Violationf("%s lets nobody in: %v", n.Name, err)
	}
	defer func() { _ = c.Close() }()
	reply, err := c.Do("SET reg:cut x")
	if code := harness.Code(err); code != "NO_LEADER" && code != "TIMEOUT" {
		return judge.Violationf("%s, without a majority, answered a write with %q, %v", n.Name, reply, err)
	}
	return nil
}

func loss(r *Round) error {
	rig.Strained(judge.Alone, r.Cluster.Nodes...)
	p := 0.05 + 0.25*r.Random.Float64()
	r.Say("loss of %.0f %%", 100*p)
	for _, n := range r.Cluster.Nodes {
		for _, other := range r.Cluster.Others(n) {
			if err := n.Link.Lossy(other.Link, p); err != nil {
				return err
			}
		}
	}
	return nil
}

func largeDrop(r *Round) error {
	rig.Strained(judge.Alone, r.Cluster.Nodes...)
	n, err := r.target()
	if err != nil {
		return err
	}
	to := r.Random.IntN(2) == 0
	for _, other := range r.Cluster.Others(n) {
		a, b := n.Link, other.Link
		if to {
			a, b = b, a
		}
		if err := a.Small(b, 600); err != nil {
			return err
		}
	}
	return nil
}
