package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"ciderd/internal/fsm"
	"ciderd/internal/limits"
	"ciderd/internal/membership"
	"ciderd/internal/peerstate"
	"ciderd/internal/storage"
)

// consensus is Raft on this node, as the other parts see it.
type consensus struct {
	*raft.Raft
	self    string // this node's server id
	storage *storage.Storage
	fsm     *fsm.FSM
	stopped <-chan struct{} // closed when the node stops: Raft may not answer its futures after that
	tuning  sync.Mutex
}

// tune changes settings of the running Raft, which reads and takes them as a whole.
func (c *consensus) tune(change func(*raft.ReloadableConfig)) error {
	c.tuning.Lock()
	defer c.tuning.Unlock()
	settings := c.ReloadableConfig()
	change(&settings)
	return c.ReloadConfig(settings)
}

// Leads reports whether this node leads, as far as it knows.
func (c *consensus) Leads() bool { return c.State() == raft.Leader }

// Leader returns the server id of the leader as Raft here knows it; empty: none.
func (c *consensus) Leader() string {
	_, id := c.LeaderWithID()
	return string(id)
}

// Term returns Raft's current term.
func (c *consensus) Term() uint64 { return c.CurrentTerm() }

// Applied returns the last index whose changes reads here see.
func (c *consensus) Applied() uint64 { return c.fsm.Applied() }

// Servers returns the latest configuration that this node knows of.
func (c *consensus) Servers() membership.Servers {
	future := c.GetConfiguration()
	if future.Error() != nil {
		return nil
	}
	return serversOf(future.Configuration())
}

func serversOf(c raft.Configuration) membership.Servers {
	servers := make(membership.Servers, len(c.Servers))
	for i, s := range c.Servers {
		servers[i] = membership.Server{ID: string(s.ID), Voter: s.Suffrage == raft.Voter}
	}
	return servers
}

// Voters returns the other voters, and reports whether this node is one.
func (c *consensus) Voters() (others []string, selfVotes bool) { return c.Servers().Voters(c.self) }

// role returns this node's role, as in peerstate.State.
func (c *consensus) role() string {
	switch c.State() {
	case raft.Leader:
		return peerstate.RoleLeader
	case raft.Candidate:
		return peerstate.RoleCandidate
	}
	if c.Servers().HasNonvoter(c.self) {
		return peerstate.RoleReplica
	}
	return peerstate.RoleFollower
}

// SnapshotServers returns the configuration of the newest snapshot, and its index.
func (c *consensus) SnapshotServers() (index uint64, s membership.Servers, err error) {
	snapshots, err := c.storage.Snapshots.List()
	if err != nil || len(snapshots) == 0 {
		return 0, nil, err
	}
	return snapshots[0].ConfigurationIndex, serversOf(snapshots[0].Configuration), nil
}

// progress returns how far this node's Raft has come.
func (c *consensus) progress() progress { return progress{c.CurrentTerm(), c.LastIndex()} }

// CanBeTerm returns an error for a term that no cluster of this age can have reached.
func (c *consensus) CanBeTerm(term uint64) error { return c.progress().checkTerm("term", term) }

// Confirm returns nil once a majority has stored an entry of this leader's term.
func (c *consensus) Confirm(timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return waitFuture(c.Barrier(timeout), c.stopped, ctx.Done())
}

// waitFuture waits for one of Raft's futures, or until one of the channels is closed: Raft does not answer them
// when it shuts down.
func waitFuture(f raft.Future, stopped, over <-chan struct{}) error {
	done := make(chan error, 1)
	go func() { done <- f.Error() }()
	select {
	case err := <-done:
		return err
	case <-over:
	case <-stopped:
	}
	return raft.ErrRaftShutdown
}

func (c *consensus) wait(f raft.Future) error { return waitFuture(f, c.stopped, nil) }

// changes makes changes of the configuration through Raft; see membership.Changes.
type changes struct {
	*consensus
	*transfers
	formats  *formats
	forwards *forwards
	forget   func(serverID string) error // the state's row of a server
}

// asMember maps the library's errors to those of membership.
func asMember(err error) error {
	if errors.Is(err, raft.ErrNotLeader) {
		return fmt.Errorf("%w: %w", membership.ErrNotLeading, err)
	}
	return err
}

// Bootstrap writes the first configuration.
func (c *changes) Bootstrap(s membership.Servers) error {
	var first raft.Configuration
	for _, server := range s {
		first.Servers = append(first.Servers, raft.Server{
			Suffrage: raft.Voter, ID: raft.ServerID(server.ID), Address: raft.ServerAddress(server.ID),
		})
	}
	if err := c.storage.Notes().SetLimits(limits.Formed); err != nil {
		return err
	}
	return c.wait(c.BootstrapCluster(first))
}

// Admit adds a server without a vote.
func (c *changes) Admit(id string, reads int) error {
	future, err := c.formats.admit(id, reads, func() raft.IndexFuture {
		c.log.Info("admitting a server", "id", id)
		return c.AddNonvoter(raft.ServerID(id), raft.ServerAddress(id), 0, membership.ChangeTimeout)
	})
	if err != nil {
		return err
	}
	return asMember(c.wait(future))
}

// Promote gives a server its vote. AddVoter does so at once, so the caller has checked that the server has caught
// up.
func (c *changes) Promote(id string) error {
	return asMember(c.wait(c.AddVoter(raft.ServerID(id), raft.ServerAddress(id), 0, membership.ChangeTimeout)))
}

// Remove removes a server from the configuration, and then its row from the state, after its last batch.
func (c *changes) Remove(id string) error {
	if err := c.wait(c.RemoveServer(raft.ServerID(id), 0, membership.ChangeTimeout)); err != nil {
		return asMember(err)
	}
	c.forwards.lastBatches(id)
	if err := c.forget(id); err != nil {
		// The row is a few bytes that no batch will ever match again.
		c.log.Warn("the removed server's row stays for now", "error", err)
	}
	return nil
}

// isServer reports whether a server is in the configuration.
func (c *consensus) isServer(id string) bool {
	future := c.GetConfiguration()
	return future.Error() == nil && slices.ContainsFunc(future.Configuration().Servers, func(s raft.Server) bool { return string(s.ID) == id })
}
