package torture

import "time"

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
	return []fault{
		cutting("partition-leader", "the leader is cut off from all nodes, both ways (iptables)", isolate(true)),
		cutting("partition-follower", "a follower is cut off from all nodes, both ways (iptables)", isolate(false)),
		cutting("partition-deaf", "a node hears no other one; they hear it (iptables, one way)", deafNode),
		cutting("partition-mute", "no other node hears a node; it hears them (iptables, one way)", muteNode),
		cutting("partition-partial", "the leader and a follower do not hear each other; a third hears both", partialCut),
		ring,
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
