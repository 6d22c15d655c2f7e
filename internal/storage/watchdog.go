package storage

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// hangLimit is how long one write may take. A leader whose disk hangs keeps its leadership and
	// stops the cluster (hashicorp/raft#503, #614, #666); its end lets the others elect.
	hangLimit = 5 * time.Second
	watchTick = 250 * time.Millisecond
)

// watchdog ends the process when a write hangs. It counts its own ticks and not the clock's time: a
// process that was stopped and goes on has not waited for its disk.
type watchdog struct {
	fatal func(error)

	doing atomic.Pointer[string] // nil: nothing
	since atomic.Int64           // in ticks
	ticks atomic.Int64

	stop chan struct{}
	wg   sync.WaitGroup
}

func newWatchdog(fatal func(error)) *watchdog {
	w := &watchdog{fatal: fatal, stop: make(chan struct{})}
	w.wg.Go(w.run)
	return w
}

// begin marks the start of a write and returns what marks its end. Raft writes one at a time.
func (w *watchdog) begin(what string) func() {
	w.since.Store(w.ticks.Load())
	w.doing.Store(&what)
	return func() { w.doing.Store(nil) }
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
		now := w.ticks.Add(1)
		what := w.doing.Load()
		if what != nil && now-w.since.Load() > int64(hangLimit/watchTick) {
			w.fatal(fmt.Errorf("the disk hangs: %s has taken over %v", *what, hangLimit))
			return
		}
	}
}

func (w *watchdog) close() {
	close(w.stop)
	w.wg.Wait()
}
