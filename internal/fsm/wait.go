package fsm

import (
	"slices"
	"sync"
)

// waiters are those who wait for an index to be applied.
type waiters struct {
	sync.Mutex
	waiters []waiter
}

type waiter struct {
	index uint64
	done  chan struct{}
}

func (p *waiters) add(w waiter) {
	p.Lock()
	defer p.Unlock()
	p.waiters = append(p.waiters, w)
}

// wake wakes those whose index has been applied.
func (p *waiters) wake(applied uint64) {
	p.Lock()
	defer p.Unlock()
	if len(p.waiters) == 0 {
		return
	}
	rest := p.waiters[:0]
	for _, w := range p.waiters {
		if w.index <= applied {
			close(w.done)
		} else {
			rest = append(rest, w)
		}
	}
	p.waiters = rest
}

func (p *waiters) forget(done chan struct{}) {
	p.Lock()
	defer p.Unlock()
	p.waiters = slices.DeleteFunc(p.waiters, func(w waiter) bool { return w.done == done })
}

// watchers are called with the users whose password or account has changed.
type watchers struct {
	sync.RWMutex
	fns []func(id uint64)
}

func (w *watchers) add(fn func(id uint64)) {
	w.Lock()
	defer w.Unlock()
	w.fns = append(w.fns, fn)
}

func (w *watchers) tell(changed []uint64) {
	w.RLock()
	defer w.RUnlock()
	for _, id := range changed {
		for _, fn := range w.fns {
			fn(id)
		}
	}
}
