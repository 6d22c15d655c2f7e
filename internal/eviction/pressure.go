package eviction

import (
	"time"
)

// Real is what a process really takes for what it counts.
type Real struct {
	Heap    int64 // live, with the free places in spans that are in use; bytes
	Counted int64 // fsm.Shares.Memory; bytes
	Writing bool  // a snapshot, which keeps all that is replaced meanwhile
}

const (
	// A node's heap may take allowed 16ths more than the limit, and what it needs besides, before the leader works to a
	// lower limit. With garbage, of which a sixth is allowed, that stays below one and a half of the limit.
	allowed = 3
	besides = 24 << 20 // heap that has nothing to do with items, in bytes
	// Where a node that writes a snapshot takes brakeFrom 16ths more than the limit, entries wait, up to brakeMost each from
	// brakeUpto 16ths on: to work to a lower limit does not help against what the snapshot keeps.
	brakeFrom, brakeUpto = 3, 6
	brakeMost            = 40 * time.Millisecond
	// brakeLater is how many 16ths later that is where no snapshot is written: the lower limit has helped by then, or
	// items change faster than the places that they leave can be put to use.
	brakeLater = 2
	// recoverEach is the part of the limit by which the target rises at most with each look.
	recoverEach = 64
)

// Press has the evictor work to a limit that the worst of the nodes can hold: free places in spans that a few old
// records keep from being given back count for nothing, and take memory. It is never below half of the limit.
func (e *Evictor) Press(nodes []Real) {
	limits, _ := e.config.Shares().Limits()
	limit := limits.MaxMemory
	may := limit + limit*allowed/16 + besides
	target := limit
	var worst int64
	for _, n := range nodes {
		over := n.Heap - besides
		if !n.Writing {
			over -= limit * brakeLater / 16
		}
		worst = max(worst, over)
		if n.Heap > may {
			target = min(target, int64(float64(n.Counted)*float64(may)/float64(n.Heap)))
		}
	}
	e.brake.Store(int64(brake(worst, limit)))
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
}

// brake returns how long each entry waits while the heap of a node that writes a snapshot takes so much, or that of
// another one that much more.
func brake(heap, limit int64) time.Duration {
	over := 16*heap - (16+brakeFrom)*limit
	if limit == 0 || over <= 0 {
		return 0
	}
	return time.Duration(min(float64(over)/float64((brakeUpto-brakeFrom)*limit), 1) * float64(brakeMost))
}

// PressEvery is how often Press should be called, while the node leads.
const PressEvery = time.Second

// aim returns the limit to work to; 0: there is none.
func (e *Evictor) aim(limit int64) int64 {
	target := e.target.Load()
	if target == 0 || limit == 0 {
		return limit
	}
	return min(max(target, limit/2), limit)
}
