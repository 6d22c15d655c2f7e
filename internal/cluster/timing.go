package cluster

import "time"

// Timing is how long silence is taken for death.
type Timing struct {
	// Heartbeat is how long a follower hears nothing of its leader before it asks for votes; it
	// waits up to twice that. Election is the same for a candidate; at least Heartbeat.
	Heartbeat, Election time.Duration
	// Lease is how long a leader goes on without hearing from a majority; at most Heartbeat.
	Lease time.Duration
	// Commit is the longest time between two entries of a leader to a follower; commits are told
	// at once anyway (notify.go), so it only costs CPU when short.
	Commit time.Duration
}

// DefaultTiming is three times as long as what two loaded cores were seen to allow without elections of their
// own: what it must outlast besides is a disk. A follower answers nothing while it syncs (heartbeats go
// through Raft's queue, see newTransport), and disks of virtual machines stall for a tenth of a second and more.
//
// How that was found, and how it can be found again: make measure WHAT=Timeouts. For each of some
// values of Heartbeat, the others in the proportion they have here, it runs three nodes under a full
// load of writes with two busy processes for each core beside them, and counts how often a node loses
// sight of its leader, terms and changes of leader; then, without those processes, it tells for how long
// clients wait when the leader's process is killed and when it falls silent. On two cores, with
// ELECTION_SECS=40 KILLS=6 and all values in the same proportion (heartbeat = election, lease three
// quarters of it), there was no election with any of them; beside other builds and their disk writes,
// 100 ms lost sight of its leader in two of three runs. Medians until an OK, of six each:
//
//	heartbeat          100    150    200    300    400 ms
//	leader killed       23     23     24     25     23 ms
//	leader silent      245    392    436    592   1022 ms
//
// So a lower one gains only where a leader falls silent (a machine or a network that is gone): the end of
// its process is heard at once, whatever stands here (suspect.go). Election is longer because it is also
// the time that a transfer of leadership may take.
//
// They are no setting: one that is right on an idle machine is wrong on a busy one.
var DefaultTiming = Timing{
	Heartbeat: 300 * time.Millisecond, Election: 400 * time.Millisecond,
	Lease: 225 * time.Millisecond, Commit: 50 * time.Millisecond,
}

const aloneTimeout = 50 * time.Millisecond
