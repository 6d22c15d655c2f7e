package cluster

import (
	"context"
	"time"

	"github.com/hashicorp/go-hclog"

	"ciderd/internal/clock"
	"ciderd/internal/fsm"
	"ciderd/internal/pipeline"
)

// How the sweeper waits.
const (
	sweepPoll    = 50 * time.Millisecond
	sweepTimeout = 5 * time.Second
)

// sweeper removes due items, while this node leads.
type sweeper struct {
	raft     *consensus
	ready    func() bool
	fsm      *fsm.FSM
	clock    *clock.Clock
	pipeline *pipeline.Pipeline
	log      hclog.Logger
}

// run removes due items that no entries remove in passing. It writes an entry only when there is something to
// remove, so an idle cluster writes none. While more is due than one entry removes, the next follows at once: an
// entry of a thousand items with short deadlines removes only 256, so due items would pile up otherwise.
func (s *sweeper) run(ctx context.Context) {
	tick := time.NewTicker(sweepPoll)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		for s.isDue() && s.sweep() {
		}
	}
}

func (s *sweeper) isDue() bool {
	if !s.raft.Leads() || !s.ready() {
		return false
	}
	due, any := s.fsm.NextDeadline()
	return any && due <= s.clock.Now()
}

// sweep reports whether there may be more.
func (s *sweeper) sweep() bool {
	results, err := s.pipeline.Propose(fsm.NewGroup(fsm.Command{Op: fsm.OpSweep}), sweepTimeout).Wait()
	if err != nil {
		s.log.Debug("sweep", "error", err)
		return false
	}
	return len(results) == 1 && results[0].N >= fsm.SweepAtMost
}
