// Package divergence owns the comparison of nodes' states: memory that flipped, or an Apply that was not the same
// everywhere, makes them differ.
//
// It promises that a node that a majority disagrees with ends, and that as long as it cannot be known which state is
// right, clients are answered from one. It never repairs a state, and never reads one: it compares hashes.
package divergence

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/hashicorp/go-hclog"

	"ciderd/internal/fsm"
	"ciderd/internal/peer"
	"ciderd/internal/peerstate"
)

// question asks for the hashes of the state at some indexes. Names are on the wire.
var question = peer.Question[struct{}, answer]{Name: "Marks"}

type answer struct {
	Release   string          // hashes of two releases cannot be compared
	Hashes    []fsm.StateHash `json:"Marks"`
	Withdrawn bool            // it does not serve
}

// Config is what the room needs.
type Config struct {
	Network *peer.Network
	// Voters returns the other voters' server ids.
	Voters func() []string
	Leader func() string // the leader's server id; empty: none is known
	// Hashes returns the hashes of this node's state, newest first.
	Hashes func() []fsm.StateHash
	// Withdraw stops this node from serving, for a reason; ServeAgain undoes that. Withdrawn reports whether it was withdrawn.
	Withdraw   func(reason string)
	ServeAgain func()
	Withdrawn  func() bool
	// Fatal ends the node.
	Fatal func(error)
	Every time.Duration // how often states are compared
	Log   hclog.Logger
}

// Watch is the room.
type Watch struct{ config Config }

// New returns the room, and has other nodes' questions answered. It starts nothing.
func New(c Config) *Watch {
	question.Answer(c.Network, func(peer.Identity, struct{}) (answer, error) {
		return answer{Release: fsm.Release, Hashes: c.Hashes(), Withdrawn: c.Withdrawn()}, nil
	})
	return &Watch{c}
}

// Run compares until ctx ends, or this node's state has turned out to be wrong.
//
// A node that a majority of the voters disagrees with, at the same index, ends: what it would answer is
// wrong, and from an empty directory it can have the right state again.
//
// Without such a majority (one of three is down, or there are only two) it cannot be known which one is right.
// Clients must not be told two things, though, so only the leader goes on serving; a follower that differs
// from it withdraws: it refuses its own clients and says why, but keeps its vote and the log, which did not
// drift. Ending it would cost the cluster its quorum, and maybe the right copy: what it has is still there
// when the third node comes back and decides.
func (w *Watch) Run(ctx context.Context) {
	tick := time.NewTicker(w.config.Every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if err := w.Compare(ctx); err != nil {
			w.config.Fatal(err)
			return
		}
	}
}

// Compare compares once. An error is why this node must end.
func (w *Watch) Compare(ctx context.Context) error {
	others := w.config.Voters()
	seen := comparison{voters: len(others) + 1, leader: w.config.Leader(), self: w.config.Network.Self.ServerID}
	for r := range question.AskAll(ctx, w.config.Network, others, struct{}{}, peerstate.OneTimeout) {
		if r.Err == nil && r.Answer.Release == fsm.Release {
			seen.others = append(seen.others, theirHashes{r.From, r.Answer.Withdrawn, r.Answer.Hashes})
		}
	}
	// Ours last: what they had applied when they answered, we may have by now.
	seen.own = w.config.Hashes()
	judged, index := seen.judge()
	switch judged {
	case outvoted:
		return fmt.Errorf("the state of this node at index %d differs from that of the others: remove its data directory to let it have theirs", index)
	case mustWithdraw:
		w.config.Withdraw(fmt.Sprintf("the state of this node at index %d differs from that of %s, and it takes one more node to tell which is right", index, peer.NodeName(seen.leader)))
	case mayServe:
		w.config.ServeAgain()
	case undecided:
		if index > 0 {
			w.config.Log.Error("two nodes differ", "index", index)
		}
	}
	return nil
}

// comparison is what a node knows when it compares.
type comparison struct {
	own          []fsm.StateHash // newest first
	others       []theirHashes
	voters       int
	leader, self string
}

type theirHashes struct {
	id        string
	withdrawn bool
	hashes    []fsm.StateHash
}

type judgement int

const (
	undecided    judgement = iota // go on as before
	mayServe                      // a majority agrees, or there is no better copy that is served
	mustWithdraw                  // the leader differs, and no majority says which one is right
	outvoted                      // a majority agrees on something else
)

// judge returns what follows, and the index at which a node differs; 0: none does. The newest index that
// others have too decides, but for a majority's word, which counts at any.
func (c *comparison) judge() (result judgement, index uint64) {
	compared := false
	for _, own := range c.own {
		s := c.at(own)
		switch {
		case own.Index == 0:
		case s.most > c.voters/2:
			return outvoted, own.Index
		case compared || s.agree+s.differ == 0:
		default:
			compared = true
			if s.differ > 0 {
				index = own.Index
			}
			result = c.withoutVerdict(s)
		}
	}
	return result, index
}

// withoutVerdict is what follows from hashes that no majority holds against this node.
func (c *comparison) withoutVerdict(s standing) judgement {
	switch {
	case s.agree+1 > c.voters/2:
		return mayServe
	case s.leaderDiffers:
		return mustWithdraw
	case c.leader == c.self && s.serving == 0:
		return mayServe // leadership moved while they differed, and all have withdrawn: one has to serve
	}
	return undecided
}

// standing is how the others' states at one index compare with this node's.
type standing struct {
	agree, differ int
	most          int // of those that differ, how many agree with each other
	serving       int // of those that differ
	leaderDiffers bool
}

func (c *comparison) at(own fsm.StateHash) (s standing) {
	votes := map[uint64]int{}
	for _, o := range c.others {
		i := slices.IndexFunc(o.hashes, func(m fsm.StateHash) bool { return m.Index == own.Index })
		switch {
		case i < 0:
		case o.hashes[i].Hash == own.Hash:
			s.agree++
		default:
			s.differ++
			votes[o.hashes[i].Hash]++
			s.most = max(s.most, votes[o.hashes[i].Hash])
			if !o.withdrawn {
				s.serving++
				s.leaderDiffers = s.leaderDiffers || o.id == c.leader
			}
		}
	}
	return s
}
