package cluster

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"ciderd/internal/storage"
)

// A cluster that was recovered from the loss of its quorum (package recovery) is another one than it was:
// it has lost writes that the old servers may still have on their disks. All its nodes remember
// when that was. Servers of the two never take part in each other's elections or logs: the recovered
// one has a new id, its configuration has no old server, and the old configuration does not have it, so
// each refuses the other's connections (see package peer). But old servers that are a majority of what
// was can be a cluster of their own, as long as they do not reach a recovered one. So every node looks,
// before it serves and then again and again: an old server that finds a node with a later recovery ends.

// recoveryPoll is how often a node looks whether the cluster was recovered without it. A variable for
// tests.
var recoveryPoll = 2 * time.Second

// errRecoveredWithout ends a server of before the recovery.
var errRecoveredWithout = storage.ForPerson("the cluster was recovered without this server: remove its data directory to let it join as a new one")

// recovered is when this node's cluster was last recovered, Unix milliseconds; 0: never.
func (n *Node) recovered() int64 {
	ms, err := n.storage.Recovered()
	if err != nil {
		n.fatal(fmt.Errorf("when the cluster was recovered: %w", err))
	}
	return ms
}

// adoptRecovery makes an empty node one of the recovered cluster, before it asks to join that.
func (n *Node) adoptRecovery(states map[string]*stateAnswer) error {
	latest := n.recovered()
	for _, s := range states {
		if s.Known && !s.Outside {
			latest = max(latest, s.Recovered)
		}
	}
	return n.setRecovered(latest)
}

// agreeOnRecovery is for empty nodes before they bootstrap: what is left in them of a recovered cluster
// that they were to join must be the same in all, or some would end the others. It becomes the latest of
// all and is not forgotten, as a mark never goes back anywhere: a server that comes back from between
// two recoveries still finds that it is an old one. agreed is false until all say so themselves.
func (n *Node) agreeOnRecovery(states map[string]*stateAnswer) (agreed bool, err error) {
	latest := n.recovered()
	for _, s := range states {
		latest = max(latest, s.Recovered)
	}
	if err := n.setRecovered(latest); err != nil {
		return false, err
	}
	for _, s := range states {
		if s.Recovered != latest {
			return false, nil
		}
	}
	return true, nil
}

func (n *Node) setRecovered(ms int64) error {
	if ms == n.recovered() {
		return nil
	}
	if err := n.storage.SetRecovered(ms); err != nil {
		return fmt.Errorf("storing when the cluster was recovered: %w", err)
	}
	return nil
}

// checkRecovery looks at all others that have data: an error is why this node must not serve, older are
// the servers that must not.
func (n *Node) checkRecovery(ctx context.Context) (older []string, err error) {
	states, _ := n.askStates(ctx, n.members.Others(n.self.Node))
	own := n.recovered()
	for _, s := range states {
		n.formats.note(s.ServerID, s.Entries)
		switch {
		case !s.Known || s.Recovered == own:
		case s.Recovered > own && s.Outside:
			// Nothing that a recovered cluster has a part in.
		case s.Recovered > own:
			return nil, fmt.Errorf("%w (%s is of the one recovered at %s, %s of the one before)",
				errRecoveredWithout, s.ServerID, momentOf(s.Recovered), n.self.ServerID)
		default:
			older = append(older, s.ServerID)
		}
	}
	slices.Sort(older)
	return older, nil
}

// watchRecovery ends this node when the cluster was recovered without it, and says which other ones
// have not ended yet: clients may have been writing there, and their disks still have that.
func (n *Node) watchRecovery(ctx context.Context) {
	tick := time.NewTicker(recoveryPoll)
	defer tick.Stop()
	said := ""
	for {
		n.keepBook()
		if n.hasState() {
			older, err := n.checkRecovery(ctx)
			if err != nil {
				n.fatal(err)
				return
			}
			if now := strings.Join(older, ", "); now != said {
				if said = now; now != "" {
					n.log.Error("servers of before the recovery run: they end when they find this one; what was written there is lost unless their data directories are kept",
						"servers", now, "recovered", momentOf(n.recovered()))
				}
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func momentOf(ms int64) string {
	if ms == 0 {
		return "never"
	}
	return time.UnixMilli(ms).UTC().Format(time.RFC3339)
}
