package peer

import (
	"container/list"
	"errors"
	"sync"
)

// MaxUnfinished bounds the memory of all messages that have begun to arrive and are not complete yet: the largest
// possible message, and some more.
const MaxUnfinished = 320 << 20

// ErrGaveWay ends a message whose memory others need.
var ErrGaveWay = errors.New("too much memory is taken by messages that are not whole")

// Budget is the memory of unfinished messages, shared by all connections. When it is used up the message that began
// first is ended: a node's messages are complete within moments, so the oldest is a foreign one that holds memory
// without continuing.
type Budget struct {
	mu     sync.Mutex // all below, and all of every share
	free   int
	shares list.List // of *share that hold something, the oldest in front
}

// NewBudget returns a budget of that many bytes.
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

// oldestBut returns the oldest share other than s; nil: none.
func (b *Budget) oldestBut(s *share) *share {
	for e := b.shares.Front(); e != nil; e = e.Next() {
		if o := e.Value.(*share); o != s {
			return o
		}
	}
	return nil
}

// release returns all of it to the budget, whose mu is held.
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
