package fsm

import (
	"bytes"
	"math/big"
	"strconv"
	"strings"
)

// modelMost is the most that a key may have at some point of a transaction.
type modelMost struct {
	there, deadline bool
	value           int
	most            *big.Rat // if it is a number; nil: it is none
	stored, changed bool
	gone            bool // whatever was there before, an expired item too
}

// mostOf is the absolute value of a number.
func (m *model) mostOf(text string) *big.Rat {
	x, infinite, _ := m.parse(text)
	if x == nil || infinite {
		return nil
	}
	r, _ := x.Rat(nil)
	return r.Abs(r)
}

// sumOf is as large as the sum can be, and the length of its text.
func sumOf(a, b *big.Rat) (*big.Rat, int) {
	sum := new(big.Rat)
	for _, x := range []*big.Rat{a, b} {
		if x != nil {
			sum.Add(sum, x)
		}
	}
	whole := new(big.Int).Quo(sum.Num(), sum.Denom())
	return sum, min(4933, len(whole.String())) + 19
}

// anything is more than any number.
var anything, _ = new(big.Rat).SetString("1e4932")

func larger(a, b *big.Rat) *big.Rat {
	if a == nil || b != nil && a.Cmp(b) < 0 {
		return b
	}
	return a
}

// roomForExec adds up what the keys may have at the end.
func (m *model) roomForExec(u *modelUser, c *Command) Kind {
	most := map[string]modelMost{}
	flushed, grows := false, false
	get := func(key string) modelMost {
		k, ok := most[key]
		if it, there := m.seen(u, []byte(key)); !ok && there && !flushed {
			k = modelMost{there: true, deadline: it.deadline != 0, value: len(it.value), most: m.mostOf(it.value)}
		}
		return k
	}
	c.Exec.eachCommand(c.User, func(c *Command) {
		grows = grows || m.grows(c)
		if c.Op == OpFlush {
			flushed = true
			clear(most)
			return
		}
		m.follow(c, get, most)
	})
	need, had := int64(0), int64(0)
	if flushed {
		for key, it := range u.items {
			had += it.memory(key)
		}
	}
	for key, k := range most {
		is, was := int64(0), int64(0)
		if k.there {
			deadline := int64(0)
			if k.deadline {
				deadline = 1
			}
			is = itemMemory(key, strings.Repeat("v", k.value), deadline)
		}
		if it, there := u.items[key]; there && !flushed {
			was = it.memory(key)
			if _, seen := m.seen(u, []byte(key)); !seen && !k.gone {
				is = max(is, was)
			}
		}
		if k.changed && (k.stored || is < was) {
			need, had = need+is, had+was
		} else if k.changed {
			need += is - was
		}
	}
	return m.room(u, need, had, !grows)
}

func (m *model) follow(c *Command, get func(string) modelMost, most map[string]modelMost) {
	key := string(c.Key)
	store := func(key string, e modelMost, sure bool) {
		k := get(key)
		if sure {
			most[key] = modelMost{true, e.deadline, e.value, e.most, true, true, true}
			return
		}
		most[key] = modelMost{true, k.deadline || e.deadline, max(k.value, e.value), larger(k.most, e.most), true, true, k.gone}
	}
	of := func(value []byte, deadline bool) modelMost {
		return modelMost{deadline: deadline, value: len(value), most: m.mostOf(string(value))}
	}
	now := get(key)
	switch c.Op {
	case OpSet:
		store(key, of(c.Value, c.TTL > 0), c.Flags&(FlagNX|FlagXX) == 0)
	case OpStore:
		store(key, of(c.Value, c.TTL != 0 || c.At != 0 || c.Flags&FlagKeepTTL != 0 && now.deadline), c.Flags&(FlagNX|FlagXX|FlagEqual) == 0)
	case OpCAS:
		store(key, of(c.Value, false), false)
	case OpMSet, OpMSetNX:
		for i := 0; i < len(c.Words); i += 2 {
			store(string(c.Words[i]), of(c.Words[i+1], false), c.Op == OpMSet)
		}
	case OpDelete, OpGetDelete:
		for _, w := range append([][]byte{c.Key}, c.Words...) {
			if len(w) > 0 {
				most[string(w)] = modelMost{changed: true, gone: true, stored: get(string(w)).stored}
			}
		}
	case OpExpire, OpGetExpire, OpDeadline:
		persist := c.Op != OpExpire && c.Flags&FlagPersist != 0
		if now.there && !persist && (c.Op != OpGetExpire || c.TTL != 0 || c.At != 0) {
			now.deadline, now.changed = true, true
			most[key] = now
		}
	case OpMove:
		if now.there && !bytes.Equal(c.Key, c.Arg) {
			store(string(c.Arg), now, false)
			if c.Flags&(FlagCopy|FlagNX) == 0 {
				most[key] = modelMost{changed: true, gone: now.gone, stored: now.stored}
			}
		}
	case OpIncr:
		now.value = min(20, 1+max(min(20, now.value), len(strconv.FormatInt(c.N, 10))))
		now.most, _ = new(big.Rat).SetString("1e" + strconv.Itoa(now.value))
		store(key, now, false)
	case OpIncrFloat:
		if more := m.mostOf(string(c.Value)); more != nil {
			now.most, now.value = sumOf(now.most, more)
			store(key, now, false)
		}
	case OpAppend:
		now.value, now.most = min(1<<20, now.value+len(c.Value)), anything
		store(key, now, false)
	case OpSetRange:
		if len(c.Value) > 0 && c.N >= 0 && c.N+int64(len(c.Value)) <= 1<<20 {
			now.value, now.most = max(now.value, int(c.N)+len(c.Value)), anything
			store(key, now, false)
		}
	}
}
