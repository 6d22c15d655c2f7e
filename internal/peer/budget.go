package peer

import (
	"container/list"
	"errors"
	"sync"
)

// MaxUnfinished bounds the memory of all messages that have begun to come in and are not whole yet: the largest
// that there can be, and some.
const MaxUnfinished = 320 << 20

// ErrGaveWay ends a message that has to give its memory to others.
var ErrGaveWay = errors.New("too much memory is taken by messages that are not whole")

// Budget is the memory of unfinished messages, shared by all connections. When it is used up the message that
// began first gives way: a node's are whole within moments, so that is somebody's who takes memory and does not
// go on.
type Budget struct {
	mu     sync.Mutex // all below, and all of every share
	free   int
	shares list.List // of *share that hold something, the oldest in front
}

// NewBudget returns one of so many bytes.
func NewBudget(bytes int) *Budget { return &Budget{free: bytes} }

// share is what one message holds.
type share struct {
	budget  *Budget
	giveWay func() // ends the message; must not block
	bytes   int
	element *list.Element // nil: it holds nothing
	lost    bool
}

func (b *Budget) open(giveWay func()) *share { return &share{budget: b, giveWay: giveWay} }

func (s *share) take(n int) error {
	b := s.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	for !s.lost && b.free < n {
		oldest := b.oldestBut(s)
		if oldest == nil {
			return ErrGaveWay
		}
		oldest.release()
		oldest.lost = true
		oldest.giveWay()
	}
	if s.lost {
		return ErrGaveWay
	}
	if s.element == nil {
		s.element = b.shares.PushBack(s)
	}
	s.bytes += n
	b.free -= n
	return nil
}

// oldestBut is the oldest share that is not s; nil: none.
func (b *Budget) oldestBut(s *share) *share {
	for e := b.shares.Front(); e != nil; e = e.Next() {
		if o := e.Value.(*share); o != s {
			return o
		}
	}
	return nil
}

// release gives all back; the budget's mu is held.
func (s *share) release() {
	if s.element != nil {
		s.budget.shares.Remove(s.element)
		s.element = nil
	}
	s.budget.free += s.bytes
	s.bytes = 0
}

func (s *share) close() {
	s.budget.mu.Lock()
	defer s.budget.mu.Unlock()
	s.release()
}
