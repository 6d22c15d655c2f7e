package torture

import (
	"errors"
	"sync"
	"time"

	"ciderd/internal/harness"
)

const (
	cutShort = 2 * time.Second
	cutLong  = 15 * time.Second
)

func linkFaults() []fault {
	cutting := func(name, how string, hold func(*round) error) fault {
		return fault{name: name, how: how, hold: hold, shortest: cutShort, longest: cutLong}
	}
	ring := cutting("partition-ring", "each node hears only its two neighbours (iptables)", ringCut)
	ring.least = 5
	halves := cutting("partition-halves", "two nodes are cut off from the other three, both ways, the leader on either side (iptables)", halvesCut)
	halves.least = 5
	return []fault{
		cutting("partition-leader", "the leader is cut off from all nodes, both ways (iptables)", isolate(true)),
		cutting("partition-follower", "a follower is cut off from all nodes, both ways (iptables)", isolate(false)),
		cutting("partition-deaf", "a node hears no other one; they hear it (iptables, one way)", deafNode),
		cutting("partition-mute", "no other node hears a node; it hears them (iptables, one way)", muteNode),
		cutting("partition-partial", "the leader and a follower do not hear each other; a third hears both", partialCut),
		ring,
		halves,
		cutting("loss", "5 to 30 % of all packets between nodes are dropped (iptables statistic)", loss),
		cutting("large-drop", "packets over 600 bytes to or from a node are dropped (iptables length)", largeDrop),
		{name: "garbage", how: "noise, lies, forged and cut short hellos and frames on every peer port", act: garbage},
		{name: "replay", how: "the peer traffic of a few seconds, recorded on the wires, sent again", act: replay},
		{name: "replay-install", how: "the peer traffic of a follower that is sent a snapshot, recorded on the wires, sent again", act: replayInstall},
	}
}

func isolate(leads bool) func(r *round) error {
	return func(r *round) error {
		n, err := r.follower()
		if leads {
			n, err = r.someLeader()
		}
		if err != nil {
			return err
		}
		strained(alone, n)
		for _, other := range r.cluster.others(n) {
			if err := cut(n.link, other.link); err != nil {
				return err
			}
		}
		if err := r.flows(r.cluster.others(n)...); err != nil {
			return err
		}
		return r.reads(n)
	}
}

func deafNode(r *round) error {
	n, err := r.target()
	if err != nil {
		return err
	}
	strained(alone, n)
	for _, other := range r.cluster.others(n) {
		if err := n.link.deaf(other.link); err != nil {
			return err
		}
	}
	return r.flows(r.cluster.others(n)...)
}

func muteNode(r *round) error {
	n, err := r.target()
	if err != nil {
		return err
	}
	strained(alone, n)
	for _, other := range r.cluster.others(n) {
		if err := other.link.deaf(n.link); err != nil {
			return err
		}
	}
	return r.flows(r.cluster.others(n)...)
}

func partialCut(r *round) error {
	follower, err := r.follower()
	if err != nil {
		return err
	}
	leader, err := r.someLeader()
	if err != nil {
		return err
	}
	strained(alone, leader, follower)
	if err := cut(leader.link, follower.link); err != nil {
		return err
	}
	return r.flows(r.cluster.others(leader, follower)...)
}

func ringCut(r *round) error {
	strained(alone, r.cluster.nodes...)
	nodes := r.cluster.nodes
	for i := range nodes {
		for j := i + 2; j < len(nodes); j++ {
			if i == 0 && j == len(nodes)-1 {
				continue // neighbours, the other way round
			}
			if err := cut(nodes[i].link, nodes[j].link); err != nil {
				return err
			}
		}
	}
	return nil
}

// halvesCut wants the larger side to go on as if nothing had happened, and the smaller one to serve reads
// and to refuse writes in the ways that say what became of them.
func halvesCut(r *round) error {
	leads := r.random.IntN(2) == 0
	order := r.random.Perm(len(r.cluster.nodes) - 1)
	leader, err := r.someLeader()
	if err != nil {
		return err
	}
	var few []*node
	if leads {
		few = append(few, leader)
	}
	for _, i := range order[:len(r.cluster.nodes)/2-len(few)] {
		few = append(few, r.cluster.others(leader)[i])
	}
	many := r.cluster.others(few...)
	r.say("%d nodes are cut off, the leader among them: %v", len(few), leads)
	strained(alone, few...)
	for _, a := range few {
		for _, b := range many {
			if err := cut(a.link, b.link); err != nil {
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
func (r *round) refuseWrites(nodes ...*node) error {
	if r.combined {
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

func (r *round) refusesWrite(n *node) error {
	c, err := n.dial(r.load.user)
	if err != nil {
		return violationf("%s lets nobody in: %v", n.name, err)
	}
	defer func() { _ = c.Close() }()
	reply, err := c.do("SET reg:cut x")
	if code := harness.Code(err); code != "NO_LEADER" && code != "TIMEOUT" {
		return violationf("%s, without a majority, answered a write with %q, %v", n.name, reply, err)
	}
	return nil
}

func loss(r *round) error {
	strained(alone, r.cluster.nodes...)
	p := 0.05 + 0.25*r.random.Float64()
	r.say("loss of %.0f %%", 100*p)
	for _, n := range r.cluster.nodes {
		for _, other := range r.cluster.others(n) {
			if err := n.link.lossy(other.link, p); err != nil {
				return err
			}
		}
	}
	return nil
}

func largeDrop(r *round) error {
	strained(alone, r.cluster.nodes...)
	n, err := r.target()
	if err != nil {
		return err
	}
	to := r.random.IntN(2) == 0
	for _, other := range r.cluster.others(n) {
		a, b := n.link, other.link
		if to {
			a, b = b, a
		}
		if err := a.small(b, 600); err != nil {
			return err
		}
	}
	return nil
}
