package fsm

import "sync"

// Mark is the hash of the whole state at one index. Nodes compare theirs: at the same index they
// must be equal.
type Mark struct {
	Index uint64
	Hash  uint64
}

const (
	// markEvery is how many log indexes lie between two marks that are kept, so that nodes that
	// are a little apart still have some in common.
	markEvery = 256
	keptMarks = 32
)

// marks are the newest mark, and some that other nodes keep too.
type marks struct {
	mu     sync.Mutex // all below
	latest Mark
	kept   []Mark // oldest first
}

func (m *marks) set(index, hash uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	// The entries between two marks may be ones that no FSM sees, so the rule is the last entry
	// that it sees before each multiple, which is the same on all nodes.
	if m.latest.Index/markEvery != index/markEvery && m.latest.Index > 0 {
		if len(m.kept) == keptMarks {
			m.kept = append(m.kept[:0], m.kept[1:]...)
		}
		m.kept = append(m.kept, m.latest)
	}
	m.latest = Mark{index, hash}
}

// Marks lists the hashes of the state at the index last applied and at some before, newest first.
func (f *FSM) Marks() []Mark {
	f.marks.mu.Lock()
	defer f.marks.mu.Unlock()
	list := []Mark{f.marks.latest}
	for i := len(f.marks.kept) - 1; i >= 0; i-- {
		list = append(list, f.marks.kept[i])
	}
	return list
}
