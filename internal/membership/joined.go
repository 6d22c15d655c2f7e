package membership

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// A server that is not in the leader's configuration was removed, and must end, or it is being admitted and the
// leader that admitted it failed before a majority had that entry: then it must ask again. Its disk does not tell
// the two apart: a new server stores the leader's term and entries, including the one that admits it, before that
// one is committed; and it may even have been ready by then. A committed configuration does tell, as every later
// leader has it. So the directory remembers that there was one that had this server.

// belonging decides whether this server belongs to the cluster.
type belonging struct {
	*base
	recoveries *recoveries

	committed atomic.Pointer[committed]
	joined    atomic.Bool   // a committed configuration has had this server
	joins     chan struct{} // look again whether one has
}

// committed is a configuration that was committed.
type committed struct {
	index   uint64
	servers Servers
}

func newBelonging(b *base, r *recoveries) *belonging {
	return &belonging{base: b, recoveries: r, joins: make(chan struct{}, 1)}
}

// committedServers must not wait for the disk: it is called on the FSM's goroutine.
func (b *belonging) committedServers(index uint64, s Servers) {
	b.noteCommitted(index, s)
	if s.Has(b.self.ServerID) && !b.joined.Swap(true) {
		signal(b.joins)
	}
}

func (b *belonging) noteCommitted(index uint64, s Servers) {
	for {
		old := b.committed.Load()
		if old != nil && old.index >= index || b.committed.CompareAndSwap(old, &committed{index, s}) {
			return
		}
	}
}

// hasJoined reports whether a committed configuration has had this server, now or before a restart. A snapshot that
// a leader has sent replaces the entry that would have told.
func (b *belonging) hasJoined() (bool, error) {
	if b.joined.Load() {
		return true, nil
	}
	stored, err := b.Storage.Notes().Joined()
	if err != nil {
		return false, fmt.Errorf("whether this server was a member: %w", err)
	}
	if stored {
		return true, nil
	}
	// A vote comes from forming the cluster, or long after the server was admitted: Raft has one change of the
	// configuration in progress at a time.
	if _, votes := b.voters(); votes {
		return true, nil
	}
	return b.inSnapshot()
}

// inSnapshot reports whether the newest snapshot's configuration has this server: it was committed.
func (b *belonging) inSnapshot() (bool, error) {
	_, servers, err := b.Raft.SnapshotServers()
	if err != nil {
		return false, fmt.Errorf("whether this server was a member: snapshots: %w", err)
	}
	return servers.Has(b.self.ServerID), nil
}

// noteJoined has the directory remember what hasJoined returns. If there is no space for it now, it is tried again.
func (b *belonging) noteJoined() error {
	stored, err := b.Storage.Notes().Joined()
	if err != nil || stored {
		return err
	}
	joined, err := b.hasJoined()
	if err != nil || !joined {
		return err
	}
	b.joined.Store(true)
	if b.Disk.Low() {
		return nil // the remaining space is for votes and deletions
	}
	if err := b.Storage.Notes().SetJoined(); err != nil {
		b.Log.Debug("it is not stored yet that this server is a member", "error", err)
	}
	return nil
}

// watch notes when this node has become a member, and ends it when the cluster no longer has it. It checks while it
// hears of no leader: a removed server hears nothing, and no node would tell it.
func (b *belonging) watch(ctx context.Context) {
	tick := time.NewTicker(b.Poll)
	defer tick.Stop()
	snapshotNoted := false
	for {
		look := false
		select {
		case <-tick.C:
			look = b.hasState()
		case <-b.joins:
			snapshotNoted = false // it may be a newer one
		case <-ctx.Done():
			return
		}
		err := b.noteJoined()
		if err == nil && !snapshotNoted {
			err = b.noteSnapshot()
			snapshotNoted = err == nil
		}
		if err == nil && look {
			err = b.checkOwn(ctx, b.Raft.Leader() == "")
		}
		switch {
		case errors.Is(err, ErrRemoved):
			b.Fatal(err)
			return
		case err != nil: // such as an unreadable list of snapshots; storage reports damage
			b.Log.Warn("cannot tell yet whether this server is a member", "error", err)
		}
	}
}
