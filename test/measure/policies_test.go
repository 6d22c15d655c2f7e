//go:build e2e

package measure

import (
	"container/list"
	"testing"
)

// policy is one node's cache of a number of items: has tells whether a key is there, and stores it if it is not.
type policy interface {
	has(key int) bool
}

// policies are what the cluster is compared with, each made for so many items.
var policies = []struct {
	name string
	make func(size int) policy
}{
	{"LRU", func(size int) policy { return newLRU(size) }},
	{"S3-FIFO", func(size int) policy { return newS3FIFO(size) }},
	{"SIEVE", func(size int) policy { return newSieve(size) }},
	{"W-TinyLFU", func(size int) policy { return newTinyLFU(size) }},
}

// lru evicts what was used longest ago.
type lru struct {
	size  int
	order *list.List // of keys, the one used last in front
	at    map[int]*list.Element
}

func newLRU(size int) *lru { return &lru{size: size, order: list.New(), at: map[int]*list.Element{}} }

func (l *lru) has(key int) bool {
	if e, ok := l.at[key]; ok {
		l.order.MoveToFront(e)
		return true
	}
	l.add(key)
	return false
}

// add stores a key that is not there, and returns the one that had to go, or -1.
func (l *lru) add(key int) (out int) {
	out = -1
	if l.order.Len() >= l.size {
		out = l.oldest()
		l.remove(out)
	}
	l.at[key] = l.order.PushFront(key)
	return out
}

func (l *lru) oldest() int {
	if e := l.order.Back(); e != nil {
		return e.Value.(int)
	}
	return -1
}

func (l *lru) remove(key int) {
	l.order.Remove(l.at[key])
	delete(l.at, key)
}

// fifo is a queue of keys without one of them twice.
type fifo struct {
	keys []int
	in   map[int]bool
}

func newFIFO() *fifo { return &fifo{in: map[int]bool{}} }

func (f *fifo) push(key int) {
	f.keys = append(f.keys, key)
	f.in[key] = true
}

func (f *fifo) pop() int {
	key := f.keys[0]
	f.keys = f.keys[1:]
	delete(f.in, key)
	return key
}

// s3FIFO has a small queue for what is new, a main one for what was used again there, and remembers what left the small
// one (Yang et al., 2023).
type s3FIFO struct {
	size               int
	small, main, ghost *fifo
	uses               map[int]int // of those that are there, up to 3
}

func newS3FIFO(size int) *s3FIFO {
	return &s3FIFO{size: size, small: newFIFO(), main: newFIFO(), ghost: newFIFO(), uses: map[int]int{}}
}

func (s *s3FIFO) has(key int) bool {
	if n, ok := s.uses[key]; ok {
		s.uses[key] = min(n+1, 3)
		return true
	}
	for len(s.uses) >= s.size {
		if len(s.small.keys) >= max(s.size/10, 1) || len(s.main.keys) == 0 {
			s.evictSmall()
		} else {
			s.evictMain()
		}
	}
	if s.ghost.in[key] {
		s.main.push(key)
	} else {
		s.small.push(key)
	}
	s.uses[key] = 0
	return false
}

func (s *s3FIFO) evictSmall() {
	for len(s.small.keys) > 0 {
		key := s.small.pop()
		if s.uses[key] > 0 {
			s.uses[key] = 0
			s.main.push(key)
			continue
		}
		delete(s.uses, key)
		s.ghost.push(key)
		for len(s.ghost.keys) > s.size {
			s.ghost.pop()
		}
		return
	}
}

func (s *s3FIFO) evictMain() {
	for {
		key := s.main.pop()
		if s.uses[key] == 0 {
			delete(s.uses, key)
			return
		}
		s.uses[key]--
		s.main.push(key)
	}
}

// sieve has a hand that goes from old to new, and takes what was not used since it came by (Zhang et al., 2024).
type sieve struct {
	size  int
	order *list.List // of *sieved, the newest in front
	at    map[int]*list.Element
	hand  *list.Element
}

type sieved struct {
	key  int
	used bool
}

func newSieve(size int) *sieve {
	return &sieve{size: size, order: list.New(), at: map[int]*list.Element{}}
}

func (s *sieve) has(key int) bool {
	if e, ok := s.at[key]; ok {
		e.Value.(*sieved).used = true
		return true
	}
	if s.order.Len() >= s.size {
		s.evict()
	}
	s.at[key] = s.order.PushFront(&sieved{key: key})
	return false
}

func (s *sieve) evict() {
	e := s.hand
	for {
		if e == nil {
			e = s.order.Back()
		}
		v := e.Value.(*sieved)
		if !v.used {
			s.hand = e.Prev()
			s.order.Remove(e)
			delete(s.at, v.key)
			return
		}
		v.used = false
		e = e.Prev()
	}
}

// tinyLFU lets in to the main part only what is used more often than what would have to go (Einziger et al., 2017): a
// window of 1 %, a segmented LRU behind it, and counts that are halved after ten times the size. The counts are exact.
type tinyLFU struct {
	window, probation, protected *lru
	counts                       map[int]int
	size, counted                int
}

func newTinyLFU(size int) *tinyLFU {
	window := max(size/100, 1)
	protected := (size - window) * 8 / 10
	return &tinyLFU{
		window: newLRU(window), protected: newLRU(protected), probation: newLRU(size - window - protected),
		counts: map[int]int{}, size: size,
	}
}

func (l *tinyLFU) has(key int) bool {
	l.count(key)
	switch {
	case l.window.at[key] != nil:
		return l.window.has(key)
	case l.protected.at[key] != nil:
		return l.protected.has(key)
	case l.probation.at[key] != nil:
		l.probation.remove(key)
		if out := l.protected.add(key); out >= 0 {
			l.probation.add(out) // there is the place of key
		}
		return true
	}
	candidate := l.window.add(key)
	if candidate < 0 {
		return false
	}
	// While protected is not full yet there is more room in probation.
	if l.probation.order.Len()+l.protected.order.Len() < l.probation.size+l.protected.size {
		l.probation.at[candidate] = l.probation.order.PushFront(candidate)
	} else if victim := l.probation.oldest(); l.counts[candidate] > l.counts[victim] {
		l.probation.remove(victim)
		l.probation.at[candidate] = l.probation.order.PushFront(candidate)
	}
	return false
}

func (l *tinyLFU) count(key int) {
	l.counts[key] = min(l.counts[key]+1, 15)
	if l.counted++; l.counted < 10*l.size {
		return
	}
	l.counted = 0
	for key, n := range l.counts {
		if l.counts[key] = n / 2; n/2 == 0 {
			delete(l.counts, key)
		}
	}
}

// TestPolicies holds what is compared with to what is known of it: none stores more than it may, all find what fits, and
// on a loop that does not fit LRU finds nothing.
func TestPolicies(t *testing.T) {
	const size = 100
	for _, p := range policies {
		cache, hits := p.make(size), 0
		for i := range 10 * size {
			if cache.has(i % (size * 9 / 10)) {
				hits++
			}
		}
		if hits < 8*size {
			t.Errorf("%s: %d hits of what fits", p.name, hits)
		}
		cache, hits = p.make(size), 0
		for i := range 100 * size {
			if cache.has(i % (2 * size)) {
				hits++
			}
		}
		if most := 50 * size; hits > most || p.name == "LRU" && hits > 0 {
			t.Errorf("%s: %d hits of a loop twice its size", p.name, hits)
		}
	}
}
