package eviction

import (
	"time"

	"ciderd/internal/fsm"
)

// flight is what this leader has given to Raft and has not applied yet, in order. An entry has been applied once as
// many bytes of entries have been.
type flight struct {
	base    uint64 // bytes that had been applied when nothing was in flight
	given   uint64 // since then
	entries []flying
	total   int64            // growth of all of them; less what evictions free
	users   map[uint64]int64 // of each
	victims map[victimID]struct{}
	moved   time.Time // when an entry was applied last
	told    int64     // the limit to work to, as the last eviction has it
	toldAt  time.Time
}

// flying is one entry.
type flying struct {
	upto    uint64 // bytes, from base
	growth  fsm.Growth
	victims []victimID
}

// victimID is an item on its way out.
type victimID struct{ user, version uint64 }

// stuckAfter is how long an entry may be in flight before it counts as lost.
const stuckAfter = 5 * time.Second

func (f *flight) reset(applied uint64) {
	*f = flight{base: applied, users: map[uint64]int64{}, victims: map[victimID]struct{}{}, moved: time.Now()}
}

func (f *flight) empty() bool { return len(f.entries) == 0 }

// stuck reports whether entries were lost: Raft may refuse one that it has been given.
func (f *flight) stuck(applied uint64) bool {
	f.drain(applied)
	return !f.empty() && time.Since(f.moved) > stuckAfter
}

// add notes an entry that Raft has been given.
func (f *flight) add(bytes int64, growth fsm.Growth, victims ...victimID) {
	if f.empty() {
		f.moved = time.Now()
	}
	f.given += uint64(bytes)
	f.entries = append(f.entries, flying{f.given, growth, victims})
	f.count(growth, 1)
	for _, v := range victims {
		f.victims[v] = struct{}{}
	}
}

func (f *flight) count(g fsm.Growth, sign int64) {
	f.total += sign * g.Total
	for _, u := range g.Users {
		if f.users[u.User] += sign * u.Bytes; f.users[u.User] == 0 {
			delete(f.users, u.User)
		}
	}
}

// drain takes out what has been applied.
func (f *flight) drain(applied uint64) {
	n := 0
	for n < len(f.entries) && f.base+f.entries[n].upto <= applied {
		done := &f.entries[n]
		f.count(done.growth, -1)
		for _, v := range done.victims {
			delete(f.victims, v)
		}
		*done = flying{}
		n++
	}
	if n > 0 {
		f.entries, f.moved = f.entries[n:], time.Now()
	}
}

func (f *flight) has(user, version uint64) bool {
	_, there := f.victims[victimID{user, version}]
	return there
}
