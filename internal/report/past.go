package report

import (
	"context"
	"sync"
	"time"
)

// Past is the last quarter of an hour of one node, for charts. As JSON it is part of the HTTP port's contract: fields are
// only added. It has no name of a user.
type Past struct {
	Node    string
	Steps   []Step  // the oldest first
	Busiest []Busy  // by what they ask of this node, the busiest first
	Events  []Event // the latest first
}

// Past returns that. It asks nobody.
func (s *Source) Past() Past {
	return Past{
		Node: s.Status().Node, Steps: s.History.Steps(), Events: s.Events.Latest(),
		Busiest: s.Busiest.now(time.Now(), s.Asking),
	}
}

// lookEvery is how often the other nodes are asked whether they have been restarted.
const lookEvery = 10 * time.Second

// Watch notes once a second what has been counted and what has happened, until ctx ends.
func (s *Source) Watch(ctx context.Context) {
	s.Events.add(s.Started, "started", s.Status().Node+" has started, release "+s.Version)
	var others sync.WaitGroup
	others.Go(func() { // apart, as it waits for them
		every(ctx, lookEvery, func(now time.Time) { s.Events.look(now, s.Overview(ctx).Nodes) })
	})
	every(ctx, pointEvery, func(now time.Time) {
		s.History.note(now)
		s.Events.note(now, s.moment())
	})
	others.Wait()
}

// every calls do now and then once in a while, until ctx ends.
func every(ctx context.Context, d time.Duration, do func(now time.Time)) {
	tick := time.NewTicker(d)
	defer tick.Stop()
	for now := time.Now(); ; {
		do(now)
		select {
		case now = <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}
