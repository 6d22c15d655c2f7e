package session

import (
	"cmp"

	"ciderd/internal/fsm"
)

// nearest keeps, of the keys that are added, the count with the lowest positions, and those that share the last one's. It
// collects up to twice as many, then sorts and drops the rest.
type nearest struct {
	sc    *scan
	count int
	keys  []positioned
	next  uint64 // behind the last of them; fsm.Positions: no key was dropped
}

type positioned struct {
	position uint64
	key      []byte
}

func (n *nearest) add(position uint64, key []byte) {
	if position >= n.next {
		return
	}
	n.keys = append(n.keys, positioned{position, key})
	if len(n.keys)-n.count >= max(n.count, 64) {
		n.cut()
	}
}

func (n *nearest) cut() {
	sortWithin(n.sc, n.keys, func(a, b positioned) int { return cmp.Compare(a.position, b.position) })
	kept := min(n.count, len(n.keys))
	for kept < len(n.keys) && n.keys[kept].position == n.keys[kept-1].position {
		kept++
	}
	if kept < len(n.keys) {
		n.next = n.keys[kept-1].position + 1
		clear(n.keys[kept:])
		n.keys = n.keys[:kept]
	}
}

// page sorts what was kept, and returns it with the position to go on from; 0: nowhere.
func (n *nearest) page() (keys []positioned, next uint64) {
	n.cut()
	return n.keys, n.next % fsm.Positions
}
