package fsm

import (
	"math"
	"math/big"
	"regexp"
	"strings"

	"ciderd/internal/cache"
)

// The model's part for the operations of version 5.

func (it modelItem) result() Result {
	return Result{Kind: KindValue, Details: &Details{Item: cache.Item{Value: []byte(it.value), Version: it.version, Deadline: it.deadline}}}
}

func one(yes bool) Result {
	if yes {
		return Result{Kind: KindInt, N: 1}
	}
	return Result{Kind: KindInt}
}

// grows: a state that is closed refuses it.
func (m *model) grows(c *Command) (grows bool) {
	switch c.Op {
	case OpSet, OpCAS, OpMSet, OpIncr, OpAppend, OpStore, OpIncrFloat, OpSetRange, OpMove, OpMSetNX, OpRestoreOnce:
		return true
	case OpExec:
		c.Exec.eachCommand(0, func(c *Command) { grows = grows || m.grows(c) })
	}
	return grows
}

// when is the deadline that a command gives.
func (m *model) when(c *Command) int64 {
	switch {
	case c.At != 0:
		return c.At
	case c.TTL > 0:
		return m.in(c.TTL)
	}
	return m.now + c.TTL
}

func (m *model) write5(u *modelUser, c *Command) Result {
	key := string(c.Key)
	it, there := m.seen(u, c.Key)
	switch c.Op {
	case OpStore:
		return m.store(u, c, it, there)
	case OpGetDelete:
		u.remove(key)
		if !there {
			return Result{Kind: KindNil}
		}
		return it.result()
	case OpDeleteEqual:
		equal := there && it.value == string(c.Arg)
		if equal {
			u.remove(key)
		}
		return one(equal)
	case OpGetExpire:
		return m.getExpire(u, c, it, there)
	case OpDeadline:
		return m.deadline(u, c, it, there)
	case OpIncrFloat:
		return m.incrFloat(u, c, it, there)
	case OpSetRange:
		return m.setRange(u, c, it)
	case OpMove:
		return m.move(u, c, it, there)
	case OpMSetNX:
		for i := 0; i < len(c.Words); i += 2 {
			if _, there := m.seen(u, c.Words[i]); there {
				return one(false)
			}
		}
		if why := m.roomForAll(u, c.Words); why != KindNone {
			return Result{Kind: why}
		}
		for i := 0; i < len(c.Words); i += 2 {
			u.put(string(c.Words[i]), string(c.Words[i+1]), 0)
		}
		return one(true)
	case OpLook:
		if !there {
			return Result{Kind: KindNil}
		}
		return it.result()
	case OpView:
		ks := cache.New().Create(1)
		for key, it := range u.items {
			ks.Load([]byte(key), []byte(it.value), it.version, it.deadline)
		}
		ks.SetVersion(u.version)
		return Result{Kind: KindView, N: m.now, Details: &Details{View: ks.Freeze()}}
	}
	return m.exec(u, c)
}

func (m *model) store(u *modelUser, c *Command, it modelItem, there bool) Result {
	old := Result{Kind: KindNil}
	if there && c.Flags&FlagGet != 0 {
		old = it.result()
	}
	met := true
	if c.Flags&FlagNX != 0 {
		met = met && !there
	}
	if c.Flags&FlagXX != 0 {
		met = met && there
	}
	if c.Flags&FlagEqual != 0 {
		met = met && there && it.value == string(c.Arg)
	}
	if !met {
		return old
	}
	if c.Flags&FlagGet == 0 {
		old = Result{Kind: KindOK}
	}
	deadline := int64(0)
	if c.Flags&FlagKeepTTL != 0 {
		deadline = it.deadline
	} else if c.TTL != 0 || c.At != 0 {
		if deadline = m.when(c); deadline <= m.now {
			u.remove(string(c.Key))
			return old
		}
	}
	return m.put(u, c.Key, string(c.Value), deadline, old)
}

// setDeadline is what gives an item that is there a deadline.
func (m *model) setDeadline(u *modelUser, key string, it modelItem, deadline int64, done Result) Result {
	if deadline == it.deadline {
		return done
	}
	if it.deadline == 0 {
		if why := m.room(u, itemMemory(key, it.value, 1), it.memory(key), true); why != KindNone {
			return Result{Kind: why}
		}
	}
	u.put(key, it.value, deadline)
	return done
}

func (m *model) getExpire(u *modelUser, c *Command, it modelItem, there bool) Result {
	if !there {
		return Result{Kind: KindNil}
	}
	if c.Flags&FlagPersist != 0 {
		return m.setDeadline(u, string(c.Key), it, 0, it.result())
	}
	if c.TTL == 0 && c.At == 0 {
		return it.result()
	}
	if m.when(c) <= m.now {
		u.remove(string(c.Key))
		return it.result()
	}
	return m.setDeadline(u, string(c.Key), it, m.when(c), it.result())
}

func (m *model) deadline(u *modelUser, c *Command, it modelItem, there bool) Result {
	if c.Flags&FlagPersist != 0 {
		if !there || it.deadline == 0 {
			return one(false)
		}
		return m.setDeadline(u, string(c.Key), it, 0, one(true))
	}
	had, at := float64(it.deadline), float64(m.when(c))
	if it.deadline == 0 {
		had = math.Inf(1)
	}
	switch {
	case !there, c.Flags&FlagNX != 0 && it.deadline != 0, c.Flags&FlagXX != 0 && it.deadline == 0,
		c.Flags&FlagGT != 0 && at <= had, c.Flags&FlagLT != 0 && at >= had:
		return one(false)
	case m.when(c) <= m.now:
		u.remove(string(c.Key))
		return one(true)
	}
	return m.setDeadline(u, string(c.Key), it, m.when(c), one(true))
}

func (m *model) setRange(u *modelUser, c *Command, it modelItem) Result {
	limit := int64(1 << 20)
	if c.Limit > 0 && c.Limit < limit {
		limit = c.Limit
	}
	switch {
	case c.N < 0:
		return Result{}
	case len(c.Value) == 0:
		return Result{Kind: KindInt, N: int64(len(it.value))}
	case c.N > limit || c.N+int64(len(c.Value)) > limit:
		return Result{Kind: KindValueTooLarge}
	}
	b := []byte(it.value)
	for int64(len(b)) < c.N+int64(len(c.Value)) {
		b = append(b, 0)
	}
	copy(b[c.N:], c.Value)
	return m.put(u, c.Key, string(b), it.deadline, Result{Kind: KindInt, N: int64(len(b))})
}

func (m *model) move(u *modelUser, c *Command, it modelItem, there bool) Result {
	from, to := string(c.Key), string(c.Arg)
	copies, nx := c.Flags&FlagCopy != 0, c.Flags&FlagNX != 0
	_, taken := m.seen(u, c.Arg)
	done := Result{Kind: KindOK}
	if copies || nx {
		done = one(true)
	}
	switch {
	case copies && from == to:
		return Result{Kind: KindSameKey}
	case !there:
		return Result{Kind: KindNotFound}
	case nx && taken:
		return one(false)
	case from == to:
		return done
	}
	had := int64(0)
	if old, there := u.items[to]; there {
		had = old.memory(to)
	}
	if !copies {
		had += it.memory(from)
	}
	if why := m.room(u, it.memory(to), had, false); why != KindNone {
		return Result{Kind: why}
	}
	u.put(to, it.value, it.deadline)
	if !copies {
		u.remove(from)
	}
	return done
}

var (
	decimalNumber  = regexp.MustCompile(`^(?i)[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]{1,6})?$`)
	hexNumber      = regexp.MustCompile(`^(?i)[+-]?0x([0-9a-f]+\.?[0-9a-f]*|\.[0-9a-f]+)(p[+-]?[0-9]{1,6})?$`)
	infiniteNumber = regexp.MustCompile(`^(?i)[+-]?(inf|infinity)$`)
	zeroNumber     = regexp.MustCompile(`^(?i)[+-]?(0x)?[0.]+([ep].*)?$`)
)

// parse is a number of any text of a story, with far more bits than count, and the sign of an infinite one.
func (m *model) parse(text string) (x *big.Float, infinite, ok bool) {
	base := 10
	switch {
	case infiniteNumber.MatchString(text):
		return nil, true, true
	case hexNumber.MatchString(text):
		base, text = 16, strings.Replace(strings.ToLower(text), "0x", "", 1)
	case !decimalNumber.MatchString(text):
		return nil, false, false
	}
	x, _, err := big.ParseFloat(text, base, 4096, big.ToNearestEven)
	if err != nil {
		return nil, false, false
	}
	x.SetPrec(64)
	exp := x.MantExp(nil)
	return x, false, exp <= 16384 && (exp > -16400 || x.Sign() == 0 && zeroNumber.MatchString(text))
}

func (m *model) incrFloat(u *modelUser, c *Command, it modelItem, there bool) Result {
	if !there {
		it.value = "0"
	}
	x, infinite, ok := m.parse(it.value)
	y, also, fine := m.parse(string(c.Value))
	switch {
	case !ok || !fine:
		return Result{Kind: KindNotAFloat}
	case infinite || also:
		return Result{Kind: KindNotFinite}
	}
	sum := new(big.Float).SetPrec(64).Add(x, y)
	if sum.MantExp(nil) > 16384 {
		return Result{Kind: KindNotFinite}
	}
	text := strings.TrimSuffix(strings.TrimRight(sum.Text('f', 17), "0"), ".")
	if text == "-0" {
		text = "0"
	}
	r := m.put(u, c.Key, text, it.deadline, Result{})
	if r.Kind != KindNone {
		return r
	}
	return u.items[string(c.Key)].result()
}

func (m *model) exec(u *modelUser, c *Command) Result {
	met := c.Flags&FlagWhole == 0 || u.version == c.Version
	c.Exec.eachCondition(func(key []byte, version uint64) bool {
		it, _ := m.seen(u, key)
		met = met && it.version == version
		return true
	})
	if !met {
		return Result{Kind: KindNil}
	}
	if why := m.roomForExec(u, c); why != KindNone {
		return Result{Kind: why}
	}
	limits, quota := m.limits, u.quota
	m.limits.max, m.limits.quota, u.quota = 0, 0, 0 // there is room for all of it
	done := Result{Kind: KindExec, N: int64(c.Exec.Count()), Details: &Details{}}
	c.Exec.eachCommand(c.User, func(c *Command) {
		done.Details.Results = append(done.Details.Results, m.write(u, c))
	})
	m.limits, u.quota = limits, quota
	return done
}
