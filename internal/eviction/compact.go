package eviction

import (
	"context"
	"runtime"
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
}

const (
	compactEvery = 2 * time.Second
	// unusedLeast is how much must lie unused before anything is done, and unusedPart the part of the live heap.
	unusedLeast = 24 << 20
	unusedPart  = 16
	// gainLeast is how much must be gained, in bytes.
	gainLeast = 1 << 20
	// restTimes is how many times as long as it has worked it rests, and restInVain if there was nothing to gain.
	restTimes  = 5
	restInVain = 50
)

// Run compacts until ctx ends.
func (c *Compactor) Run(ctx context.Context) {
	timer := time.NewTimer(compactEvery)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-ctx.Done():
			return
		}
		begun, times := time.Now(), restTimes
		if live, unused := c.Heap(); unused > unusedLeast+live/unusedPart && c.look(ctx) == 0 {
			times = restInVain
		}
		timer.Reset(compactEvery + time.Duration(times)*time.Since(begun))
	}
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
	eachKeyspace(ctx, c.Shares(), func(ks *cache.Keyspace) {
		for at := step(ks, 0); at != 0 && ctx.Err() == nil; at = step(ks, at) {
			runtime.Gosched()
		}
	})
}

func eachKeyspace(ctx context.Context, s fsm.Shares, do func(*cache.Keyspace)) {
	var users []uint64
	s.Each(func(id uint64, _ fsm.Usage) { users = append(users, id) })
	for _, id := range users {
		if ks := s.Keyspace(id); ks != nil && ctx.Err() == nil {
			do(ks)
		}
	}
}
