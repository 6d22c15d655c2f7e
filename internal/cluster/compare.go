package cluster

import (
	"context"
	"fmt"
	"time"

	"ciderd/internal/fsm"
)

// compareEvery is how often a node compares its state with the others'. A variable for tests.
var compareEvery = 10 * time.Second

// compareStates ends this node when its state differs from what a majority of the voters agree on
// at the same index: memory that flipped, or an Apply that was not the same everywhere. What it
// would answer is wrong; from an empty directory it can have the right state again.
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
	theirs := make([][]fsm.Mark, 0, len(others))
	for _, id := range others {
		asking, cancel := context.WithTimeout(ctx, aliveTimeout)
		a, err := n.ask(asking, id, question{Marks: &marksQuestion{}})
		cancel()
		if err == nil && a.Marks != nil && a.Marks.Release == fsm.Release {
			theirs = append(theirs, a.Marks.Marks)
		}
	}
	// Ours last: what they had applied when they answered, we may have by now.
	for _, own := range n.fsm.Marks() {
		if own.Index == 0 {
			continue
		}
		votes := map[uint64]int{} // hash at own.Index -> how many others have it
		for _, marks := range theirs {
			for _, m := range marks {
				if m.Index == own.Index {
					votes[m.Hash]++
				}
			}
		}
		for hash, count := range votes {
			if hash == own.Hash {
				continue
			}
			n.log.Error("two nodes differ", "index", own.Index)
			if count > (len(others)+1)/2 {
				return fmt.Errorf("the state of this node at index %d differs from that of the others: remove its data directory to let it have theirs", own.Index)
			}
		}
	}
	return nil
}
