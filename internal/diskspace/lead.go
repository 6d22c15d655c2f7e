package diskspace

import (
	"context"
	"time"

	"ciderd/internal/peerstate"
)

// How a leader reacts to the voters' full disks.
const (
	// silentFor is how long a voter must have been silent before it no longer counts: a restart is shorter, and
	// until then the remaining space of the full disks suffices, unless it is urgent.
	silentFor = 3 * time.Second
	// handOverEvery is how often a leader that is running out of space tries to find a voter that has some, and
	// handOverSoon how often one that has none does: it cannot store what others could.
	handOverEvery = 10 * time.Second
	handOverSoon  = time.Second
)

// leading is what Space remembers while this node leads; its goroutine's only.
type leading struct {
	handedOver time.Time
	short      int       // consecutive checks that were short
	since      time.Time // the first of them
}

// disks says which of the voters' disks have space, as far as they answer.
type disks struct {
	voters, full, spacious int
	elsewhere              bool // another voter has space
	urgent, falling        bool // see Space; of any
}

func (s *Space) ask(ctx context.Context) (found disks) {
	count := func(noSpace bool) {
		if noSpace {
			found.full++
		} else {
			found.spacious++
		}
	}
	others, selfVotes := s.config.Cluster.Voters()
	found.voters, found.urgent = len(others), s.urgent()
	if selfVotes {
		found.voters++
		count(s.low.Load())
	}
	for _, a := range s.config.Peers.Each(ctx, others, peerstate.OneTimeout) {
		s.config.Reads(a.ServerID, a.Entries)
		count(a.NoSpace)
		found.elsewhere = found.elsewhere || !a.NoSpace
		found.urgent, found.falling = found.urgent || a.Urgent, found.falling || a.NearFull
	}
	return found
}

func (v *disks) majority() int { return v.voters/2 + 1 }

// short reports whether all commits need a full disk: those that answer are a majority only with it.
func (v *disks) short() bool {
	return v.spacious < v.majority() && v.spacious+v.full >= v.majority()
}

// lead decides for the cluster. soon: it should check again before long.
func (s *Space) lead(ctx context.Context) (soon bool) {
	found := s.ask(ctx)
	enough, closed := s.enough(&found), s.config.Cluster.Closed()
	s.refusing.Store(!enough)
	s.decided()
	switch {
	case !s.config.Cluster.Ready():
	case enough == closed:
		s.set(!enough)
	case s.low.Load() && found.elsewhere:
		s.handOver(ctx)
	}
	return found.falling || s.leading.short > 0 && !closed
}

// enough reports whether a majority has space. A voter that does not answer does not count as full: that would
// refuse writes because of a missing answer. But when all commits need a full disk, because other nodes are gone,
// they use up the space that it keeps for deletions.
func (s *Space) enough(found *disks) bool {
	l := &s.leading
	if !found.short() {
		l.short = 0
	} else if l.short++; l.short == 1 {
		l.since = time.Now()
	}
	gone := l.short > 0 && time.Since(l.since) > silentFor || l.short > 1 && found.urgent // one answer may just be late
	return found.voters-found.full >= found.majority() && !gone
}

func (s *Space) handOver(ctx context.Context) {
	every := handOverEvery
	if s.hit.Load() {
		every = handOverSoon
	}
	if time.Since(s.leading.handedOver) < every {
		return
	}
	s.leading.handedOver = time.Now()
	s.hit.Store(false)
	s.config.Log.Warn("handing over leadership: the disk is nearly full")
	if err := s.config.Cluster.Transfer(ctx); err != nil {
		s.config.Log.Warn("leadership was not handed over", "error", err)
	}
}

func (s *Space) set(closed bool) {
	if closed {
		s.config.Log.Warn("the disks are nearly full: refusing what makes the data grow")
	} else {
		s.config.Log.Warn("the disks have space: accepting writes again")
	}
	if err := s.config.Cluster.SetClosed(closed); err != nil {
		s.config.Log.Warn("the state could not be closed or opened yet", "error", err)
	}
}
