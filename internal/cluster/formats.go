package cluster

import (
	"fmt"
	"sync"

	"github.com/hashicorp/raft"

	"ciderd/internal/fsm"
)

// formats keeps entries that a server of the cluster does not read out of the log. That server would stop at them
// (fsm.ErrNewer), which is right for a newer log, and wrong in the middle of a rolling upgrade.
//
// The node that proposes checks first (Reads): until every server has said that it reads a version, a command that
// needs it is not proposed. The leader, which may know of one more server, takes it out again (fsm.Refuse). And a
// server that does not read an entry that the log has held is not admitted.
type formats struct {
	self    string          // this node's server id
	servers func() []string // of the configuration
	applied func() int      // fsm.InUse

	mu      sync.Mutex     // all below
	reads   map[string]int // by server id, as far as they are known
	entered int            // the highest version that this node has given to Raft
}

// oldest is the version that all releases read: it needs no check.
const oldest = 2

func newFormats(c *consensus) *formats {
	return &formats{
		self: c.self, servers: func() []string { return c.Servers().IDs() },
		applied: func() int { return c.fsm.InUse() }, reads: map[string]int{},
	}
}

// note remembers which version a server has said it reads.
func (f *formats) note(server string, version int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reads[server] = version
}

// all returns the version that every server of the configuration is known to read. All nodes ask all others every
// Polls.Recovery, so a node that is down has been heard earlier.
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
	// All servers read what the log has held, or they would not have been admitted: a node that has just started
	// need not hear it from each again.
	return max(version, f.entered, f.applied())
}

// enter has give put an entry into the log, without the commands that are refused or that not every server reads.
func (f *formats) enter(entry []byte, r fsm.Refusal, give func(entry []byte) (raft.ApplyFuture, error)) (raft.ApplyFuture, error) {
	entry, err := f.readable(entry, r)
	if err != nil {
		return nil, err
	}
	return give(entry) // which may take a while
}

// readable returns an entry without what is refused or not read, and notes its version: from then on no server that
// does not read it is admitted.
func (f *formats) readable(entry []byte, r fsm.Refusal) ([]byte, error) {
	if fsm.VersionOf(entry) <= oldest {
		return fsm.Refuse(entry, r)
	}
	servers := f.servers()
	f.mu.Lock()
	defer f.mu.Unlock()
	r.Reads = max(oldest, f.of(servers))
	entry, err := fsm.Refuse(entry, r)
	if err == nil {
		f.entered = max(f.entered, fsm.VersionOf(entry))
	}
	return entry, err
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
