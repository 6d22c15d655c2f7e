package daemon

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// The garbage collector lets the heap grow by a percentage of what is live. One figure does not fit
// both ends: with little live, collections would follow each other for nothing under a load of
// writes; with gigabytes live, the usual 100 % would double what a key costs.
const (
	gcEvery = time.Second
	// gcRoom is how much garbage there may be while little is live, in bytes.
	gcRoom = 96 << 20
	// The bounds of the percentage.
	gcLeast, gcMost = 50, 1000
)

// tuneGC sets the percentage by what is live.
func tuneGC(ctx context.Context) {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	tick := time.NewTicker(gcEvery)
	defer tick.Stop()
	for last := 0; ; {
		metrics.Read(sample)
		percent := gcPercent(sample[0].Value.Uint64())
		if percent != last {
			debug.SetGCPercent(percent)
			last = percent
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func gcPercent(live uint64) int {
	return int(min(max(gcRoom*100/max(live, 1), gcLeast), gcMost))
}
