package cluster

import (
	"context"
	"slices"
	"time"

	"github.com/hashicorp/go-hclog"

	"ciderd/internal/clock"
	"ciderd/internal/peerstate"
)

// timekeeper keeps the cluster's time on this node.
type timekeeper struct {
	clock *clock.Clock
	peers *peerstate.Peers
	dueBy func(stamp int64) int // how many keys have a deadline up to a stamp
	log   hclog.Logger

	lastStamp int64 // of the log; Raft's goroutine only
}

// settled returns once this process has the cluster's time.
func (t *timekeeper) settled(ctx context.Context) {
	if !t.clock.Settled() {
		t.settle(ctx)
	}
}

// settle gives a process that has just started the time. It first asks another node that has it. Without one, it
// takes the median of the wall clocks that answer, so that one machine's wrong clock cannot move time. The log's
// last stamp is a lower bound in any case.
func (t *timekeeper) settle(ctx context.Context) {
	for try := range settleTries {
		states, missing := t.peers.AskAll(ctx)
		settled, walls := int64(0), []int64{t.clock.Wall()}
		for _, s := range states {
			walls = append(walls, s.Wall)
			if s.Settled {
				settled = max(settled, s.Now)
			}
		}
		if settled > 0 {
			t.clock.Settle(settled)
			return
		}
		// A leader has a majority, so one can be asked; but it may be slow to answer.
		if len(walls) > (len(states)+len(missing)+1)/2 || len(missing) == 0 || try == settleTries-1 {
			slices.Sort(walls)
			t.clock.Settle(walls[(len(walls)-1)/2])
			return
		}
	}
}

// farAhead is the step of time from which a warning is logged: a machine that starts with a clock that is wrong by
// years expires all keys that have a deadline.
const farAhead = 24 * time.Hour

// observe is called with each entry's stamp, before the entry's changes, on Raft's goroutine.
func (t *timekeeper) observe(stamp int64) {
	step := time.Duration(stamp-t.lastStamp) * time.Millisecond
	if t.lastStamp > 0 && step > farAhead && t.clock.Settled() {
		t.log.Warn("time has jumped far ahead since the last entry: keys with a deadline in between have expired",
			"step", step.Round(time.Hour).String(), "keys", t.dueBy(stamp))
	}
	t.lastStamp = stamp
	t.clock.Observe(stamp)
}

// settleTries is how often a majority's clocks are asked for, half a second each.
const settleTries = 5
