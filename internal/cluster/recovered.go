package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// A cluster that was recovered from the loss of its quorum (recover.go) is another one than it was:
// it has lost writes that the old servers may still have on their disks. All its nodes remember
// when that was. An old server that starts and finds a node with a later recovery ends before it
// serves anyone; two that run already, or that start where the recovered ones cannot be reached, can
// still be a cluster of their own, and then both sides say so until one is wiped.

// errRecoveredWithout ends a server of before the recovery.
var errRecoveredWithout = errors.New("the cluster was recovered without this server: remove its data directory to let it join as a new one")

// recovered is when this node's cluster was last recovered, Unix milliseconds; 0: never.
func (n *Node) recovered() int64 {
	ms, err := n.storage.Recovered()
	if err != nil {
		n.fatal(fmt.Errorf("when the cluster was recovered: %w", err))
	}
	return ms
}

// adoptRecovery makes an empty node one of the recovered cluster, before it asks to join that.
func (n *Node) adoptRecovery(states map[string]*stateAnswer) {
	latest := n.recovered()
	for _, s := range states {
		if s.Known {
			latest = max(latest, s.Recovered)
		}
	}
	if latest == n.recovered() {
		return
	}
	if err := n.storage.SetRecovered(latest); err != nil {
		n.log.Error("cannot store when the cluster was recovered", "error", err)
	}
}

// checkRecovery is asked before this node serves: an error is why it must not.
func (n *Node) checkRecovery(ctx context.Context) error {
	states, _ := n.askStates(ctx, n.members.others(n.self.Node))
	for _, s := range states {
		if !s.Known {
			continue
		}
		if s.Recovered > n.recovered() {
			return fmt.Errorf("%w (%s is of the one recovered at %s)", errRecoveredWithout, s.ServerID, momentOf(s.Recovered))
		}
		if s.Recovered < n.recovered() {
			n.twoClusters(s.ServerID, s.Recovered)
		}
	}
	return nil
}

// hearOfRecovery notes what another node that starts says of itself; 0 says nothing.
func (n *Node) hearOfRecovery(other string, recovered int64) {
	if recovered > n.recovered() && n.hasState() {
		n.twoClusters(other, recovered)
	}
}

// twoClusters is for people to decide: clients may have been writing to either.
func (n *Node) twoClusters(other string, recovered int64) {
	n.log.Error("there are two clusters of this name: stop one and remove its data directories",
		"other", other, "other was recovered", momentOf(recovered), "this was recovered", momentOf(n.recovered()))
}

func momentOf(ms int64) string {
	if ms == 0 {
		return "never"
	}
	return time.UnixMilli(ms).UTC().Format(time.RFC3339)
}
