package cache

import "bytes"

// Cursor is a place in the order in which sweeps go through a keyspace, that of the keys' hashes. It stays right
// while tables grow, split and merge: an item is met once in a round. Only the few that were not in their own group
// when their table was replaced in the meantime may be met twice, or not before the next round. 0 is the start, and
// what a sweep returns that has come to the end.
type Cursor uint64

// Victim is an item that a sweep has chosen.
type Victim struct {
	Key     []byte // a copy
	Version uint64
	Memory  int64 // what it counts for in Keyspace.Memory
}

// group returns the group at a place, and the place of the next.
func (c *content) group(at Cursor) (*group, Cursor) {
	h := uint64(at)
	t := c.dir.Load().table(h)
	i, n := t.home(h), uint64(len(t.groups))
	start := h >> (64 - t.depth) << (64 - t.depth)
	if next := uint64(i) + 1; next < n {
		return &t.groups[i], Cursor(start | (next<<32+n-1)/n)
	}
	return &t.groups[i], Cursor(start + 1<<(64-t.depth))
}

// candidates is how many items a sweep looks at for each victim.
const candidates = 8

// sweepAtOnce is the most victims of one choice.
const sweepAtOnce = 256

// Coldest goes through the items from a place on and chooses victims: those whose deadline is at or before now (Unix
// milliseconds), and of each eight others the one that has been used least. It ends when the victims' Memory comes
// to want bytes, when there are most of them, or after one round. It leaves out what skip (may be nil) reports, whose
// key is valid during the call only. It returns also where to go on. It waits for nothing, and changes nothing of an
// item. Any goroutine may call it: a victim may have changed since, see Evict.
func (c *content) Coldest(from Cursor, now, want int64, most int, skip func(key []byte, version uint64) bool) ([]Victim, Cursor) {
	s := sweep{of: c, at: from, from: from, epoch: c.store.HeatEpoch(), now: now, want: want, most: most, skip: skip}
	s.timed = c.store.Deadlines() > 0
	s.goRound()
	if s.skipped && !s.enough() {
		s.ask, s.from, s.wrapped, s.round = true, s.at, false, false
		s.goRound()
	}
	return s.victims, s.at
}

// A sweep is one call of Coldest.
type sweep struct {
	of       *content
	from, at Cursor
	wrapped  bool // past the end
	round    bool // come round to from
	epoch    uint64
	now      int64
	timed    bool  // there are deadlines: else no record has to be looked at but a victim's
	ask      bool  // about each candidate: in the first round only victims are asked about
	skipped  bool  // a victim was
	want     int64 // bytes to find yet
	most     int
	skip     func(key []byte, version uint64) bool
	found    []candidate // among which the next victims are chosen
	victims  []Victim
}

type candidate struct {
	rec  *record
	rank int
}

func (s *sweep) goRound() {
	for !s.round && !s.enough() {
		s.collect(s.wanted() * candidates)
		s.choose((len(s.found) + candidates - 1) / candidates)
	}
}

func (s *sweep) skips(r *record) bool { return s.skip != nil && s.skip(r.key(), r.version()) }

func (s *sweep) enough() bool { return s.want <= 0 || len(s.victims) >= s.most }

// wanted returns about how many victims are to be found yet, but not more than are chosen at once.
func (s *sweep) wanted() int {
	all := s.of.dir.Load().counts.load()
	mean := max(all.memory/max(all.items, 1), 1)
	return min(int(min((s.want+mean-1)/mean, sweepAtOnce)), s.most-len(s.victims))
}

func (s *sweep) take(r *record) {
	if s.skips(r) {
		s.skipped = true
		return
	}
	memory := r.size().memory
	s.victims = append(s.victims, Victim{bytes.Clone(r.key()), r.version(), memory})
	s.want -= memory
}

// collect looks for n candidates until the end of the round. What is past its deadline it takes.
func (s *sweep) collect(n int) {
	s.found = s.found[:0]
	for len(s.found) < n && !s.round && !s.enough() {
		g, next := s.of.group(s.at)
		s.look(g)
		s.round = s.wrapped && (next == 0 || next >= s.from) || next == 0 && s.from == 0
		s.at, s.wrapped = next, s.wrapped || next == 0
	}
}

func (s *sweep) look(g *group) {
	for i := range g.slots {
		r := g.slots[i].Load()
		switch {
		case r == nil || s.ask && s.skips(r):
		case !s.timed || !r.hidden(s.now):
			s.found = append(s.found, candidate{r, g.heats.sweep(i, s.epoch).rank(s.epoch)})
		case !s.enough():
			s.take(r)
		}
	}
}

// choose takes the n coldest of what was found, the first ones of those that are as cold, until they are enough.
func (s *sweep) choose(n int) {
	var as [ranks]int // how many there are of each rank
	for _, c := range s.found {
		as[c.rank]++
	}
	bound := 0 // the rank of the warmest victims
	for n > as[bound] && bound < ranks-1 {
		n -= as[bound]
		bound++
	}
	for _, c := range s.found {
		if s.enough() {
			return
		}
		if c.rank == bound {
			n--
		}
		if c.rank < bound || c.rank == bound && n >= 0 {
			s.take(c.rec)
		}
	}
}

// Dirty looks at about as many slots as it is told, from a place on, but not beyond the end. It calls fn with each
// key that was read here since the last time, and with its frequency, from 0 to 7. The key is valid during the call
// only. It returns where to go on; 0: it has come to the end. It waits for nothing. Any goroutine may call it.
func (c *content) Dirty(from Cursor, slots int, fn func(key []byte, frequency uint8)) (next Cursor) {
	epoch := c.store.HeatEpoch()
	for ; slots > 0; slots -= groupSlots {
		var g *group
		if g, from = c.group(from); g.stirred(epoch) {
			g.clean(epoch, fn)
		}
		if from == 0 {
			break
		}
	}
	return from
}

// stirred reports whether clean has anything to do, without a look at any record: a round of all items may come by
// several times a second.
func (g *group) stirred(epoch uint64) bool {
	w := g.heats.word.Load()
	ages := ((epoch%heatEpochs+heatEpochs)*low1s - w&low4s) & low4s // each byte is one slot's
	aged := (ages + (heatEpochs-coldEpochs-1)*low1s) << 3           // the top bits of those above coldEpochs
	return (w|aged)&g.ctrl.Load()&high1s != 0
}

// clean takes the marks from the group's slots, and calls fn as Dirty does.
func (g *group) clean(epoch uint64, fn func(key []byte, frequency uint8)) {
	for i := range g.slots {
		r := g.slots[i].Load()
		if r == nil {
			continue
		}
		if h := g.heats.sweep(i, epoch); g.heats.clean(i) {
			fn(r.key(), h.frequency(epoch))
		}
	}
}

// Warmed follows another process's report: it raises the frequency of key's item to at least this one, as of the
// present epoch. Dirty does not find the item for that. It does nothing if there is no such item. Any goroutine may
// call it.
func (c *content) Warmed(key []byte, frequency uint8) {
	h, epoch := hashKey(key), c.store.HeatEpoch()
	g, slot, r := c.dir.Load().table(h).locate(h, key)
	if r != nil {
		g.heats.warm(slot, min(frequency, maxFrequency), epoch)
	}
}
