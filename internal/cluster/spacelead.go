package cluster

import (
	"context"
	"time"

	"ciderd/internal/fsm"
)

// What a leader makes of the voters' full disks.
const (
	// silentFor is how long a voter must have been silent before it is no longer counted on: a restart is
	// shorter, and until then there is what is left of the full disks, unless that is pressing.
	silentFor = 3 * time.Second
	// handOverEvery is how often a leader that runs out of room tries to find one that has some, and
	// handOverSoon how often one that has none: it cannot store what others could.
	handOverEvery = 10 * time.Second
	handOverSoon  = time.Second
)

// leading is what space remembers while this node leads; its goroutine's only.
type leading struct {
	handedOver time.Time
	short      int       // surveys in a row that were short
	since      time.Time // the first of them
}

// survey is who of the voters has room, as far as they answer.
type survey struct {
	voters, full, roomy int
	elsewhere           bool // another voter has room
	pressing, falling   bool // see space, of any
}

func (s *space) survey(ctx context.Context) (found survey) {
	count := func(noRoom bool) {
		if noRoom {
			found.full++
		} else {
			found.roomy++
		}
	}
	others, selfVotes := s.node.voters()
	found.voters, found.pressing = len(others), s.pressing()
	if selfVotes {
		found.voters++
		count(s.low.Load())
	}
	asking, cancel := context.WithTimeout(ctx, aliveTimeout)
	defer cancel()
	answers := make(chan *stateAnswer, len(others))
	for _, id := range others {
		go func() {
			a, _ := s.node.ask(asking, id, question{State: &stateQuestion{}})
			answers <- a.State
		}()
	}
	for range others {
		if a := <-answers; a != nil {
			s.node.formats.note(a.ServerID, a.Entries)
			count(a.NoRoom)
			found.elsewhere = found.elsewhere || !a.NoRoom
			found.pressing, found.falling = found.pressing || a.Pressing, found.falling || a.NearFull
		}
	}
	return found
}

func (v *survey) majority() int { return v.voters/2 + 1 }

// short tells whether all commits need a full disk: those that answer are a majority only with it.
func (v *survey) short() bool {
	return v.roomy < v.majority() && v.roomy+v.full >= v.majority()
}

// lead decides for the cluster. soon: it had better look again before long.
func (s *space) lead(ctx context.Context) (soon bool) {
	found := s.survey(ctx)
	enough, closed := s.enough(&found), s.node.fsm.Closed()
	s.refusing.Store(!enough)
	s.decided()
	switch {
	case !s.node.Ready():
	case enough == closed:
		s.set(!enough)
	case s.low.Load() && found.elsewhere:
		s.handOver(ctx)
	}
	return found.falling || s.leading.short > 0 && !closed
}

// enough tells whether a majority has room. Who does not answer is not called full: that would refuse
// writes for want of an answer. But when all commits need a full disk, because others are gone, they use up
// what it keeps for deletions.
func (s *space) enough(found *survey) bool {
	l := &s.leading
	if !found.short() {
		l.short = 0
	} else if l.short++; l.short == 1 {
		l.since = time.Now()
	}
	gone := l.short > 0 && time.Since(l.since) > silentFor || l.short > 1 && found.pressing // one answer may just be late
	return found.voters-found.full >= found.majority() && !gone
}

func (s *space) handOver(ctx context.Context) {
	every := handOverEvery
	if s.hit.Load() {
		every = handOverSoon
	}
	if time.Since(s.leading.handedOver) < every {
		return
	}
	s.leading.handedOver = time.Now()
	s.hit.Store(false)
	s.node.log.Warn("handing over leadership: the disk is nearly full")
	if err := s.node.Transfer(ctx); err != nil {
		s.node.log.Warn("leadership was not handed over", "error", err)
	}
}

func (s *space) set(closed bool) {
	command := fsm.Command{Op: fsm.OpClose}
	if closed {
		command.N = 1
	}
	s.node.log.Warn("closing the state to what makes it grow, for want of room on the disks", "closed", closed)
	if _, err := s.node.pipeline.Propose(fsm.NewGroup(command), changeTimeout).Wait(); err != nil {
		s.node.log.Warn("the state could not be closed or opened yet", "error", err)
	}
}
