package eviction

import (
	"context"
	"runtime"
	"runtime/debug"
	"time"

	"ciderd/internal/cache"
	"ciderd/internal/fsm"
)

// Defragmenter empties chunks of small items that have little in them: see cache.Defrag. It changes nothing that anybody
// sees, and each node does it by itself.
type Defragmenter struct {
	Shares func() fsm.Shares
	// Collections returns how many garbage collections there have been.
	Collections func() uint64
}

const (
	defragEvery = 250 * time.Millisecond
	// goneLeast is how much must have been replaced or removed before chunks are looked at, in bytes.
	goneLeast = 256 << 10
	// chunksAtOnce are emptied before others may run.
	chunksAtOnce = 16
	// emptiedLeast is how much must have been emptied before a collection is forced for it, in bytes, and idleFor the time
	// without one.
	emptiedLeast = 4 << 20
	idleFor      = 2 * time.Second
	// heldFor is the time from one collection to the next that is forced because emptied chunks hold up others.
	heldFor = time.Second
)

// Run empties chunks until ctx ends.
func (d *Defragmenter) Run(ctx context.Context) {
	timer := time.NewTimer(defragEvery)
	defer timer.Stop()
	var w watch
	for {
		select {
		case <-timer.C:
		case <-ctx.Done():
			return
		}
		begun := time.Now()
		d.look(ctx, &w)
		timer.Reset(max(defragEvery, time.Since(begun)))
	}
}

// watch is what a Defragmenter remembers.
type watch struct {
	gone        uint64 // what had been replaced or removed
	again       bool   // look also if little has gone since
	emptied     int64  // bytes, since the last collection
	held        bool   // more can be emptied after one
	collections uint64
	since       time.Time // when there was the last collection
}

func (d *Defragmenter) look(ctx context.Context, w *watch) {
	now := time.Now()
	if n := d.Collections(); n != w.collections {
		w.again = w.again || w.emptied > 0 // emptied chunks that are still there may have held it up
		w.collections, w.since, w.emptied = n, now, 0
	}
	if w.held && w.emptied > 0 && now.Sub(w.since) > heldFor { // if nothing was emptied since, a view holds it
		runtime.GC()
	}
	if w.emptied >= emptiedLeast && now.Sub(w.since) > idleFor {
		debug.FreeOSMemory() // a node that is idle collects nothing for minutes
	}
	gone := d.Shares().Gone()
	if gone-w.gone < goneLeast && !w.again { // a restore begins anew, at less
		return
	}
	w.gone, w.again = gone, false
	w.held = false
	eachKeyspace(ctx, d.Shares(), func(ks *cache.Keyspace) {
		bytes, held := defrag(ctx, ks)
		w.emptied += bytes
		w.held = w.held || held
	})
}

// defrag empties what may be emptied of a keyspace now, and returns how many bytes that is about to free.
func defrag(ctx context.Context, ks *cache.Keyspace) (bytes int64, held bool) {
	f := cache.Defrag{Of: ks}
	defer f.End()
	for more := true; more && ctx.Err() == nil; runtime.Gosched() {
		var n int64
		n, more = f.Next(chunksAtOnce)
		bytes += n
	}
	return bytes, f.Held
}
