package eviction

import (
	"context"
	"runtime"
	"runtime/debug"
	"time"

	"ciderd/internal/cache"
	"ciderd/internal/fsm"
)

// Compactor copies old records where they keep memory from being used: see cache.Keyspace.Compact. It changes nothing
// that anybody sees, and each node does it by itself.
type Compactor struct {
	Shares func() fsm.Shares
	// Heap returns the live heap, and what lies unused in spans that hold some of it, in bytes.
	Heap func() (live, unused int64)
	// Collections returns how many garbage collections there have been.
	Collections func() uint64
}

const (
	compactEvery = 2 * time.Second
	// unusedLeast is how much must lie unused before anything is done, and unusedPart the part of the live heap.
	unusedLeast = 24 << 20
	unusedPart  = 16
	// gainLeast is how much must be gained, in bytes.
	gainLeast = 1 << 20
	// goneLeast is how much must have been replaced or removed before chunks are looked at, in bytes.
	goneLeast = 256 << 10
	// emptiedLeast is how much must have been emptied before a collection is forced for it, in bytes.
	emptiedLeast = 4 << 20
	// restTimes is how many times as long as it has worked it rests, and restInVain if there was nothing to gain.
	restTimes  = 5
	restInVain = 50
)

// Run compacts until ctx ends.
func (c *Compactor) Run(ctx context.Context) {
	timer := time.NewTimer(compactEvery)
	defer timer.Stop()
	gone, emptied, collections := uint64(0), int64(0), uint64(0)
	for {
		select {
		case <-timer.C:
		case <-ctx.Done():
			return
		}
		begun, times := time.Now(), restTimes
		if emptied >= emptiedLeast && c.Collections() == collections {
			debug.FreeOSMemory() // a node that is idle collects nothing for minutes
			emptied = 0
		}
		if now := c.Shares().Gone(); now-gone >= goneLeast || emptied > 0 { // a restore begins anew, at less
			gone, emptied, collections = now, c.emptyChunks(ctx), c.Collections()
		}
		if live, unused := c.Heap(); unused > unusedLeast+live/unusedPart && c.look(ctx) == 0 {
			times = restInVain
		}
		timer.Reset(compactEvery + time.Duration(times)*time.Since(begun))
	}
}

// emptyChunks empties the chunks of each keyspace that has many with little in them, and returns how many bytes that is
// about to free.
func (c *Compactor) emptyChunks(ctx context.Context) (bytes int64) {
	c.each(ctx, func(ks *cache.Keyspace) {
		f := cache.Defrag{Of: ks}
		gain, _ := f.Choose()
		if gain == 0 {
			return
		}
		defer f.End()
		walkThrough(ctx, func(at cache.Cursor) cache.Cursor { return f.Step(at, atOnce) })
		bytes += gain
	})
	return bytes
}

// look compacts what is sparse, and returns how many bytes it copied.
func (c *Compactor) look(ctx context.Context) (copied int) {
	pages := cache.NewPages()
	c.walk(ctx, func(ks *cache.Keyspace, at cache.Cursor) cache.Cursor { return ks.Census(at, atOnce, pages) })
	if pages.Choose() < gainLeast {
		return 0
	}
	c.walk(ctx, func(ks *cache.Keyspace, at cache.Cursor) cache.Cursor {
		next, n := ks.Compact(at, atOnce, pages)
		copied += n
		return next
	})
	return copied
}

// atOnce is how many slots are looked at before others may run.
const atOnce = 4096

// walk has step walk through all users' items.
func (c *Compactor) walk(ctx context.Context, step func(*cache.Keyspace, cache.Cursor) cache.Cursor) {
	c.each(ctx, func(ks *cache.Keyspace) {
		walkThrough(ctx, func(at cache.Cursor) cache.Cursor { return step(ks, at) })
	})
}

func (c *Compactor) each(ctx context.Context, do func(*cache.Keyspace)) {
	s := c.Shares()
	var users []uint64
	s.Each(func(id uint64, _ fsm.Usage) { users = append(users, id) })
	for _, id := range users {
		if ks := s.Keyspace(id); ks != nil && ctx.Err() == nil {
			do(ks)
		}
	}
}

func walkThrough(ctx context.Context, step func(cache.Cursor) cache.Cursor) {
	for at := step(0); at != 0 && ctx.Err() == nil; at = step(at) {
		runtime.Gosched()
	}
}
