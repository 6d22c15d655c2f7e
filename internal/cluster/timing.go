package cluster

import "time"

// Timing is how long silence is taken for death.
type Timing struct {
	// Heartbeat is how long a follower hears nothing of its leader before it asks for votes; it
	// waits up to twice that. Election is the same for a candidate.
	Heartbeat, Election time.Duration
	// Lease is how long a leader goes on without hearing from a majority; at most Heartbeat.
	Lease time.Duration
	// Commit is the longest time between two entries of a leader to a follower; commits are told
	// at once anyway (notify.go), so it only costs CPU when short.
	Commit time.Duration
}

// DefaultTiming is as low as two loaded cores allow without elections of their own.
//
// How that was found, and how it can be found again: make measure WHAT=Timeouts. For each of some
// values of Heartbeat, the others in the proportion they have here, it runs three nodes under a full
// load of writes with two busy processes for each core beside them, and counts how often a node loses
// sight of its leader, terms and changes of leader; then, without those processes, it tells for how long
// clients wait when the leader's process is killed and when it falls silent. The value to have is the
// lowest that counts none. A lower one gains only where a leader falls silent (a machine or a
// network that is gone): the end of its process is heard at once, whatever stands here (suspect.go).
//
// They are no setting: one that is right on an idle machine is wrong on a busy one.
var DefaultTiming = Timing{
	Heartbeat: 400 * time.Millisecond, Election: 400 * time.Millisecond,
	Lease: 300 * time.Millisecond, Commit: 50 * time.Millisecond,
}

const aloneTimeout = 50 * time.Millisecond
