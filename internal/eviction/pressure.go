package eviction

import (
	"time"
)

// Real is what a process really takes for what it counts.
type Real struct {
	Heap    int64 // live, with the free places in spans that are in use; bytes
	Taken   int64 // by the process, with garbage; bytes, 0: not known
	Counted int64 // fsm.Shares.Memory; bytes
	Writing bool  // a snapshot, which keeps all that is replaced meanwhile
}

const (
	// A node's heap may take allowed 16ths more than the limit, and what it needs besides, before the leader works to a
	// lower limit. With garbage, of which a sixth is allowed, that stays below one and a half of the limit.
	allowed = 3
	besides = 24 << 20 // heap that has nothing to do with items, in bytes
	// Where a node that writes a snapshot takes brakeFrom 16ths more than the limit, entries wait, up to brakeMost for each
	// brakeBytes from brakeUpto 16ths on: to work to a lower limit does not help against what the snapshot keeps. Memory
	// fills by bytes, so a small entry waits for next to nothing.
	brakeFrom, brakeUpto = 3, 6
	brakeMost            = 60 * time.Millisecond
	brakeBytes           = 256 << 10
	// brakeLongest bounds what one entry waits, however large.
	brakeLongest = 250 * time.Millisecond
	// brakeLater is how many 16ths later that is where no snapshot is written: the lower limit has helped by then, or
	// items change faster than the places that they leave can be put to use.
	brakeLater = 2
	// Where a process takes takenFrom 64ths more than the limit the collector does not keep up with what is written, or soon
	// will not: entries wait, up to brakeMost from takenUpto 64ths on. One and a half of the limit are 32.
	takenFrom, takenUpto = 20, 28
	// recoverEach is the part of the limit by which the target rises at most with each look.
	recoverEach = 64
)

// Press has the evictor work to a limit that the worst of the nodes can hold: free places in spans that a few old
// records keep from being given back count for nothing, and take memory. It is never below half of the limit.
// Press returns after how long it wants to be called again.
func (e *Evictor) Press(nodes []Real) time.Duration {
	limits, _ := e.config.Shares().Limits()
	limit := limits.MaxMemory
	may := limit + limit*allowed/16 + besides
	target := limit
	var worst, taken int64
	for _, n := range nodes {
		taken = max(taken, n.Taken)
		over := n.Heap - besides
		if !n.Writing {
			over -= limit * brakeLater / 16
		}
		worst = max(worst, over)
		if n.Heap > may {
			target = min(target, int64(float64(n.Counted)*float64(may)/float64(n.Heap)))
		}
	}
	e.brake.Store(int64(max(brake(worst, limit, 16+brakeFrom, 16+brakeUpto, 16), brake(taken-besidesSmall(limit), limit, 64+takenFrom, 64+takenUpto, 64))))
	target = max(target, limit/2)
	last := e.aim(limit)
	if target > last {
		target = min(target, last+limit/recoverEach)
	}
	e.target.Store(target)
	if low := target < limit-limit/8; low != e.low.Swap(low) {
		if low {
			e.config.Log.Warn("working to a lower limit: a node takes more memory than its items count for",
				"limit_bytes", limit, "working_bytes", target)
		} else {
			e.config.Log.Info("working to the limit again", "limit_bytes", limit)
		}
	}
	if limit > 0 && 64*taken > (64+takenFrom-closely)*limit {
		return PressClosely
	}
	return PressEvery
}

// brake returns how long brakeBytes of entries wait where so much is taken: from no time at from parts of the limit to
// brakeMost at upto.
func brake(taken, limit, from, upto, parts int64) time.Duration {
	over := parts*taken - from*limit
	if limit == 0 || over <= 0 {
		return 0
	}
	return time.Duration(min(float64(over)/float64((upto-from)*limit), 1) * float64(brakeMost))
}

// besidesSmall is what a process may take besides, where the limit is so small that this is no small part of it.
func besidesSmall(limit int64) int64 {
	if limit < smallLimit {
		return smallBesides
	}
	return 0
}

const (
	smallLimit   = 512 << 20
	smallBesides = 100 << 20

	// PressEvery is after how long Press should be called, while the node leads, at first.
	PressEvery = time.Second
	// PressClosely is that where a process is closely 64ths of the limit below where entries begin to wait.
	PressClosely = 200 * time.Millisecond
	closely      = 6
)

// aim returns the limit to work to; 0: there is none.
func (e *Evictor) aim(limit int64) int64 {
	target := e.target.Load()
	if target == 0 || limit == 0 {
		return limit
	}
	return min(max(target, limit/2), limit)
}
