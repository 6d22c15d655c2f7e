package cluster

import (
	"context"
	"fmt"
	"slices"
	"time"

	"ciderd/internal/fsm"
	"ciderd/internal/peer"
)

// compareEvery is how often a node compares its state with the others'. A variable for tests.
var compareEvery = 10 * time.Second

// compareStates has a node whose state differs from the others' stop serving: memory that flipped, or an
// Apply that was not the same everywhere.
//
// One that a majority of the voters disagrees with, at the same index, ends: what it would answer is
// wrong, and from an empty directory it can have the right state again.
//
// Without such a majority (one of three is down, or there are only two) nobody can know who is right.
// Clients must not be told two things, though, so only the leader goes on serving; a follower that differs
// from it withdraws: it refuses its own clients and says why, but keeps its vote and the log, which did not
// drift. Ending it would cost the cluster its quorum, and maybe the right copy: what it has is still there
// when the third node comes back and decides.
func (n *Node) compareStates(ctx context.Context) {
	tick := time.NewTicker(compareEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if err := n.compareOnce(ctx); err != nil {
			n.fatal(err)
			return
		}
	}
}

func (n *Node) compareOnce(ctx context.Context) error {
	others, _ := n.voters()
	seen := comparison{voters: len(others) + 1, leader: n.leader(), self: n.self.ServerID}
	for _, id := range others {
		asking, cancel := context.WithTimeout(ctx, aliveTimeout)
		a, err := n.ask(asking, id, question{Marks: &marksQuestion{}})
		cancel()
		if err == nil && a.Marks != nil && a.Marks.Release == fsm.Release {
			seen.others = append(seen.others, theirMarks{id, a.Marks.Withdrawn, a.Marks.Marks})
		}
	}
	// Ours last: what they had applied when they answered, we may have by now.
	seen.own = n.fsm.Marks()
	judged, index := seen.judge()
	switch judged {
	case outvoted:
		return fmt.Errorf("the state of this node at index %d differs from that of the others: remove its data directory to let it have theirs", index)
	case mustWithdraw:
		n.withdraw(fmt.Sprintf("the state of this node at index %d differs from that of %s, and it takes one more node to tell which is right", index, peer.NodeName(seen.leader)))
	case mayServe:
		n.serveAgain()
	case undecided:
		if index > 0 {
			n.log.Error("two nodes differ", "index", index)
		}
	}
	return nil
}

func (n *Node) withdraw(reason string) {
	if !n.withdrawn.Swap(true) {
		n.log.Error("this node serves nobody until that is decided", "reason", reason)
	}
	n.setWaiting(reason)
}

func (n *Node) serveAgain() {
	if n.withdrawn.CompareAndSwap(true, false) {
		n.setWaiting("")
		n.log.Warn("this node serves again: its state is the one that counts")
	}
}

// comparison is what a node knows when it compares.
type comparison struct {
	own          []fsm.Mark // newest first
	others       []theirMarks
	voters       int
	leader, self string
}

type theirMarks struct {
	id        string
	withdrawn bool
	marks     []fsm.Mark
}

type judgement int

const (
	undecided    judgement = iota // go on as before
	mayServe                      // a majority agrees, or there is no better copy that is served
	mustWithdraw                  // the leader differs, and no majority says who is right
	outvoted                      // a majority agrees on something else
)

// judge returns what follows, and the index where somebody differs; 0: nobody does. The newest index that
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

// withoutVerdict is what follows from marks that no majority holds against this node.
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

func (c *comparison) at(own fsm.Mark) (s standing) {
	votes := map[uint64]int{}
	for _, o := range c.others {
		i := slices.IndexFunc(o.marks, func(m fsm.Mark) bool { return m.Index == own.Index })
		switch {
		case i < 0:
		case o.marks[i].Hash == own.Hash:
			s.agree++
		default:
			s.differ++
			votes[o.marks[i].Hash]++
			s.most = max(s.most, votes[o.marks[i].Hash])
			if !o.withdrawn {
				s.serving++
				s.leaderDiffers = s.leaderDiffers || o.id == c.leader
			}
		}
	}
	return s
}
