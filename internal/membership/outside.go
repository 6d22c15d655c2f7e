package membership

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"ciderd/internal/peer"
)

// A node that was taken out of the others' files gets no connection to them any more, and could not ask whether its
// server was removed. So the node that refuses it says up to which log index its server is not in the cluster. The
// log only grows: if the server was a member earlier, a leader's log has removed it.
//
// If it cannot be known whether it was a member, or whether that is the log of this directory, the node stops
// serving: it would hear of no more writes, and its state becomes stale. The others' files may be wrong, so it does
// not end, and serves again when a leader confirms that it is a member.

// noteSnapshot notes a configuration that came with a snapshot.
func (b *belonging) noteSnapshot() error {
	index, servers, err := b.Raft.SnapshotServers()
	if err != nil {
		return fmt.Errorf("the servers of the newest snapshot: %w", err)
	}
	if len(servers) > 0 {
		b.noteCommitted(index, servers)
	}
	return nil
}

// outsideAsOf returns up to which log index a server is not in the cluster, as far as this node knows; 0: it is in,
// or nothing is known.
func (b *belonging) outsideAsOf(serverID string) uint64 {
	applied := b.Raft.Applied() // first: every configuration up to it is noted by then
	c := b.committed.Load()
	if c == nil || c.servers.Has(serverID) {
		return 0
	}
	return max(applied, c.index)
}

// refused evaluates the others' last answers: wrong is why this node must not serve; the error is why it must end.
func (b *belonging) refused(joined bool) (wrong string, err error) {
	voters, _ := b.voters()
	var refusing []string
	removed := false
	for _, id := range voters {
		why, proof := b.countsOut(id)
		if why != "" {
			refusing = append(refusing, peer.NodeName(id)+": "+why)
		}
		removed = removed || joined && proof
	}
	switch {
	case 2*len(refusing) <= len(voters):
		return "", nil
	case removed:
		return "", ErrRemoved
	}
	return "the other nodes do not count this one as a member: " + strings.Join(refusing, "; ") +
		"; if it was taken out for good, stop it; if not, put it back into their files and restart them", nil
}

// countsOut returns why a voter does not count this node as a member; empty: it does, or says nothing. proof
// reports whether this comes from a directory that was a member together with this one, and so has the same log,
// and is about an index after the last one where this server was a member.
func (b *belonging) countsOut(id string) (why string, proof bool) {
	name := peer.NodeName(id)
	last := b.Peers.Of(name)
	if r := b.Peers.Refusal(name); r != nil && r.Outsider() {
		return last.Reason, r.By == id && r.OutsideAsOf() >= b.memberUpTo()
	}
	if last.Reason == "" && last.ServerID == id && last.OutsideAsOf > 0 && last.OutsideAsOf >= b.memberUpTo() {
		// The node is in the file there, and would get a leader's answer.
		return fmt.Sprintf("its server is not in the cluster as of entry %d", last.OutsideAsOf), false
	}
	return "", false
}

// memberUpTo returns the last index at which this server may have been a member.
func (b *belonging) memberUpTo() uint64 {
	if c := b.committed.Load(); c != nil && c.servers.Has(b.self.ServerID) {
		return c.index
	}
	return b.Raft.LastIndex()
}

// sharesServers reports whether other current members were members together with this one: otherwise their log is
// not known to be this directory's.
func (b *belonging) sharesServers(ids []string) bool {
	return slices.ContainsFunc(b.Raft.Servers().IDs(), func(id string) bool { return id != b.self.ServerID && slices.Contains(ids, id) })
}

// checkOwn checks whether this node belongs to the others; leaderless: it hears of no leader.
func (b *belonging) checkOwn(ctx context.Context, leaderless bool) error {
	if !leaderless {
		b.Serving.Own()
		return nil
	}
	wrong, err := b.check(ctx)
	if err == nil && wrong != "" && b.Raft.Leader() == "" {
		b.Serving.Disown(wrong)
	}
	return err
}
