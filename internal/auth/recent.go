package auth

import "sync"

// recent is a map that holds at most 2*half entries and forgets those not touched for longest, by
// generations: when the young one is full it becomes the old one, and the old one is dropped. That
// is LRU closely enough, in constant time and without links between entries. Not safe for
// concurrent use.
type recent[K comparable, V any] struct {
	half       int
	young, old map[K]V
}

func newRecent[K comparable, V any](capacity int) *recent[K, V] {
	return &recent[K, V]{half: max(1, capacity/2), young: map[K]V{}}
}

// get returns what is remembered of k, without touching it.
func (r *recent[K, V]) get(k K) (V, bool) {
	if v, ok := r.young[k]; ok {
		return v, true
	}
	v, ok := r.old[k]
	return v, ok
}

// put remembers k, as the most recent.
func (r *recent[K, V]) put(k K, v V) {
	if _, ok := r.young[k]; !ok && len(r.young) >= r.half {
		r.old, r.young = r.young, make(map[K]V)
	}
	r.young[k] = v
}

// len is never more than 2*half: a key that is in both generations counts twice.
func (r *recent[K, V]) len() int { return len(r.young) + len(r.old) }

// memory is a set of what has been seen lately, safe for concurrent use.
type memory[K comparable] struct {
	mu    sync.Mutex // protects known
	known *recent[K, struct{}]
}

// has reports whether k was added and not forgotten; a hit counts as use.
func (m *memory[K]) has(k K) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, ok := m.known.get(k)
	if ok {
		m.known.put(k, struct{}{})
	}
	return ok
}

func (m *memory[K]) add(k K) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.known.put(k, struct{}{})
}
