package fsm

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
)

// story makes up a log: batches of random commands from three servers, with duplicates, gaps and
// batches of earlier processes among them, and stamps that now and then go back. The model goes
// along, so that hashes and versions are often those that the state has.
type story struct {
	r     *rand.Rand
	model *model
	stamp int64
	hash  int // counts the password hashes
	sent  []sent
}

// sent is a batch that is in the log.
type sent struct {
	h        Header
	commands []Command
	entry    []byte
	results  []Result
	accepted bool
	eviction *Eviction // it is one, and no batch
}

var storyOrigins = []string{"a/1", "b/1", "c/1"}

func newStory(seed uint64) *story {
	return &story{r: rand.New(rand.NewPCG(seed, 99)), model: newModel(), stamp: 1_700_000_000_000}
}

// next writes one batch to the log.
func (s *story) next() sent {
	var b sent
	if s.r.IntN(5) == 0 {
		return s.evict()
	}
	if len(s.sent) > 0 && s.r.IntN(8) == 0 {
		b = s.sent[s.r.IntN(len(s.sent))] // once more
		b.entry = slices.Clone(b.entry)
	} else {
		b.h = s.header()
		for range 1 + s.r.IntN(12) {
			b.commands = append(b.commands, s.command())
		}
		b.entry = entry(b.h, b.commands...)
	}
	b.h.Stamp = s.tick()
	SetStamp(b.entry, b.h.Stamp)
	b.results, b.accepted = s.model.apply(b.h, b.commands)
	s.model.end(int(b.entry[0]))
	s.sent = append(s.sent, b)
	return b
}

// evict writes an eviction to the log: its victims are there, or were, or never have been; some stand twice.
func (s *story) evict() sent {
	e := &Eviction{Epoch: s.r.Uint64N(50), Target: s.r.Int64N(2 * max(s.model.limits.max, 1)), Room: s.r.Int64N(3) * 500}
	for range s.r.IntN(20) {
		v := Victim{User: s.user(), Key: s.key()}
		if u := s.model.users[v.User]; u != nil {
			v.Version = u.items[string(v.Key)].version - min(uint64(s.r.IntN(6)/5), u.items[string(v.Key)].version)
		}
		e.Victims = append(e.Victims, v)
		if s.r.IntN(8) == 0 {
			e.Victims = append(e.Victims, v)
		}
	}
	b := sent{entry: AppendEviction(nil, e), eviction: e}
	b.h.Stamp = s.tick()
	SetStamp(b.entry, b.h.Stamp)
	s.model.evict(b.h.Stamp, e)
	s.model.end(version4)
	return b
}

// tick is the next leader's time: mostly a little later, at times far ahead or behind.
func (s *story) tick() int64 {
	switch s.r.IntN(12) {
	case 0:
		return s.stamp - int64(s.r.IntN(100_000))
	case 1:
		return 0
	case 2:
		s.stamp += int64(s.r.IntN(120_000))
	default:
		s.stamp += int64(s.r.IntN(40))
	}
	return s.stamp
}

// header is mostly that of the batch that is to come next.
func (s *story) header() Header {
	id := storyOrigins[s.r.IntN(len(storyOrigins))]
	row := s.model.origins[id]
	h := Header{Origin: []byte(id), Incarnation: max(row[0], 1), Sequence: row[1] + 1}
	switch s.r.IntN(16) {
	case 0: // a gap
		h.Sequence += 1 + uint64(s.r.IntN(3))
	case 1: // an earlier process
		h.Incarnation, h.Sequence = uint64(s.r.IntN(int(h.Incarnation))), uint64(1+s.r.IntN(3))
	case 2, 3: // a new process
		h.Incarnation, h.Sequence = h.Incarnation+1+uint64(s.r.IntN(2)), 1
	case 4: // of a new process, and not the first
		h.Incarnation, h.Sequence = h.Incarnation+1, uint64(2+s.r.IntN(3))
	}
	return h
}

func (s *story) pick(of ...string) []byte { return []byte(of[s.r.IntN(len(of))]) }

func (s *story) key() []byte { return fmt.Appendf(nil, "k%d", s.r.IntN(16)) }

func (s *story) value() []byte {
	if s.r.IntN(2) == 0 {
		return s.pick("", "0", "-1", "12", "-0", "+1", "01", " 1", "9223372036854775807", "-9223372036854775808",
			"9223372036854775808", "text", "\x00\xff")
	}
	return fmt.Appendf(nil, "%d", s.r.IntN(1000))
}

func (s *story) ttl() int64 {
	return []int64{0, 0, 1, 20, 200, 5000, 100_000, -3, math.MaxInt64}[s.r.IntN(9)]
}

// hashOf is the hash that user id has, or the one that it had, or that of someone else.
func (s *story) hashOf(id uint64) []byte {
	if u := s.model.users[id]; u != nil && s.r.IntN(3) > 0 {
		if u.locked && s.r.IntN(3) > 0 {
			return []byte("!" + u.hash)
		}
		return []byte(u.hash)
	}
	return fmt.Appendf(nil, "hash%d", max(0, s.hash-s.r.IntN(4)))
}

func (s *story) newHash() []byte {
	s.hash++
	return fmt.Appendf(nil, "hash%d", s.hash)
}

func (s *story) user() uint64 {
	ids := slices.Sorted(maps.Keys(s.model.users))
	if len(ids) == 0 || s.r.IntN(30) == 0 {
		return uint64(s.r.IntN(int(s.model.last) + 2))
	}
	return ids[s.r.IntN(len(ids))]
}

func (s *story) command() Command {
	if s.model.closed && s.r.IntN(20) == 0 {
		return Command{Op: OpClose} // opens it
	}
	c := Command{User: s.user()}
	if s.r.IntN(6) == 0 {
		c.Once = strconv.AppendInt(nil, int64(s.r.IntN(40)), 10)
	}
	if s.r.IntN(4) == 0 {
		s.ofRedis(&c)
		return c
	}
	if s.r.IntN(16) == 0 {
		s.ofBackups(&c)
		return c
	}
	switch n := s.r.IntN(100); {
	case n < 30:
		c.Op, c.Key, c.Value, c.TTL = OpSet, s.key(), s.value(), s.ttl()
		c.Flags = []uint8{0, 0, FlagNX, FlagXX, FlagNX | FlagXX}[s.r.IntN(5)]
	case n < 42:
		c.Op = OpDelete
		for range []int{0, 1, 1, 1, 2, 5}[s.r.IntN(6)] {
			c.Words = append(c.Words, s.key())
		}
	case n < 57:
		c.Op, c.Key = OpIncr, s.key()
		c.N = []int64{1, -1, 0, 100, math.MaxInt64, math.MinInt64}[s.r.IntN(6)]
	case n < 64:
		c.Op, c.Key, c.Value, c.Limit = OpAppend, s.key(), s.value(), []int64{0, 5, 1000, 1 << 40}[s.r.IntN(4)]
	case n < 71:
		c.Op, c.Key, c.TTL = OpExpire, s.key(), s.ttl()
	case n < 75:
		c.Op, c.Key = OpPersist, s.key()
	case n < 83:
		c.Op, c.Key, c.Value = OpCAS, s.key(), s.value()
		if u := s.model.users[c.User]; u != nil {
			c.Version = u.items[string(c.Key)].version + uint64(s.r.IntN(4)/3)
		}
	case n < 86:
		c.Op = OpMSet
		for range s.r.IntN(5) {
			c.Words = append(c.Words, s.key(), s.value())
		}
	default:
		s.rare(&c, n)
	}
	return c
}

// rare is what concerns more than one item.
func (s *story) rare(c *Command, n int) {
	switch {
	case n < 89:
		s.share(c)
	case n < 92:
		c.Op = []Op{OpSignup, OpRegister}[s.r.IntN(2)]
		c.Name, c.Value, c.Limit = s.pick("ann", "bob", "cid", "dan", "eve"), s.newHash(), int64(s.r.IntN(8))
	case n < 95:
		c.Op, c.Arg, c.Value = OpPasswd, s.hashOf(c.User), s.newHash()
	case n < 96:
		c.Op, c.Arg = OpUnregister, s.hashOf(c.User)
	case n < 98:
		c.Op = OpSweep
	case n < 99:
		c.Op, c.N = OpClose, 1
	default:
		c.Op = OpGone
		for _, id := range storyOrigins {
			if s.r.IntN(6) == 0 {
				c.Words = append(c.Words, []byte(id))
			}
		}
	}
}

// ofBackups is what concerns backups. Mostly it is about a user that is being restored, if there is one.
func (s *story) ofBackups(c *Command) {
	for _, id := range slices.Sorted(maps.Keys(s.model.users)) {
		if s.model.users[id].restoring && s.r.IntN(2) == 0 {
			c.User = id
		}
	}
	switch n := s.r.IntN(10); {
	case n < 3:
		c.Op, c.Name, c.Value, c.Flags = OpRestore, s.pick("ann", "bob", "cid", "dan", "eve"), s.newHash(), uint8(s.r.IntN(4))
		c.N, c.Limit = []int64{0, 0, 1500, 4000, -1}[s.r.IntN(5)], []int64{0, 0, 500, 2000, 1 << 40, -1}[s.r.IntN(6)]
		c.Version = []uint64{0, 7, uint64(s.stamp+100_000) * 1000, 1 << 63}[s.r.IntN(4)]
	case n < 7:
		c.Op, c.Once, c.Arg, c.At = OpRestoreOnce, nil, s.pick("", "1", "2", "3", "37"), s.stamp-s.r.Int64N(700_000)+1000
		c.Limit, c.N = s.r.Int64N(31)-1, s.r.Int64N(10)
	case n < 9:
		c.Op, c.Once = OpRestored, nil
	default:
		c.Op, c.Name, c.At = OpBackedUp, s.pick("", "n1", "n2"), s.stamp-s.r.Int64N(1000)+200
	}
}

// share is what concerns the limits, or a FLUSH.
func (s *story) share(c *Command) {
	switch s.r.IntN(11) {
	case 9, 10:
		c.Op, c.N = OpLock, []int64{0, 1, 1, -1}[s.r.IntN(4)]
	case 0, 5:
		c.Op, c.N = OpQuota, []int64{0, 0, 1500, 4000, -1}[s.r.IntN(5)]
	case 1, 6:
		c.Op, c.N = OpReserve, []int64{0, 500, 2000, 1 << 40, -1}[s.r.IntN(5)]
	case 2, 3:
		c.Op, c.N = OpLimits, []int64{0, 4000, 10_000, 25_000, -5}[s.r.IntN(5)]
		c.Limit, c.Flags = []int64{0, 0, 2500, 6000, -1}[s.r.IntN(5)], []uint8{0, FlagReject, FlagFirst}[s.r.IntN(3)]
	case 7:
		*c = SetSeed(Seed(fmt.Appendf(nil, "seed %11d", s.r.IntN(1000))))
	default:
		c.Op = OpFlush
	}
}
