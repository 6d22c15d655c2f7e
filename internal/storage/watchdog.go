package storage

import (
	"fmt"
	"sync"
	"time"
)

const (
	// hangLimit is how long one write may take unless Hooks.HangLimit says otherwise: longer than a disk
	// is merely slow when a whole machine comes back.
	hangLimit = 30 * time.Second
	watchTick = 250 * time.Millisecond
)

// watchdog ends the process when a write hangs. It counts its own ticks and not the clock's time: a
// process that was stopped and goes on has not waited for its disk.
type watchdog struct {
	fatal func(error)

	mu    sync.Mutex // all below
	limit func() time.Duration
	ticks int
	doing map[*operation]struct{}

	stop chan struct{}
	wg   sync.WaitGroup
}

// operation is a write that has begun; Raft's own goroutines may have several on their way.
type operation struct {
	what  string
	since int // in ticks
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

// begin marks the start of a write and returns what marks its end.
func (w *watchdog) begin(what string) func() {
	w.mu.Lock()
	defer w.mu.Unlock()
	op := &operation{what, w.ticks}
	w.doing[op] = struct{}{}
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.doing, op)
	}
}

// tick counts, and returns a write that has been going on for too long.
func (w *watchdog) tick() *operation {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ticks++
	for op := range w.doing {
		if w.ticks-op.since > int(w.limit()/watchTick) {
			return op
		}
	}
	return nil
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
			w.fatal(fmt.Errorf("the disk hangs: %s has not ended in %v", hung.what, time.Duration(w.ticks-hung.since)*watchTick))
			return
		}
	}
}

func (w *watchdog) close() {
	close(w.stop)
	w.wg.Wait()
}
