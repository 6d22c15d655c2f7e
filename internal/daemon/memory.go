package daemon

import (
	"context"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"ciderd/internal/config"
	"ciderd/internal/limits"
	"ciderd/internal/machine"
)

// The garbage collector lets the heap grow by a percentage of what is live. One percentage does not fit both ends:
// with little live, collections would run continuously under a load of writes; with gigabytes live, the usual 100 %
// would double the cost of a key.
const (
	gcEvery = time.Second
	// gcGarbage is how much garbage there may be while little is live, in bytes.
	gcGarbage = 96 << 20
	// The bounds of the percentage.
	gcLeast, gcMost = 50, 1000
	// With a limit on memory there may be less garbage, and the runtime works harder beyond softLimit: with what it needs
	// besides the heap that stays below one and a half of the limit.
	gcGarbageLimited = 72 << 20
	gcLeastLimited   = 15
	besidesHeap      = 32 << 20
	// Below smallLimit what a process needs besides is no small part of it.
	smallLimit   = 512 << 20
	besidesSmall = 64 << 20
	// returnAfter is how much must have been freed (an eighth of what there was, at least) before it is given back at
	// once, in bytes: by a FLUSH, deadlines or a removed user. The runtime alone takes minutes for it on an idle node.
	returnAfter = 16 << 20
	returnEvery = 5 * time.Second
	// listPart is the part of the limit that the lists of keys take for walks with KEYS, all together.
	listPart = 64
)

// tuneMemory fits the garbage collector to what is live and to the limit on memory, and gives back what was freed. It
// does so after each collection too: within a second a fill may make ten times as much live as there was, and with the
// percentage of before that the heap grew by six times what gcGarbage says.
func (d *Daemon) tuneMemory(ctx context.Context) {
	tick := time.NewTicker(gcEvery)
	defer tick.Stop()
	collected := collections(ctx)
	var t memoryTuner
	for {
		state := d.node.FSM().Stats()
		limit := state.MemoryLimit
		if file := d.node.Limits().File(); !state.LimitsSet && file.MaxMemory > 0 {
			limit = file.MaxMemory // a node that starts has no state yet, and is about to have all of it
		}
		d.server.SetListBytes(limit / listPart)
		t.tune(machine.Taken(machine.Root()), state.Memory, limit, time.Now())
		select {
		case <-tick.C:
		case <-collected:
		case <-ctx.Done():
			return
		}
	}
}

// collections returns a channel that has something in it after garbage collections, until ctx is done.
func collections(ctx context.Context) <-chan struct{} {
	collected := make(chan struct{}, 1)
	// Nothing refers to the mark, so each collection finds it, and its finalizer sets it up again.
	type mark struct{ next func(*mark) }
	m := &mark{}
	m.next = func(m *mark) {
		if ctx.Err() == nil {
			runtime.SetFinalizer(m, m.next) // first: whoever hears of this collection may cause the next one at once
		}
		select {
		case collected <- struct{}{}:
		default:
		}
	}
	runtime.SetFinalizer(m, m.next)
	return collected
}

// memoryTuner remembers what it has set.
type memoryTuner struct {
	percent  int
	limit    int64
	most     int64     // counted, since memory was last given back
	returned time.Time // when
}

func (t *memoryTuner) tune(use machine.Use, counted, limit int64, now time.Time) {
	if percent := gcPercent(uint64(use.Live), limit); differs(percent, t.percent) {
		debug.SetGCPercent(percent)
		t.percent = percent
	}
	if soft := softLimit(limit); soft != t.limit {
		debug.SetMemoryLimit(soft)
		t.limit = soft
	}
	t.most = max(t.most, counted)
	if t.freed(counted) && now.Sub(t.returned) >= returnEvery {
		debug.FreeOSMemory()
		t.most, t.returned = counted, time.Now()
	}
}

// freed reports whether much has been freed since memory was last given back.
func (t *memoryTuner) freed(counted int64) bool { return t.most-counted > max(returnAfter, t.most/8) }

// differs reports whether a percentage is worth a change: each stops the program for some microseconds.
func differs(percent, set int) bool { return max(percent-set, set-percent)*16 > set }

func gcPercent(live uint64, limit int64) int {
	garbage, least := uint64(gcGarbage), uint64(gcLeast)
	if limit > 0 {
		garbage, least = min(gcGarbageLimited, uint64(limit)/8+besidesHeap), gcLeastLimited
	}
	return int(min(max(garbage*100/max(live, 1), least), gcMost))
}

// ownLimit is what GOMEMLIMIT says.
var ownLimit = debug.SetMemoryLimit(-1)

// softLimit returns how much the runtime may take before it works harder at collecting.
func softLimit(limit int64) int64 {
	if limit == 0 {
		return ownLimit
	}
	soft := limit + limit*3/8 + besidesHeap
	if limit < smallLimit {
		soft += besidesSmall
	}
	return min(soft, ownLimit)
}

// machineMemory returns how much memory there is for this process; 0: not known. It looks every few seconds.
var machineMemory = lasting(10*time.Second, func() int64 {
	m, err := machine.Available(machine.Root())
	if err != nil {
		return 0
	}
	return m.Bytes
})

// lasting returns find, whose result holds for a while.
func lasting(d time.Duration, find func() int64) func() int64 {
	var mu sync.Mutex
	var at time.Time
	var found int64
	return func() int64 {
		mu.Lock()
		defer mu.Unlock()
		if at.IsZero() || time.Since(at) > d {
			found, at = find(), time.Now()
		}
		return found
	}
}

// heap returns the live heap and what lies unused between its objects.
func heap() (live, unused int64) {
	use := machine.Taken(machine.Root())
	return use.Live, use.Unused
}

func taken() int64 { return machine.Taken(machine.Root()).Anonymous }

func fileLimits(c *config.Config) limits.File {
	return limits.File{MaxMemory: int64(c.Limits.MaxMemory), Reject: c.Limits.RejectWhenFull, Quota: int64(c.Limits.Quota)}
}
