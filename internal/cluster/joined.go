package cluster

import (
	"fmt"
	"slices"

	"github.com/hashicorp/raft"

	"ciderd/internal/fsm"
)

// A server that the leader's configuration does not have was removed, and must end, or is being admitted
// and the leader that let it in went before a majority had that entry: then it is to ask again. What it
// has on its disk does not tell the two apart: a new server stores the leader's term, and entries, the
// one that lets it in among them, before that one is committed; and it may even have been ready by then.
// A configuration that was committed does tell, for no later leader can be without it. So the directory
// remembers that there was one that had this server.

// committedFSM is the FSM as Raft has it: what it is given is committed, and the configurations among it
// are shown to committed.
type committedFSM struct {
	*fsm.FSM
	committed func(index uint64, c raft.Configuration)
}

func (f committedFSM) ApplyBatch(logs []*raft.Log) []any {
	for _, log := range logs {
		if log.Type == raft.LogConfiguration {
			f.committed(log.Index, raft.DecodeConfiguration(log.Data))
		}
	}
	return f.FSM.ApplyBatch(logs)
}

// committedConfiguration must not wait for the disk: it is called on the FSM's goroutine.
func (n *Node) committedConfiguration(index uint64, c raft.Configuration) {
	n.noteCommitted(index, c)
	if n.isIn(c) && !n.joined.Swap(true) {
		signal(n.joins)
	}
}

func (n *Node) isIn(c raft.Configuration) bool {
	return slices.ContainsFunc(c.Servers, func(s raft.Server) bool { return string(s.ID) == n.self.ServerID })
}

// hasJoined tells whether a committed configuration has had this server, now or before a restart. A
// snapshot that a leader has sent takes the place of the entry that would have told so.
func (n *Node) hasJoined() (bool, error) {
	if n.joined.Load() {
		return true, nil
	}
	stored, err := n.storage.Joined()
	if err != nil {
		return false, fmt.Errorf("whether this server was a member: %w", err)
	}
	if stored {
		return true, nil
	}
	// A vote comes from forming the cluster, or long after the server was let in: Raft has one change of the
	// configuration under way at a time.
	if _, votes := n.voters(); votes {
		return true, nil
	}
	return n.inSnapshot()
}

// inSnapshot tells whether the newest snapshot's configuration has this server: it was committed.
func (n *Node) inSnapshot() (bool, error) {
	snapshots, err := n.storage.Snapshots.List()
	if err != nil {
		return false, fmt.Errorf("whether this server was a member: snapshots: %w", err)
	}
	return len(snapshots) > 0 && n.isIn(snapshots[0].Configuration), nil
}

// noteJoined has the directory remember what hasJoined tells. If it cannot now, for want of room, it is
// tried again.
func (n *Node) noteJoined() error {
	stored, err := n.storage.Joined()
	if err != nil || stored {
		return err
	}
	joined, err := n.hasJoined()
	if err != nil || !joined {
		return err
	}
	n.joined.Store(true)
	if n.space.low.Load() {
		return nil // what the disk keeps is for votes and deletions
	}
	if err := n.storage.SetJoined(); err != nil {
		n.log.Debug("it is not stored yet that this server is a member", "error", err)
	}
	return nil
}
