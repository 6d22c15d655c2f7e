package report

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"ciderd/internal/server"
)

const (
	// mostBusy is how many users are told of.
	mostBusy = 10
	// countEvery is how often users are counted at most, and countOld how old the count before may be.
	countEvery = 2 * time.Second
	countOld   = time.Minute
)

// Busy is a user, by number, and what they ask of one node.
type Busy struct {
	User          uint64
	Sessions      int
	Reads, Writes float64 // keys, per second
}

// Busiest finds who asks most. It counts only when it is asked, and tells what was counted since it was asked before: the
// first answer is empty. Its method may be called from any goroutine.
type Busiest struct {
	mu    sync.Mutex
	at    time.Time
	count map[uint64]server.UserLoad
	found []Busy
}

func (b *Busiest) now(now time.Time, read func() []server.UserLoad) []Busy {
	b.mu.Lock()
	defer b.mu.Unlock()
	since := now.Sub(b.at)
	if since < countEvery {
		return b.found
	}
	count, all := map[uint64]server.UserLoad{}, []Busy{} // never nil, which JSON would not have as a list
	for _, u := range read() {
		count[u.ID] = u
		before, known := b.count[u.ID]
		if !known || since > countOld || u.Reads+u.Writes <= before.Reads+before.Writes {
			continue
		}
		all = append(all, Busy{
			User: u.ID, Sessions: u.Sessions,
			Reads: float64(u.Reads-before.Reads) / since.Seconds(), Writes: float64(u.Writes-before.Writes) / since.Seconds(),
		})
	}
	slices.SortFunc(all, func(x, y Busy) int {
		return cmp.Or(cmp.Compare(y.Reads+y.Writes, x.Reads+x.Writes), cmp.Compare(x.User, y.User))
	})
	b.at, b.count, b.found = now, count, all[:min(len(all), mostBusy)]
	return b.found
}
