package membership

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"ciderd/internal/peerstate"
	"ciderd/internal/storage"
)

// A cluster that was recovered from the loss of its quorum (package recovery) is a different cluster: it has lost
// writes that the old servers may still have on their disks. All its nodes remember when that was. Servers of the
// two never take part in each other's elections or logs: the recovered one has a new id, its configuration has no
// old server, and the old configuration does not have it, so each refuses the other's connections (see package
// peer). But old servers that are a majority of the old cluster can form a cluster as long as they do not reach a
// recovered one. So every node checks, before it serves and then repeatedly: an old server that finds a node with a
// later recovery ends.

// ErrRecoveredWithout ends a server from before the recovery.
var ErrRecoveredWithout = storage.ForPerson("the cluster was recovered without this server: remove its data directory to let it join as a new one")

// recoveries is what this server knows of the recoveries of its cluster.
type recoveries struct{ *base }

// recovered returns when this node's cluster was last recovered, Unix milliseconds; 0: never.
func (r *recoveries) recovered() int64 {
	ms, err := r.Storage.Notes().Recovered()
	if err != nil {
		r.Fatal(fmt.Errorf("when the cluster was recovered: %w", err))
	}
	return ms
}

// adopt makes an empty node part of the recovered cluster, before it asks to join.
func (r *recoveries) adopt(states map[string]*peerstate.State) error {
	latest := r.recovered()
	for _, s := range states {
		if s.Known && !s.Outside {
			latest = max(latest, s.Recovered)
		}
	}
	return r.set(latest)
}

// agree is called by empty nodes before they bootstrap: what they remember of a recovered cluster that they were to
// join must be the same in all, or some would end the others. It becomes the latest of all and is not forgotten, as
// a recovery time never goes back: a server that comes back from between two recoveries still finds that it is an
// old one. agreed is false until all report it themselves.
func (r *recoveries) agree(states map[string]*peerstate.State) (agreed bool, err error) {
	latest := r.recovered()
	for _, s := range states {
		latest = max(latest, s.Recovered)
	}
	if err := r.set(latest); err != nil {
		return false, err
	}
	for _, s := range states {
		if s.Recovered != latest {
			return false, nil
		}
	}
	return true, nil
}

func (r *recoveries) set(ms int64) error {
	if ms == r.recovered() {
		return nil
	}
	if err := r.Storage.Notes().SetRecovered(ms); err != nil {
		return fmt.Errorf("storing when the cluster was recovered: %w", err)
	}
	return nil
}

// check looks at all other nodes that have data: an error is why this node must not serve, older are the servers
// that must not.
func (r *recoveries) check(ctx context.Context) (older []string, err error) {
	states, _ := r.Peers.AskAll(ctx)
	own := r.recovered()
	for _, s := range states {
		r.Reads(s.ServerID, s.Entries)
		switch {
		case !s.Known || s.Recovered == own:
		case s.Recovered > own && s.Outside:
			// A recovered cluster has no part in it.
		case s.Recovered > own:
			return nil, fmt.Errorf("%w (%s belongs to the cluster recovered at %s, %s to the one before)",
				ErrRecoveredWithout, s.ServerID, momentOf(s.Recovered), r.self.ServerID)
		default:
			older = append(older, s.ServerID)
		}
	}
	slices.Sort(older)
	return older, nil
}

// watch ends this node when the cluster was recovered without it, and logs which older servers still run: clients
// may have been writing there, and their disks still have that.
func (r *recoveries) watch(ctx context.Context) {
	tick := time.NewTicker(r.RecoveryPoll)
	defer tick.Stop()
	said := ""
	for {
		r.keepBook()
		if r.hasState() {
			older, err := r.check(ctx)
			if err != nil {
				r.Fatal(err)
				return
			}
			if now := strings.Join(older, ", "); now != said {
				if said = now; now != "" {
					r.Log.Error("servers from before the recovery are running: they end when they find this one; what was written there is lost unless their data directories are kept",
						"servers", now, "recovered", momentOf(r.recovered()))
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
