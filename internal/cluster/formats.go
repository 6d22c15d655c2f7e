package cluster

import "sync"

// formats is the latest versions of entries that the servers have said they read. A leader must not store
// one that a server does not read: that one ends (fsm.ErrNewer), which is right for a log that is newer than
// it, and wrong in the middle of a rolling upgrade.
type formats struct {
	mu    sync.Mutex
	reads map[string]int // by server id
}

func (n *Node) noteFormat(s *stateAnswer) {
	n.formats.mu.Lock()
	defer n.formats.mu.Unlock()
	if n.formats.reads == nil {
		n.formats.reads = map[string]int{}
	}
	n.formats.reads[s.ServerID] = s.Entries
}

// allRead tells whether every server of the configuration is known to read entries of a version. All nodes
// ask all others every recoveryPoll, so one that is down was heard of before.
func (n *Node) allRead(version int) bool {
	servers := n.servers()
	n.formats.mu.Lock()
	defer n.formats.mu.Unlock()
	for _, s := range servers {
		if id := string(s.ID); id != n.self.ServerID && n.formats.reads[id] < version {
			return false
		}
	}
	return true
}
