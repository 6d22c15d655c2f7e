package cluster

import (
	"context"
	"fmt"
	"sync"

	"github.com/hashicorp/raft"

	"ciderd/internal/fsm"
)

// formats keeps entries out of the log that a server of the cluster does not read: that one ends at them
// (fsm.ErrNewer), which is right for a log that is newer than it, and wrong in the middle of a rolling upgrade.
//
// The node that proposes asks first (Reads): until every server has said that it reads a version, a command that
// needs it is not proposed. The leader, which may know of one more, takes it out again (fsm.Refuse). And a
// server that does not read what the log has held is not let in.
type formats struct {
	self    string          // this node's server id
	servers func() []string // of the configuration
	applied func() int      // fsm.InUse

	mu      sync.Mutex     // all below; held while an entry of a version that not all releases read enters
	reads   map[string]int // by server id, as far as they have said
	entered int            // the highest version that this node has given to Raft
}

// oldest is the version that every release reads that was ever out: with it there is nothing to ask.
const oldest = 2

func newFormats(n *Node) *formats {
	return &formats{self: n.self.ServerID, servers: n.serverIDs, applied: func() int { return n.fsm.InUse() }, reads: map[string]int{}}
}

// note takes down what a server has said it reads.
func (f *formats) note(server string, version int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reads[server] = version
}

// all is the version that every server of the configuration is known to read. All nodes ask all others every
// recoveryPoll, so one that is down was heard of before.
func (f *formats) all() int {
	servers := f.servers()
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.of(servers)
}

func (f *formats) of(servers []string) int {
	if len(servers) == 0 { // there is no configuration yet
		return oldest
	}
	version := fsm.EntryVersion
	for _, id := range servers {
		if id != f.self {
			version = min(version, f.reads[id])
		}
	}
	// What the log has held all read, or they would not have been let in: a node that has just started need not
	// hear it from each again.
	return max(version, f.entered, f.applied())
}

// enter has give put an entry into the log, without what not every server reads.
func (f *formats) enter(entry []byte, give func(entry []byte) raft.ApplyFuture) (raft.ApplyFuture, error) {
	if fsm.VersionOf(entry) <= oldest {
		return give(entry), nil
	}
	servers := f.servers()
	f.mu.Lock()
	defer f.mu.Unlock()
	entry, err := fsm.Refuse(entry, fsm.Refusal{Reads: max(oldest, f.of(servers))})
	if err != nil {
		return nil, err
	}
	f.entered = max(f.entered, fsm.VersionOf(entry))
	return give(entry), nil
}

// admit has add put a new server into the configuration if it reads what the log holds.
func (f *formats) admit(server string, reads int, add func() raft.IndexFuture) (raft.IndexFuture, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if used := max(f.entered, f.applied()); reads < used {
		return nil, fmt.Errorf("the log of this cluster has entries of version %d, and %s reads up to version %d: install ciderd %s or later there",
			used, server, reads, fsm.Release)
	}
	f.reads[server] = reads
	return add(), nil
}

// Reads tells whether every server is known to read entries of a version.
func (n *Node) Reads(version int) bool { return n.formats.all() >= version }

// readsOf asks a server that is to be let in what it reads.
func (n *Node) readsOf(id string) (version int, err error) {
	ctx, cancel := context.WithTimeout(n.ctx, aliveTimeout)
	defer cancel()
	a, err := n.ask(ctx, id, question{State: &stateQuestion{}})
	if err == nil && a.State == nil {
		err = fmt.Errorf("no state: %s", a.Error)
	}
	if err != nil {
		return 0, fmt.Errorf("what entries %s reads: %w", id, err)
	}
	return a.State.Entries, nil
}
