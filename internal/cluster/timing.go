package cluster

import "time"

// Timing says how long silence lasts until a server counts as dead.
type Timing struct {
	// Heartbeat is how long a follower hears nothing from its leader before it asks for votes; it waits up to twice
	// that. Election is the same for a candidate; at least Heartbeat.
	Heartbeat, Election time.Duration
	// Lease is how long a leader continues without hearing from a majority; at most Heartbeat.
	Lease time.Duration
	// Commit is the longest time between two entries of a leader to a follower. Commits are told at once anyway
	// (see notifier), so a short one only costs CPU.
	Commit time.Duration
}

// DefaultTiming is three times what two loaded cores were seen to allow without spurious elections: it must also
// outlast a slow disk. A follower answers nothing while it syncs (heartbeats go through Raft's queue, see
// newTransport), and disks of virtual machines stall for a tenth of a second and more.
//
// It was measured with make measure WHAT=Timeouts. For some values of Heartbeat, with the others in the same
// proportion as here, it runs three nodes under a full load of writes with two busy processes per core next to
// them, and counts how often a node loses its leader, terms and changes of leader. Then, without those processes,
// it measures how long clients wait when the leader's process is killed and when it falls silent. On two cores,
// with ELECTION_SECS=40 KILLS=6 and all values in the same proportion (heartbeat = election, lease three quarters
// of it), there was no election with any of them; next to other builds and their disk writes, 100 ms lost its
// leader in two of three runs. Medians until an OK, of six each:
//
//	heartbeat          100    150    200    300    400 ms
//	leader killed       23     23     24     25     23 ms
//	leader silent      245    392    436    592   1022 ms
//
// So a lower value gains only where a leader falls silent (a machine or a network that is gone): the end of its
// process shows at once, whatever the value (see campaigner). Election is longer because it also limits how long a
// transfer of leadership may take.
//
// A value that is right on an idle machine is wrong on a busy one: see electionWait.
var DefaultTiming = Timing{
	Heartbeat: 300 * time.Millisecond, Election: 400 * time.Millisecond,
	Lease: 225 * time.Millisecond, Commit: 50 * time.Millisecond,
}

// TimingFor returns DefaultTiming in another size, by how long a follower hears nothing of its leader. The lease, three
// quarters of it, must be at least 5 ms.
func TimingFor(heartbeat time.Duration) Timing {
	scale := func(d time.Duration) time.Duration {
		return time.Duration(float64(d) * float64(heartbeat) / float64(DefaultTiming.Heartbeat))
	}
	return Timing{Heartbeat: heartbeat, Election: scale(DefaultTiming.Election), Lease: scale(DefaultTiming.Lease), Commit: DefaultTiming.Commit}
}

const aloneTimeout = 50 * time.Millisecond

// Polls says how often a node checks itself.
type Polls struct {
	Membership time.Duration // whether it is still a member, while it hears of no leader
	Recovery   time.Duration // the others' states, and whether the cluster was recovered without it
	Compare    time.Duration // whether its state equals the others'
}

// DefaultPolls costs an idle cluster a few messages a second.
var DefaultPolls = Polls{Membership: 2 * time.Second, Recovery: 2 * time.Second, Compare: 10 * time.Second}

func (p *Polls) setDefaults() {
	for own, usual := range map[*time.Duration]time.Duration{
		&p.Membership: DefaultPolls.Membership, &p.Recovery: DefaultPolls.Recovery, &p.Compare: DefaultPolls.Compare,
	} {
		if *own == 0 {
			*own = usual
		}
	}
}
