package cluster

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"ciderd/internal/fsm"
)

// A disk that is full is foreseen: what is left must hold the deletions that make room again, and
// the snapshots that shorten the log. One that somebody else fills at once is not; for that storage
// keeps a reserve, which is not for values: a leader that knows of no room takes what would be refused
// out of the entries before they are stored. When the reserve is used up too, a leader that cannot store
// an entry steps down, votes wait for room, and reads go on.
const (
	spacePoll = 500 * time.Millisecond
	// spaceMin is kept besides room for a snapshot, in bytes; spaceBack more must be free before
	// the disk counts as having room again, so that it does not flap.
	spaceMin  = 16 << 20
	spaceBack = 8 << 20
	// handOverEvery is how often a leader that runs out of room tries to find one that has some, and
	// handOverSoon how often one that has none: it cannot store what others could.
	handOverEvery = 10 * time.Second
	handOverSoon  = time.Second
)

// space watches this node's disk, and while it leads, everybody's. A follower without room is left
// alone as long as a majority has room; a leader without room hands over; without a majority that
// has room an entry closes the state to whatever makes it grow (MEMORY_FULL), on all nodes at the
// same index, and another one opens it again.
type space struct {
	node *Node
	free func() (uint64, error)
	low  atomic.Bool
	hit  atomic.Bool   // a write has found no room since leadership was last handed over
	now  chan struct{} // look at once
	// refusing: while this node leads, what grows is taken out of entries. The entry that closes the
	// state says the same, once it has been committed.
	refusing atomic.Bool

	mu sync.Mutex
	// undecided is there from when a write finds no room until this node has asked the others, which it
	// does while it leads, whether they have any; then it is closed.
	undecided chan struct{}

	handedOver time.Time
}

func (s *space) run(ctx context.Context) {
	tick := time.NewTicker(spacePoll)
	defer tick.Stop()
	for {
		s.look()
		switch leads := s.node.raft.State() == raft.Leader; {
		case leads && s.node.Ready():
			s.lead(ctx)
		case !leads:
			s.refusing.Store(false)
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
	s.hit.Store(true)
	s.mu.Lock()
	if s.undecided == nil {
		s.undecided = make(chan struct{})
	}
	s.mu.Unlock()
	if !s.low.Swap(true) {
		s.node.log.Error("the disk is full: a write has found no room", "directory", s.node.config.DataDir)
		signal(s.now)
	}
}

func (s *space) decided() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.undecided != nil {
		close(s.undecided)
		s.undecided = nil
	}
}

// refuses tells whether what grows is taken out of the entries that this node gives to Raft. It waits
// for a moment when that is just being found out: the reserve is soon used up.
func (s *space) refuses() bool {
	s.mu.Lock()
	undecided := s.undecided
	s.mu.Unlock()
	if undecided != nil {
		signal(s.now)
		select {
		case <-undecided:
		case <-time.After(2 * aliveTimeout):
		case <-s.node.stopped:
		}
	}
	return s.refusing.Load() || s.node.fsm.Closed()
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
		if !low {
			s.decided()
		}
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
	s.refusing.Store(!enough)
	s.decided()
	switch {
	case enough == s.node.fsm.Closed():
		s.set(!enough)
	case enough && s.low.Load() && (time.Since(s.handedOver) > handOverEvery ||
		s.hit.Load() && time.Since(s.handedOver) > handOverSoon):
		s.handedOver = time.Now()
		s.hit.Store(false)
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
