package fsm

import "sync"

// StateHash is the hash of the whole state at one index. Nodes compare theirs: at the same index they must be
// equal.
type StateHash struct {
	Index uint64
	Hash  uint64
}

const (
	// hashEvery is how many log indexes lie between two hashes that are kept, so that nodes that have applied
	// slightly different indexes still have some in common.
	hashEvery  = 256
	keptHashes = 32
)

// stateHashes holds the newest hash, and some that other nodes keep too.
type stateHashes struct {
	mu     sync.Mutex // all below
	latest StateHash
	kept   []StateHash // oldest first
}

func (m *stateHashes) set(index, hash uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	// The entries between two hashes may be ones that no FSM sees. So the rule is: the last entry that it sees
	// before each multiple, which is the same on all nodes.
	if m.latest.Index/hashEvery != index/hashEvery && m.latest.Index > 0 {
		if len(m.kept) == keptHashes {
			m.kept = append(m.kept[:0], m.kept[1:]...)
		}
		m.kept = append(m.kept, m.latest)
	}
	m.latest = StateHash{index, hash}
}

// StateHashes returns the hashes of the state at the last applied index and at some earlier ones, newest first.
func (f *FSM) StateHashes() []StateHash {
	f.hashes.mu.Lock()
	defer f.hashes.mu.Unlock()
	list := []StateHash{f.hashes.latest}
	for i := len(f.hashes.kept) - 1; i >= 0; i-- {
		list = append(list, f.hashes.kept[i])
	}
	return list
}
