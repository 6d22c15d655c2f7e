// Package diskspace owns how a node, and a leader for its cluster, reacts to full disks.
//
// It promises that a disk that fills up refuses what makes the state grow before it refuses a vote or a deletion,
// that a leader without space hands over to a voter that has some, and that all nodes refuse and accept again at
// the same log index. It never frees space, and never stops reads.
//
// A disk that fills up slowly is foreseen: the remaining space must hold the deletions that free space, and the
// snapshots that shorten the log. One that another program fills suddenly is not; for that storage keeps a reserve,
// which is not for values: a leader that knows of no space removes refused commands from the entries before they
// are stored. When the reserve is used up too, a leader that cannot store an entry steps down, votes wait for
// space, and reads continue.
package diskspace

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"ciderd/internal/peerstate"
	"ciderd/internal/storage"
)

const (
	poll = 500 * time.Millisecond
	// near is how much more than that must be free for poll to be often enough: writing it takes longer than poll.
	// With less, the disk is checked every soon.
	near = 256 << 20
	soon = 50 * time.Millisecond
	// Reserve is kept in addition to the space for a snapshot, in bytes; back more must be free before the disk
	// counts as having space again, so that it does not flap.
	Reserve = 16 << 20
	back    = 8 << 20
	// forChange is more than a change of the servers needs, in bytes.
	forChange = 1 << 20
)

// Cluster is what this package needs of the node. Its functions may be called from any goroutine.
type Cluster struct {
	Leads func() bool
	// Voters returns the other voters' server ids, and reports whether this node is a voter.
	Voters func() (others []string, selfVotes bool)
	// Ready reports whether this node serves.
	Ready func() bool
	// Size returns about how many bytes a snapshot of the state takes.
	Size func() int64
	// Closed reports whether the state is closed to what makes it grow.
	Closed func() bool
	// SetClosed closes or opens the state, with an entry in the log.
	SetClosed func(closed bool) error
	// CanRefuse reports whether all nodes know what replaces a command that a leader refuses.
	CanRefuse func() bool
	// Transfer hands leadership over, if this node leads.
	Transfer func(ctx context.Context) error
}

// Config is what the package needs.
type Config struct {
	Cluster Cluster
	Peers   *peerstate.Peers
	Storage *storage.Storage
	DataDir string
	// Free returns the bytes that are left for the data directory.
	Free func() (uint64, error)
	// Reads is called with the entries that a server has said it reads.
	Reads func(server string, version int)
	Log   hclog.Logger
}

// Space watches this node's disk, and while it leads, those of all nodes. A follower without space is left alone as
// long as a majority has some; a leader without space hands over. Without a majority that has space an entry closes
// the state to everything that makes it grow (MEMORY_FULL), on all nodes at the same index, and another one opens
// it again. All methods may be called from any goroutine.
type Space struct {
	config Config
	low    atomic.Bool
	near   atomic.Bool     // free space decreases, and may soon be low
	last   atomic.Bool     // less than half of Reserve is left
	hit    atomic.Bool     // a write has found no space since leadership was last handed over
	now    chan struct{}   // check at once
	done   <-chan struct{} // closed when the node stops
	// refusing: while this node leads, commands that make the state grow are removed from entries. The entry that
	// closes the state has the same effect, once it is committed.
	refusing atomic.Bool

	mu sync.Mutex // protects undecided
	// undecided exists from when a write finds no space until this node, while it leads, has asked the others
	// whether they have any; then it is closed.
	undecided chan struct{}

	free    atomic.Uint64 // what look found the last time
	leading leading
}

// New returns a Space for a node that stops with ctx. It starts nothing.
func New(ctx context.Context, c Config) *Space {
	return &Space{config: c, now: make(chan struct{}, 1), done: ctx.Done()}
}

// Low reports whether this node's disk is nearly full.
func (s *Space) Low() bool { return s.low.Load() }

// Describe fills in what a node tells another one about its disk.
func (s *Space) Describe(to *peerstate.State) {
	to.NoSpace, to.NearFull, to.Urgent = s.low.Load(), s.near.Load(), s.urgent()
}

// Run watches until ctx ends.
func (s *Space) Run(ctx context.Context) {
	timer := time.NewTimer(poll)
	defer timer.Stop()
	for {
		s.look()
		next := poll
		if s.near.Load() {
			next = soon
		}
		if !s.config.Cluster.Leads() {
			s.refusing.Store(false)
			s.leading.short = 0
		} else if s.lead(ctx) {
			next = soon
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

// Full is called when a write has found no space: another program has filled the disk, faster than it is checked.
func (s *Space) Full() {
	s.hit.Store(true)
	s.mu.Lock()
	if s.undecided == nil {
		s.undecided = make(chan struct{})
	}
	s.mu.Unlock()
	if !s.low.Swap(true) {
		why := "the disk is full: a write has found no space"
		if storage.OutOfInodes(s.config.DataDir) {
			why = "the disk has no inodes left: a write could make no file (df -i tells; remove files there)"
		}
		s.config.Log.Error(why, "directory", s.config.DataDir)
		signal(s.now)
	}
}

func (s *Space) decided() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.undecided != nil {
		close(s.undecided)
		s.undecided = nil
	}
}

// Refuses reports whether commands that make the state grow are removed from the entries that this node gives to
// Raft. It waits a moment while that is being decided: the reserve is soon used up.
func (s *Space) Refuses() bool {
	s.mu.Lock()
	undecided := s.undecided
	s.mu.Unlock()
	if undecided != nil {
		signal(s.now)
		select {
		case <-undecided:
		case <-time.After(2 * peerstate.OneTimeout):
			s.decided() // wait for it only once
		case <-s.done:
		}
	}
	return (s.refusing.Load() || s.config.Cluster.Closed()) && s.config.Cluster.CanRefuse()
}

func (s *Space) look() {
	if err := s.config.Storage.KeepReserve(); err != nil {
		s.config.Log.Debug("no space is kept for a full disk", "error", err)
	}
	free, err := s.config.Free()
	if err != nil {
		s.config.Log.Warn("cannot tell how full the disk is", "error", err)
		return
	}
	limit := uint64(Reserve + s.config.Cluster.Size())
	was := s.low.Load()
	if was {
		limit += back
	}
	low := free < limit
	s.last.Store(free < Reserve/2)
	s.near.Store(!low && free < limit+near && free < s.free.Load())
	s.free.Store(free)
	if low != was {
		s.low.Store(low)
		said := "the disk is nearly full"
		if !low {
			s.hit.Store(false)
			s.decided()
			said = "the disk has space again"
		}
		s.config.Log.Warn(said, "free_bytes", free, "wanted", limit)
	}
}

// urgent reports whether there is hardly any time left to decide.
func (s *Space) urgent() bool { return s.hit.Load() || s.last.Load() }

// HasForChange reports whether there is space for a change of the configuration.
func (s *Space) HasForChange() bool {
	free, err := s.config.Free()
	return err != nil || free >= forChange
}

// Stats is what this node knows about its disk.
type Stats struct {
	Free    uint64 // bytes, at the last check
	Low     bool   // the disk is nearly full
	Refuses bool   // this node leads, and refuses what makes the state grow
}

// Stats returns the current numbers.
func (s *Space) Stats() Stats {
	return Stats{Free: s.free.Load(), Low: s.low.Load(), Refuses: s.refusing.Load()}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
