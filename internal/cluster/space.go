package cluster

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"ciderd/internal/fsm"
)

// A disk that is full is foreseen: what is left must hold the deletions that make room again, and
// the snapshots that shorten the log. One that somebody else fills at once is not; for that storage
// keeps a reserve, and when that is used up too, a leader that cannot store an entry steps down, votes
// wait for room, and reads go on.
const (
	spacePoll = 500 * time.Millisecond
	// spaceMin is kept besides room for a snapshot, in bytes; spaceBack more must be free before
	// the disk counts as having room again, so that it does not flap.
	spaceMin  = 16 << 20
	spaceBack = 8 << 20
	// handOverEvery is how often a leader without room tries to find one that has.
	handOverEvery = 10 * time.Second
)

// space watches this node's disk, and while it leads, everybody's. A follower without room is left
// alone as long as a majority has room; a leader without room hands over; without a majority that
// has room an entry closes the state to whatever makes it grow (MEMORY_FULL), on all nodes at the
// same index, and another one opens it again.
type space struct {
	node *Node
	free func() (uint64, error)
	low  atomic.Bool
	now  chan struct{} // a write has found no room: look at once

	handedOver time.Time
}

func (s *space) run(ctx context.Context) {
	tick := time.NewTicker(spacePoll)
	defer tick.Stop()
	for {
		s.look()
		if s.node.raft.State() == raft.Leader && s.node.Ready() {
			s.lead(ctx)
		}
		select {
		case <-tick.C:
		case <-s.now:
		case <-ctx.Done():
			return
		}
	}
}

// noRoom is called when a write has found no room: somebody else has filled the disk, faster than it
// is looked at.
func (s *space) noRoom() {
	if !s.low.Swap(true) {
		s.node.log.Error("the disk is full: a write has found no room", "directory", s.node.config.DataDir)
		signal(s.now)
	}
}

func (s *space) look() {
	if err := s.node.storage.KeepReserve(); err != nil {
		s.node.log.Debug("no room is kept for a full disk", "error", err)
	}
	free, err := s.free()
	if err != nil {
		s.node.log.Warn("cannot tell how full the disk is", "error", err)
		return
	}
	limit := uint64(spaceMin + s.node.fsm.Size())
	was := s.low.Load()
	if was {
		limit += spaceBack
	}
	low := free < limit
	if low != was {
		s.low.Store(low)
		s.node.log.Warn("room on the disk", "enough", !low, "free bytes", free, "wanted", limit)
	}
}

// lead decides for the cluster.
func (s *space) lead(ctx context.Context) {
	others, selfVotes := s.node.voters()
	voters, full := len(others), 0
	if selfVotes {
		voters++
		if s.low.Load() {
			full++
		}
	}
	asking, cancel := context.WithTimeout(ctx, aliveTimeout)
	defer cancel()
	answers := make(chan bool, len(others))
	for _, id := range others {
		go func() {
			a, err := s.node.ask(asking, id, question{State: &stateQuestion{}})
			answers <- err == nil && a.State != nil && a.State.NoRoom
		}()
	}
	for range others {
		if <-answers {
			full++
		}
	}
	// Who does not answer is not called full: that would refuse writes for want of an answer.
	enough := voters-full > voters/2
	switch {
	case enough == s.node.fsm.Closed():
		s.set(!enough)
	case enough && s.low.Load() && time.Since(s.handedOver) > handOverEvery:
		s.handedOver = time.Now()
		s.node.log.Warn("handing over leadership: the disk is nearly full")
		if err := s.node.Transfer(ctx); err != nil {
			s.node.log.Warn("leadership was not handed over", "error", err)
		}
	}
}

func (s *space) set(closed bool) {
	command := fsm.Command{Op: fsm.OpClose}
	if closed {
		command.N = 1
	}
	s.node.log.Warn("closing the state to what makes it grow, for want of room on the disks", "closed", closed)
	if _, err := s.node.pipeline.Propose(fsm.AppendCommand(nil, &command), 1, changeTimeout).Wait(); err != nil {
		s.node.log.Warn("the state could not be closed or opened yet", "error", err)
	}
}
