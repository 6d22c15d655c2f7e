package storage

import (
	"fmt"
	"sync"
	"time"
)

const (
	// hangLimit is how long one write may wait for the disk unless Hooks.HangLimit says otherwise: longer than
	// a disk is merely slow when a whole machine comes back.
	hangLimit = 30 * time.Second
	watchTick = 250 * time.Millisecond
)

// watchdog ends the process when a write hangs. It counts its own ticks and not the clock's time: a
// process that was stopped, or got no processor, and goes on has not waited for its disk. And of those it
// counts the ones at which it finds the write's thread waiting inside a system call: a write whose goroutine
// waits for a processor, or for the collector, waits for this process and not for the disk.
type watchdog struct {
	fatal func(error)

	mu    sync.Mutex // all below
	limit func() time.Duration
	doing map[*operation]struct{}

	stop chan struct{}
	wg   sync.WaitGroup
}

// operation is a write that has begun; Raft's own goroutines may have several on their way.
type operation struct {
	what   string
	on     thread
	waited int // for the disk, in ticks
}

func newWatchdog(fatal func(error)) *watchdog {
	w := &watchdog{fatal: fatal, doing: map[*operation]struct{}{}, stop: make(chan struct{})}
	w.limit = func() time.Duration { return hangLimit }
	w.wg.Go(w.run)
	return w
}

func (w *watchdog) setLimit(limit func() time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.limit = limit
}

// begin marks the start of a write and returns what marks its end. Both are for the goroutine that writes,
// which has a thread of its own meanwhile.
func (w *watchdog) begin(what string) func() {
	op := &operation{what: what, on: lockThread()}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.doing[op] = struct{}{}
	return func() {
		w.mu.Lock()
		delete(w.doing, op)
		w.mu.Unlock()
		op.on.unlock()
	}
}

// tick looks at all writes, and returns one that has been waiting for the disk for too long.
func (w *watchdog) tick() *operation {
	var waiting []*operation
	for _, op := range w.begun() {
		if op.on.waits() {
			waiting = append(waiting, op)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, op := range waiting {
		// A write that has ended meanwhile is looked at in vain: its thread does something else.
		if _, still := w.doing[op]; !still {
			continue
		}
		if op.waited++; op.waited > int(w.limit()/watchTick) {
			return op
		}
	}
	return nil
}

// begun lists the writes that are on their way: nobody's begin has to wait while threads are looked at.
func (w *watchdog) begun() (list []*operation) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for op := range w.doing {
		list = append(list, op)
	}
	return list
}

func (w *watchdog) run() {
	tick := time.NewTicker(watchTick)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-w.stop:
			return
		}
		if hung := w.tick(); hung != nil {
			w.fatal(fmt.Errorf("the disk hangs: %s has waited for it for %v", hung.what, time.Duration(hung.waited)*watchTick))
			return
		}
	}
}

func (w *watchdog) close() {
	close(w.stop)
	w.wg.Wait()
}
