package cluster

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"ciderd/internal/fsm"
	"ciderd/internal/storage"
)

// A disk that is full is foreseen: what is left must hold the deletions that make room again, and
// the snapshots that shorten the log. One that somebody else fills at once is not; for that storage
// keeps a reserve, which is not for values: a leader that knows of no room takes what would be refused
// out of the entries before they are stored. When the reserve is used up too, a leader that cannot store
// an entry steps down, votes wait for room, and reads go on.
const (
	spacePoll = 500 * time.Millisecond
	// spaceNear is how much more than that must be free for spacePoll to be often enough: it takes longer
	// to write. With less it is looked every spaceSoon.
	spaceNear = 256 << 20
	spaceSoon = 50 * time.Millisecond
	// spaceMin is kept besides room for a snapshot, in bytes; spaceBack more must be free before
	// the disk counts as having room again, so that it does not flap.
	spaceMin  = 16 << 20
	spaceBack = 8 << 20
	// spaceNone is more than a change of the servers needs, in bytes.
	spaceNone = 1 << 20
)

// space watches this node's disk, and while it leads, everybody's. A follower without room is left
// alone as long as a majority has room; a leader without room hands over; without a majority that
// has room an entry closes the state to whatever makes it grow (MEMORY_FULL), on all nodes at the
// same index, and another one opens it again.
type space struct {
	node *Node
	free func() (uint64, error)
	low  atomic.Bool
	near atomic.Bool   // it gets less, and may soon be low
	last atomic.Bool   // less than half of spaceMin is left
	hit  atomic.Bool   // a write has found no room since leadership was last handed over
	now  chan struct{} // look at once
	// refusing: while this node leads, what grows is taken out of entries. The entry that closes the
	// state says the same, once it has been committed.
	refusing atomic.Bool

	mu sync.Mutex
	// undecided is there from when a write finds no room until this node has asked the others, which it
	// does while it leads, whether they have any; then it is closed.
	undecided chan struct{}

	lastFree uint64 // what look found before
	leading  leading
}

func (s *space) run(ctx context.Context) {
	timer := time.NewTimer(spacePoll)
	defer timer.Stop()
	for {
		s.look()
		next := spacePoll
		if s.near.Load() {
			next = spaceSoon
		}
		if s.node.raft.State() != raft.Leader {
			s.refusing.Store(false)
			s.leading.short = 0
		} else if s.lead(ctx) {
			next = spaceSoon
		}
		timer.Reset(next)
		select {
		case <-timer.C:
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
		why := "the disk is full: a write has found no room"
		if storage.OutOfInodes(s.node.config.DataDir) {
			why = "the disk has no inodes left: a write could make no file (df -i tells; remove files there)"
		}
		s.node.log.Error(why, "directory", s.node.config.DataDir)
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
			s.decided() // once is enough to wait for
		case <-s.node.stopped:
		}
	}
	return (s.refusing.Load() || s.node.fsm.Closed()) && s.node.Reads(fsm.OpRefuse.Since())
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
	s.last.Store(free < spaceMin/2)
	s.near.Store(!low && free < limit+spaceNear && free < s.lastFree)
	s.lastFree = free
	if low != was {
		s.low.Store(low)
		if !low {
			s.hit.Store(false)
			s.decided()
		}
		s.node.log.Warn("room on the disk", "enough", !low, "free bytes", free, "wanted", limit)
	}
}

// pressing tells whether there is hardly any time left to decide.
func (s *space) pressing() bool { return s.hit.Load() || s.last.Load() }

// roomForChange is why the servers cannot be changed now; nil: they can. A leader whose disk has no room
// for the entry must not go on (storage), so it does not begin.
func (n *Node) roomForChange() error {
	if free, err := n.space.free(); err == nil && free < spaceNone {
		return refuse("the disk of %s, which leads, is full", n.self.Node)
	}
	return nil
}
