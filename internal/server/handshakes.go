package server

import (
	"container/list"
	"errors"
	"os"
	"runtime"
	"sync"
	"time"
)

// errStopped is the end of a handshake on a server that is being shut down.
var errStopped = errors.New("server stopped")

// handshakes is a fair queue for the slots in which handshakes compute: half of the cores, so that a flood of them
// leaves the other half to clients that are served already. Slots go round over client addresses. A handshake has no
// slot while it waits for its client. The connections bound how many wait.
type handshakes struct {
	mu        sync.Mutex // all below
	free      int
	addresses map[string]*list.Element // of round: those that wait
	round     list.List                // of *handshakeQueue, the next to be served in front
}

// handshakeQueue is the handshakes of one client address that wait for a slot.
type handshakeQueue struct {
	address string
	waiting []chan struct{} // closed with a slot; the oldest in front
}

func newHandshakes() *handshakes {
	return &handshakes{free: max(1, runtime.GOMAXPROCS(0)/2), addresses: map[string]*list.Element{}}
}

// join takes a free slot, or queues up: the channel is closed when there is a slot.
func (h *handshakes) join(address string) chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.free > 0 {
		h.free--
		return nil
	}
	e := h.addresses[address]
	if e == nil {
		e = h.round.PushBack(&handshakeQueue{address: address})
		h.addresses[address] = e
	}
	q := e.Value.(*handshakeQueue)
	called := make(chan struct{})
	q.waiting = append(q.waiting, called)
	return called
}

// release returns a slot, or hands it on.
func (h *handshakes) release() {
	h.mu.Lock()
	defer h.mu.Unlock()
	e := h.round.Front()
	if e == nil {
		h.free++
		return
	}
	h.round.MoveToBack(e)
	close(e.Value.(*handshakeQueue).waiting[0])
	h.remove(e, 0)
}

// leave ends a wait, also if a slot has just come.
func (h *handshakes) leave(address string, called chan struct{}) {
	h.mu.Lock()
	e, queued := h.addresses[address], false
	if e != nil {
		for i, w := range e.Value.(*handshakeQueue).waiting {
			if w == called {
				h.remove(e, i)
				queued = true
				break
			}
		}
	}
	h.mu.Unlock()
	if !queued {
		h.release()
	}
}

// remove takes one out of an address's queue.
func (h *handshakes) remove(e *list.Element, i int) {
	q := e.Value.(*handshakeQueue)
	q.waiting = append(q.waiting[:i], q.waiting[i+1:]...)
	if len(q.waiting) == 0 {
		h.round.Remove(e)
		delete(h.addresses, q.address)
	}
}

// handshakeSlot is the slot of one handshake, which has it or not.
type handshakeSlot struct {
	of      *handshakes
	address string
	until   time.Time
	stopped <-chan struct{}
	has     bool
}

// acquire waits for the slot, until the handshake's time is up or the server is stopped.
func (s *handshakeSlot) acquire() error {
	called := s.of.join(s.address)
	if called != nil {
		timer := time.NewTimer(time.Until(s.until))
		defer timer.Stop()
		select {
		case <-called:
		case <-timer.C:
			s.of.leave(s.address, called)
			return os.ErrDeadlineExceeded
		case <-s.stopped:
			s.of.leave(s.address, called)
			return errStopped
		}
	}
	s.has = true
	return nil
}

// release returns the slot, if it has it.
func (s *handshakeSlot) release() {
	if s.has {
		s.has = false
		s.of.release()
	}
}
