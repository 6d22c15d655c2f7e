package eviction

import (
	"container/heap"
	"time"

	"ciderd/internal/cache"
	"ciderd/internal/fsm"
)

// shortage is how much memory has to become free.
type shortage struct {
	whole int64 // of all users, as far as they have more than their guarantee
	users []fsm.UserGrowth
	room  int64 // the most that one of the users is about to store
}

func (s *shortage) none() bool { return s.whole <= 0 && len(s.users) == 0 }

// How far memory may be above its bounds for a moment, while nothing is left to evict but what is in flight: half of
// what the state machine lets pass.
const (
	passWhole = 8 << 20   // and a 16th of the limit
	passUser  = 512 << 10 // and a 16th of the quota
)

// short returns what is missing for an entry of such a growth. pass: beyond what may pass for a moment. mu is held.
func (e *Evictor) short(b *bounds, growth fsm.Growth, pass bool) (s shortage) {
	if b.working > 0 {
		// Where there is more than the limit, as that has become lower, no entry waits until it has gone: it makes room
		// for what it adds.
		memory := b.Memory()
		most := max(b.working, memory)
		if pass {
			most = max(most, b.limits.MaxMemory+b.limits.MaxMemory/16) + passWhole
		}
		s.whole = max(memory+e.flight.total+growth.Total-most, 0)
	}
	if !b.quotas {
		return s
	}
	sums := map[uint64]int64{}
	for _, u := range growth.Users {
		sums[u.User] += u.Bytes
	}
	for user, bytes := range sums {
		u, _ := b.Of(user) // without one there is no quota
		most := u.Quota
		if pass {
			most += most/16 + passUser
			if u.Fixed+bytes > most {
				continue // no waiting helps
			}
		}
		if over := u.Memory + e.flight.users[user] + bytes - most; u.Quota > 0 && over > 0 {
			s.users = append(s.users, fsm.UserGrowth{User: user, Bytes: over})
			s.room = min(max(s.room, bytes), fsm.MaxRoom)
		}
	}
	return s
}

// evict gives the log one eviction against a shortage, and reports whether it found any victims. mu is held.
func (e *Evictor) evict(b *bounds, s shortage) bool {
	list := &list{evictor: e, bounds: b, room: s.room}
	for _, u := range s.users {
		list.takeFrom(u.User, u.Bytes)
	}
	list.quota = len(list.ids)
	// A little more than is missing, so that not every entry needs an eviction of its own; but no more than the state
	// machine will let go.
	if s.room > 0 && len(list.victims) > 0 {
		return e.give(b, list) // others go in an entry without room, in which the state machine lets go no more than it should
	}
	list.room = 0
	want := min(s.whole+min(b.working/256, 256<<10), b.Memory()+e.flight.total-b.working/8*7) - list.freed
	if s.whole > 0 && want > 0 {
		e.choice.refresh(b, &e.flight)
		for want > 0 && !list.full() && e.choice.users.Len() > 0 {
			want -= e.choice.takeLargest(list, want)
		}
	}
	return len(list.victims) > 0 && e.give(b, list)
}

// give gives the log an eviction; a nil list has no victims.
func (e *Evictor) give(b *bounds, l *list) bool {
	store := b.Store()
	out := fsm.Eviction{Epoch: store.HeatEpoch(), Target: b.working}
	var ids []victimID
	growth := fsm.Growth{}
	if l != nil {
		out.Victims, ids = l.victims, l.ids
		out.Room = l.room
		growth = fsm.Growth{Total: -l.freed, Users: l.users}
		// As many as there are have gone: those that are left have had their time.
		if e.choice.evicted += len(ids); e.choice.evicted > b.Items() {
			e.choice.evicted = 0
			out.Epoch++
		}
	}
	entry := fsm.AppendEviction(nil, &out)
	if err := e.config.Give(entry); err != nil {
		e.config.Log.Debug("an eviction was not given", "error", err)
		e.tracked = false
		return false
	}
	e.flight.add(int64(len(entry)), growth, ids...)
	e.flight.told, e.flight.toldAt = out.Target, time.Now()
	e.counts.entries.Add(1)
	e.counts.bytes.Add(uint64(len(entry)))
	e.counts.victims.Add(uint64(len(ids)))
	if l != nil {
		e.counts.quota.Add(uint64(l.quota))
	}
	return true
}

// list is the victims of one eviction.
type list struct {
	evictor *Evictor
	bounds  *bounds
	victims []fsm.Victim
	ids     []victimID
	users   []fsm.UserGrowth // what is freed, below 0
	freed   int64
	quota   int // of ids, how many there are for their users' quotas
	room    int64
	bytes   int // in the entry
}

func (l *list) full() bool { return len(l.victims) >= fsm.MaxVictims || l.bytes >= fsm.MaxEvictBytes }

// takeFrom takes victims of a user for so many bytes, and returns how many bytes it found.
func (l *list) takeFrom(user uint64, want int64) (freed int64) {
	ks := l.bounds.Keyspace(user)
	if ks == nil || l.full() {
		return 0
	}
	e := l.evictor
	at := e.choice.cursors[user]
	skip := func(_ []byte, version uint64) bool { return e.flight.has(user, version) }
	most := fsm.MaxVictims - len(l.victims)
	victims, next := ks.Coldest(at.cursor, e.config.Now(), want, most, skip)
	for _, v := range victims {
		out := fsm.Victim{User: user, Key: v.Key, Version: v.Version}
		if l.bytes += out.Size(); l.bytes > fsm.MaxEvictBytes && len(l.victims) > 0 {
			break
		}
		l.victims = append(l.victims, out)
		l.ids = append(l.ids, victimID{user, v.Version})
		freed += v.Memory
	}
	e.choice.cursors[user] = place{next, time.Now()}
	l.freed += freed
	l.users = append(l.users, fsm.UserGrowth{User: user, Bytes: -freed})
	return freed
}

// choice is from whom to take.
type choice struct {
	users   richest
	at      time.Time     // when users was made
	lasts   time.Duration // for how long it holds
	cursors map[uint64]place
	evicted int // victims in this epoch of the heat

	applied  uint64    // bytes, when quotas were looked at last
	quotasAt time.Time // when they may be looked at again
}

// place is where a user's next sweep begins.
type place struct {
	cursor cache.Cursor
	used   time.Time
}

// How long a ranking of users holds, at least, and a cursor that is not used. With many users a ranking takes long: no
// more than a part in walkShare of the time goes into looking at all of them.
const (
	rankingLasts = 50 * time.Millisecond
	walkShare    = 20
	cursorLasts  = 10 * time.Minute
)

func (c *choice) reset() { c.users, c.at = nil, time.Time{} }

// refresh makes the ranking of the users that have more than their guarantee, if it is old or used up.
func (c *choice) refresh(b *bounds, f *flight) {
	if c.users.Len() > 0 && time.Since(c.at) < c.lasts {
		return
	}
	c.users, c.at = c.users[:0], time.Now()
	b.Each(func(id uint64, u fsm.Usage) {
		if excess := u.Memory + min(f.users[id], 0) - u.Guarantee; excess > 0 {
			c.users = append(c.users, rich{id, excess})
		}
	})
	heap.Init(&c.users)
	c.lasts = max(rankingLasts, walkShare*time.Since(c.at))
	for id, p := range c.cursors {
		if c.at.Sub(p.used) > cursorLasts {
			delete(c.cursors, id)
		}
	}
}

// takeLargest takes from the user with the largest excess, until that is no longer the largest, and returns what that
// frees.
func (c *choice) takeLargest(l *list, want int64) int64 {
	top := heap.Pop(&c.users).(rich)
	amount := min(want, top.excess)
	if c.users.Len() > 0 {
		const step = 64 << 10 // so that users with much the same do not take turns item by item
		amount = min(amount, top.excess-c.users[0].excess+step)
	}
	freed := l.takeFrom(top.user, amount)
	if top.excess -= freed; freed > 0 && top.excess > 0 {
		heap.Push(&c.users, top)
	}
	return freed
}

// quotasEvery is how often all users are looked at, at most.
const quotasEvery = 200 * time.Millisecond

// overQuota returns the users that have nearly used up their quota, with what they should free. It looks at all users
// now and then, and only if anything has been written since. mu is held.
func (e *Evictor) overQuota(b *bounds) (over []fsm.UserGrowth) {
	c, applied := &e.choice, e.config.AppliedBytes()
	if !b.quotas || applied == c.applied || time.Now().Before(c.quotasAt) {
		return nil
	}
	c.applied = applied
	begun := time.Now()
	b.Each(func(id uint64, u fsm.Usage) {
		if n := u.Memory + e.flight.users[id] - (u.Quota - u.Quota/64); u.Quota > 0 && n > 0 && u.Memory > u.Fixed {
			over = append(over, fsm.UserGrowth{User: id, Bytes: n})
		}
	})
	took := time.Since(begun)
	c.quotasAt = begun.Add(max(quotasEvery, walkShare*took))
	return over
}

// rich is a user that has more than its guarantee.
type rich struct {
	user   uint64
	excess int64
}

// richest is a heap, the largest excess first.
type richest []rich

func (r richest) Len() int           { return len(r) }
func (r richest) Less(i, j int) bool { return r[i].excess > r[j].excess }
func (r richest) Swap(i, j int)      { r[i], r[j] = r[j], r[i] }
func (r *richest) Push(x any)        { *r = append(*r, x.(rich)) }

func (r *richest) Pop() any {
	last := (*r)[len(*r)-1]
	*r = (*r)[:len(*r)-1]
	return last
}
