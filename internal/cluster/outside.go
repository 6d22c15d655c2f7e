package cluster

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/raft"

	"ciderd/internal/peer"
)

// A node that the others have taken out of their files gets no connection to them any more, and could not ask
// whether its server was removed. So who refuses it says up to where in the log its server is none of the
// cluster's. The log goes one way: if it was one before there, a leader's log has removed it.
//
// If it cannot be known whether it was one, or whether that is the log of this directory, the node stops serving: nobody
// will tell it of a write again, and what it has grows old. It may be the others' files that are wrong, so it does not
// end, and serves again when a leader takes it for its own.

// committedServers is a configuration that was committed.
type committedServers struct {
	index uint64
	raft.Configuration
}

// noteCommitted must not wait for the disk: it is called on the FSM's goroutine.
func (n *Node) noteCommitted(index uint64, c raft.Configuration) {
	for {
		old := n.committed.Load()
		if old != nil && old.index >= index || n.committed.CompareAndSwap(old, &committedServers{index, c}) {
			return
		}
	}
}

// noteSnapshot is for a configuration that came with a snapshot.
func (n *Node) noteSnapshot() error {
	snapshots, err := n.storage.Snapshots.List()
	if err != nil {
		return fmt.Errorf("the servers of the newest snapshot: %w", err)
	}
	if len(snapshots) > 0 {
		n.noteCommitted(snapshots[0].ConfigurationIndex, snapshots[0].Configuration)
	}
	return nil
}

// outsideAsOf is up to where in the log a server is none of the cluster's, as far as this node knows; 0: it is one,
// or nothing is known.
func (n *Node) outsideAsOf(serverID string) uint64 {
	applied := n.fsm.Applied() // first: whatever configuration there is up to it is noted by then
	c := n.committed.Load()
	if c == nil || slices.ContainsFunc(c.Servers, func(s raft.Server) bool { return string(s.ID) == serverID }) {
		return 0
	}
	return max(applied, c.index)
}

// refused is what follows from the others' last answers: wrong is why this node must not serve; the error is why
// it must end.
func (n *Node) refused(joined bool) (wrong string, err error) {
	voters, _ := n.voters()
	var refusing []string
	removed := false
	for _, id := range voters {
		why, proof := n.countsOut(id)
		if why != "" {
			refusing = append(refusing, peer.NodeName(id)+": "+why)
		}
		removed = removed || joined && proof
	}
	switch {
	case 2*len(refusing) <= len(voters):
		return "", nil
	case removed:
		return "", errRemoved
	}
	return "the other nodes do not count this one in: " + strings.Join(refusing, "; ") +
		"; if it was taken out for good, stop it; if not, put it back into their files and restart them", nil
}

// countsOut is why a voter does not count this node in; empty: it does, or says nothing. proof is whether that
// very directory, which was a member together with this one and so is of the same log, says so of a place in the log
// behind the last one where this server was a member.
func (n *Node) countsOut(id string) (why string, proof bool) {
	name := peer.NodeName(id)
	last := n.peers.of(name)
	if r := n.peers.refusal(name); r != nil && r.Outsider() {
		return last.Reason, r.By == id && r.OutsideAsOf() >= n.memberUpTo()
	}
	if last.Reason == "" && last.server == id && last.outside > 0 && last.outside >= n.memberUpTo() {
		// It is in the file there, where a leader's own word is to be had.
		return fmt.Sprintf("its server is not in the cluster as of entry %d", last.outside), false
	}
	return "", false
}

// memberUpTo is where in the log this server was a member at the latest, or behind that.
func (n *Node) memberUpTo() uint64 {
	if c := n.committed.Load(); c != nil && n.isIn(c.Configuration) {
		return c.index
	}
	return n.raft.LastIndex()
}

// sharesServers tells whether others that are members now were members with this one: else theirs is not known to be
// the log of this directory.
func (n *Node) sharesServers(ids []string) bool {
	return slices.ContainsFunc(n.serverIDs(), func(id string) bool { return id != n.self.ServerID && slices.Contains(ids, id) })
}

// disown has this node stop serving, and say why.
func (n *Node) disown(why string) {
	if old := n.disowned.Swap(&why); old == nil || *old != why {
		n.log.Error("this node serves nobody: it is not known to be a member of the cluster any more", "reason", why)
	}
}

// own takes that back, once a leader takes this node for its own.
func (n *Node) own() {
	if n.disowned.Swap(nil) != nil {
		n.log.Warn("this node serves again: a leader counts it in")
	}
}

// checkOwn looks whether this node belongs to the others; leaderless: it hears of no leader.
func (n *Node) checkOwn(ctx context.Context, leaderless bool) error {
	if !leaderless {
		n.own()
		return nil
	}
	wrong, err := n.checkMembership(ctx)
	if err == nil && wrong != "" && n.leader() == "" {
		n.disown(wrong)
	}
	return err
}
