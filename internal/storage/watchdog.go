package storage

import (
	"fmt"
	"sync"
	"time"
)

const (
	// hangLimit is how long one write may wait for the disk unless Hooks.HangLimit says otherwise: longer than a
	// disk is merely slow when a whole machine resumes.
	hangLimit = 30 * time.Second
	watchTick = 250 * time.Millisecond
)

// watchdog ends the process when a write hangs. It counts its own ticks, not the clock's time: a process that was
// stopped, or got no processor, has not waited for its disk. It counts only the ticks at which the write's thread
// waits inside a system call: a write whose goroutine waits for a processor, or for the garbage collector, waits
// for this process and not for the disk.
type watchdog struct {
	fatal func(error)

	mu    sync.Mutex // all below
	limit func() time.Duration
	doing map[*watchedWrite]struct{}

	stop chan struct{}
	wg   sync.WaitGroup
}

// watchedWrite is a write in progress; Raft's goroutines may have several.
type watchedWrite struct {
	what   string
	on     thread
	waited int // for the disk, in ticks
}

func newWatchdog(fatal func(error)) *watchdog {
	w := &watchdog{fatal: fatal, doing: map[*watchedWrite]struct{}{}, stop: make(chan struct{})}
	w.limit = func() time.Duration { return hangLimit }
	w.wg.Go(w.run)
	return w
}

func (w *watchdog) setLimit(limit func() time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.limit = limit
}

// begin marks the start of a write, and end its end. The writing goroutine calls both, and has a thread to itself
// in between.
func (w *watchdog) begin(what string) *watchedWrite {
	op := &watchedWrite{what: what, on: lockThread()}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.doing[op] = struct{}{}
	return op
}

func (w *watchdog) end(op *watchedWrite) {
	w.mu.Lock()
	delete(w.doing, op)
	w.mu.Unlock()
	op.on.unlock()
}

// tick checks all writes, and returns one that has waited too long for the disk.
func (w *watchdog) tick() *watchedWrite {
	var waiting []*watchedWrite
	for _, op := range w.begun() {
		if op.on.waits() {
			waiting = append(waiting, op)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, op := range waiting {
		// A write that has ended meanwhile does not count: its thread does something else.
		if _, still := w.doing[op]; !still {
			continue
		}
		if op.waited++; op.waited > int(w.limit()/watchTick) {
			return op
		}
	}
	return nil
}

// begun lists the writes in progress, so that begin need not wait while threads are inspected.
func (w *watchdog) begun() (list []*watchedWrite) {
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
