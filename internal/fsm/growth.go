package fsm

import (
	"math"

	"ciderd/internal/cache"
)

// Growth is by how much an entry makes memory grow at most, as far as the applied state tells: what is in flight
// before it may have changed what it replaces. A copy of what is in flight counts if Weights has noted that value.
type Growth struct {
	Total int64
	Users []UserGrowth // a user may be there more than once
}

// UserGrowth is one user's part.
type UserGrowth struct {
	User  uint64
	Bytes int64
}

// BoundGrowth returns a bound of Growth.Total that takes no look at the state.
func BoundGrowth(entry []byte) (total int64) {
	if len(entry) < bodyAt || entry[1] != entryBatch {
		return 0
	}
	h, commands, err := readHeader(entry)
	if err != nil {
		return 0
	}
	_ = eachCommand(h.Version, h.Count, commands, func(c *Command, _ []byte) { // a malformed one is not applied
		total += commandBound(c)
	})
	return total
}

// peek returns what the item of a key counts for; 0: there is none.
type peek func(user uint64, key []byte) int64

// commandBound is commandGrowth where nothing is known of the state.
func commandBound(c *Command) int64 {
	switch c.Op {
	case OpAppend:
		return cache.MemoryOf(len(c.Key), len(c.Value), false) + cache.MaxClassStep + idGrowth(c)
	case OpExpire, OpGetExpire, OpDeadline:
		if !c.givesDeadline() {
			return idGrowth(c)
		}
		return deadlineGrowth + cache.MaxClassStep + idGrowth(c)
	case OpExec:
		total := idGrowth(c)
		c.Exec.eachCommand(c.User, func(c *Command) { total += commandBound(c) })
		return total
	}
	return commandGrowth(c, func(uint64, []byte) int64 { return 0 }) + idGrowth(c)
}

// Growth returns the growth of an entry that has been checked.
func (s Shares) Growth(entry []byte) (g Growth) {
	h, commands, err := ReadEntry(entry)
	if err != nil || h.Eviction {
		return g
	}
	f := forecasts{shares: s, off: h.Version < version5, of: map[uint64]*forecast{}}
	_ = eachCommand(h.Version, h.Count, commands, func(c *Command, _ []byte) { // it has been checked
		bytes, need := f.growth(c)
		if quota := s.quota(c.User); quota > 0 && need > quota {
			f.back(c.User)
			return // it will be refused, whatever is evicted
		}
		if bytes += idGrowth(c); bytes > 0 {
			g.add(c.User, bytes)
		}
	})
	return g
}

// forecasts are those of the users in one entry. Before version 5 the growth of a command does not depend on the size of
// a value elsewhere.
type forecasts struct {
	shares Shares
	off    bool
	of     map[uint64]*forecast
}

// growth returns what a command adds, and what it stores in all as far as that may be refused.
func (f *forecasts) growth(c *Command) (bytes, need int64) {
	if f.off || !operations[c.Op].inside && c.Op != OpExec {
		bytes = commandGrowth(c, f.shares.peek)
		return bytes, bytes
	}
	of := f.of[c.User]
	if of == nil {
		of = newForecast(false, f.shares.finder(c.User))
		f.of[c.User] = of
	}
	of.next(c)
	if bytes = of.growth(); c.Op == OpExec {
		return bytes, of.need
	}
	return bytes, bytes
}

// back takes back a user's last command.
func (f *forecasts) back(user uint64) {
	if of := f.of[user]; of != nil {
		of.back()
	}
}

// finder returns what tells what a key of a user has at present, expired or not, or will have by what is in flight. It
// counts as a use of the item, which the command is about to be.
func (s Shares) finder(user uint64) func(key []byte) found {
	ks := s.Keyspace(user)
	return func(key []byte) (f found) {
		if ks != nil {
			f.extent = extentOf(ks.Get(key, math.MinInt64))
			f.memory = f.extent.memory(len(key))
		}
		if s.weights != nil {
			f.value = max(f.value, s.weights().noted(user, key))
			f.there = f.there || f.value > 0
		}
		return f
	}
}

// quota returns a user's quota; 0: none.
func (s Shares) quota(user uint64) int64 {
	if _, a := s.state.users.get(user); a != nil {
		return s.state.quota(a)
	}
	return 0
}

func (s Shares) peek(user uint64, key []byte) int64 {
	ks := s.Keyspace(user)
	if ks == nil {
		return 0
	}
	had, _ := ks.Peek(key)
	return had
}

func (g *Growth) add(user uint64, bytes int64) {
	g.Total += bytes
	if n := len(g.Users); n > 0 && g.Users[n-1].User == user {
		g.Users[n-1].Bytes += bytes
		return
	}
	g.Users = append(g.Users, UserGrowth{user, bytes})
}

// deadlineGrowth is what a deadline adds to an item whose size remains the same.
var deadlineGrowth = cache.MemoryOf(0, 0, true) - cache.MemoryOf(0, 0, false)

// commandGrowth returns what a command adds, without its id of ONCE.
func commandGrowth(c *Command, had peek) (bytes int64) {
	switch c.Op {
	case OpSignup, OpRegister, OpRestore:
		return (&User{Name: string(c.Name), Hash: c.Value}).memory()
	case OpRestoreOnce:
		return onceMemory(len(c.Arg))
	case OpSet:
		return itemGrowth(had(c.User, c.Key), c.Key, len(c.Value), c.TTL > 0)
	case OpCAS:
		return itemGrowth(had(c.User, c.Key), c.Key, len(c.Value), false)
	case OpIncr:
		return itemGrowth(had(c.User, c.Key), c.Key, maxInteger, true)
	case OpAppend:
		return appendGrowth(had(c.User, c.Key), c)
	case OpExpire:
		return deadlineGrowth + classStep(had(c.User, c.Key))
	case OpStore:
		return itemGrowth(had(c.User, c.Key), c.Key, len(c.Value), c.TTL != 0 || c.At != 0 || c.Flags&FlagKeepTTL != 0)
	case OpIncrFloat:
		_, longest := anyNumber.sum(figure{})
		most := itemGrowth(had(c.User, c.Key), c.Key, longest, true)
		return most + classStep(most)
	case OpSetRange:
		if e, stores := computed(extent{}, c); stores {
			return itemGrowth(had(c.User, c.Key), c.Key, e.value, true) + cache.MaxClassStep
		}
	case OpMove:
		return itemGrowth(had(c.User, c.Arg), c.Arg, maxValue, true)
	case OpMSet, OpMSetNX:
		for i := 0; i+1 < len(c.Words); i += 2 {
			bytes += itemGrowth(had(c.User, c.Words[i]), c.Words[i], len(c.Words[i+1]), false)
		}
	}
	return bytes
}

func idGrowth(c *Command) int64 {
	if len(c.Once) == 0 {
		return 0
	}
	return onceMemory(len(c.Once))
}

func itemGrowth(had int64, key []byte, value int, deadline bool) int64 {
	return max(cache.MemoryOf(len(key), value, deadline)-had, 0)
}

// appendGrowth is what is appended, and what the next class may be larger.
func appendGrowth(had int64, c *Command) int64 {
	if had == 0 {
		return cache.MemoryOf(len(c.Key), len(c.Value), false)
	}
	more := int64(len(c.Value))
	return more + classStep(had+more)
}

// classStep is by how much the next class may be larger, for an item that counts for so much.
func classStep(memory int64) int64 {
	if memory >= 32<<10 {
		return cache.MaxClassStep
	}
	return max(memory/8, 16)
}
