package fsm

import (
	"bytes"
	"math"

	"ciderd/internal/cache"
)

// items runs the operations of version 5 on the items of the account that was looked up.
type items struct {
	*applier
	ks *cache.Keyspace
}

func (t items) run(c *Command) Result {
	switch c.Op {
	case OpStore:
		return t.store(c)
	case OpGetDelete:
		return t.getDelete(c)
	case OpDeleteEqual:
		return t.deleteEqual(c)
	case OpGetExpire:
		return t.getExpire(c)
	case OpDeadline:
		return t.expire(c)
	case OpIncrFloat:
		return t.incrFloat(c)
	case OpSetRange:
		return t.setRange(c)
	case OpMove:
		return t.move(c)
	case OpMSetNX:
		return t.msetNX(c)
	case OpExec:
		return t.exec(c)
	case OpLook:
		return t.look(c)
	case OpView:
		return t.view()
	}
	return Result{}
}

// value returns an item that was looked up.
func (t items) value(item cache.Item, there bool) Result {
	switch {
	case !there:
		return Result{Kind: KindNil}
	case !t.mine:
		return Result{Kind: KindValue}
	}
	if len(item.Value) <= cache.CopiedUpto { // it would keep thousands of others in memory
		item.Value = bytes.Clone(item.Value)
	}
	return Result{Kind: KindValue, Details: &Details{Item: item}}
}

// yes returns 1 or 0.
func yes(b bool) Result { return Result{Kind: KindInt, N: int64(flag(b))} }

// deadlineOf returns the deadline that a command gives, and whether it is in the future.
func (t items) deadlineOf(c *Command) (at int64, future bool) {
	switch {
	case c.At != 0:
		at = c.At
	case c.TTL > 0:
		at = t.deadlineIn(c.TTL)
	default: // it may be far below 0
		at = t.time + max(c.TTL, math.MinInt64/2)
	}
	return at, at > t.time
}

// givesDeadline reports whether a command that stores no value may give an item a deadline.
func (c *Command) givesDeadline() bool {
	switch c.Op {
	case OpExpire:
		return true
	case OpDeadline:
		return c.Flags&FlagPersist == 0
	case OpGetExpire:
		return c.Flags&FlagPersist == 0 && (c.TTL != 0 || c.At != 0)
	}
	return false
}

func (t items) store(c *Command) Result {
	item, there := t.ks.Lookup(c.Key, t.time)
	done := Result{Kind: KindOK}
	if c.Flags&FlagGet != 0 {
		done = t.value(item, there)
	}
	switch {
	case there && c.Flags&FlagNX != 0, !there && c.Flags&FlagXX != 0,
		c.Flags&FlagEqual != 0 && (!there || !bytes.Equal(item.Value, c.Arg)):
		if c.Flags&FlagGet == 0 {
			done = Result{Kind: KindNil}
		}
		return done
	case c.Flags&FlagKeepTTL != 0:
		return t.put(t.ks, c.Key, c.Value, item.Deadline, done)
	case c.At == 0 && c.TTL == 0:
		return t.put(t.ks, c.Key, c.Value, 0, done)
	}
	at, future := t.deadlineOf(c)
	if !future {
		t.ks.Delete(c.Key)
		return done
	}
	return t.put(t.ks, c.Key, c.Value, at, done)
}

func (t items) getDelete(c *Command) Result {
	item, there := t.ks.Lookup(c.Key, t.time)
	t.ks.Delete(c.Key)
	return t.value(item, there)
}

func (t items) deleteEqual(c *Command) Result {
	item, there := t.ks.Lookup(c.Key, t.time)
	if !there || !bytes.Equal(item.Value, c.Arg) {
		return yes(false)
	}
	return yes(t.ks.Delete(c.Key))
}

func (t items) getExpire(c *Command) Result {
	item, there := t.ks.Lookup(c.Key, t.time)
	done := t.value(item, there)
	switch persist := c.Flags&FlagPersist != 0; {
	case !there, c.At == 0 && c.TTL == 0 && !persist:
		return done
	case persist:
		return t.setDeadline(c.Key, item, 0, done)
	}
	at, future := t.deadlineOf(c)
	if !future {
		t.ks.Delete(c.Key)
		return done
	}
	return t.setDeadline(c.Key, item, at, done)
}

// setDeadline gives an item a deadline, if there is room for it, and returns done. It changes nothing if the item has it.
func (t items) setDeadline(key []byte, item cache.Item, at int64, done Result) Result {
	if at == item.Deadline {
		return done
	}
	if kind, ok := t.roomForDeadline(key, item, at); !ok {
		return Result{Kind: kind}
	}
	t.ks.SetDeadline(key, at)
	return done
}

func (t items) expire(c *Command) Result {
	item, there := t.ks.Lookup(c.Key, t.time)
	if c.Flags&FlagPersist != 0 {
		return t.setDeadline(c.Key, item, 0, yes(item.Deadline != 0)) // what is not there has no deadline either
	}
	at, future := t.deadlineOf(c)
	switch {
	case !there || !allows(c.Flags, item.Deadline, at):
		return yes(false)
	case !future:
		return yes(t.ks.Delete(c.Key))
	}
	return t.setDeadline(c.Key, item, at, yes(true))
}

// allows reports whether the flags of OpDeadline let an item with deadline had get the deadline at.
func allows(flags uint8, had, at int64) bool {
	switch {
	case flags&FlagNX != 0 && had != 0, flags&FlagXX != 0 && had == 0:
		return false
	case flags&FlagGT != 0 && (had == 0 || at <= had):
		return false
	}
	return flags&FlagLT == 0 || had == 0 || at < had
}

func (t items) setRange(c *Command) Result {
	item, _ := t.ks.Lookup(c.Key, t.time)
	limit := maxValue
	if c.Limit > 0 && c.Limit < maxValue {
		limit = int(c.Limit)
	}
	switch {
	case c.N < 0:
		return Result{Kind: KindNone}
	case len(c.Value) == 0:
		return Result{Kind: KindInt, N: int64(len(item.Value))}
	case c.N > int64(limit-len(c.Value)):
		return Result{Kind: KindValueTooLarge}
	}
	from := int(c.N)
	b := append(t.scratch[:0], item.Value...)
	if missing := from - len(b); missing > 0 {
		b = append(b, make([]byte, missing)...)
	}
	b = append(b[:from], c.Value...)
	if len(item.Value) > len(b) {
		b = append(b, item.Value[len(b):]...)
	}
	t.scratch = b
	return t.put(t.ks, c.Key, b, item.Deadline, Result{Kind: KindInt, N: int64(len(b))})
}

func (t items) move(c *Command) Result {
	same, copies, nx := bytes.Equal(c.Key, c.Arg), c.Flags&FlagCopy != 0, c.Flags&FlagNX != 0
	if same && copies {
		return Result{Kind: KindSameKey}
	}
	item, there := t.ks.Lookup(c.Key, t.time)
	_, other := t.ks.Lookup(c.Arg, t.time)
	done := Result{Kind: KindOK}
	if copies || nx {
		done = yes(true)
	}
	switch {
	case !there:
		return Result{Kind: KindNotFound}
	case nx && other:
		return yes(false)
	case same:
		return done
	}
	if kind, ok := t.roomForMove(c, item); !ok {
		return Result{Kind: kind}
	}
	if !t.granted && !copies {
		t.ks.BeginCut()
		defer t.ks.EndCut()
	}
	t.ks.Set(c.Arg, item.Value, item.Deadline)
	if !copies {
		t.ks.Delete(c.Key)
	}
	return done
}

// roomForMove is roomFor for the item that a command moves or copies.
func (t items) roomForMove(c *Command, item cache.Item) (Kind, bool) {
	t.inserted++
	if !t.bounded() {
		return KindNone, true
	}
	g := grown{need: cache.MemoryOf(len(c.Arg), len(item.Value), item.Deadline != 0)}
	g.had, _ = t.ks.Peek(c.Arg)
	if c.Flags&FlagCopy == 0 {
		leaves, _ := t.ks.Peek(c.Key)
		g.had += leaves
	}
	return t.may(g, false)
}

func (t items) msetNX(c *Command) Result {
	for i := 0; i < len(c.Words); i += 2 {
		if _, there := t.ks.Lookup(c.Words[i], t.time); there {
			return yes(false)
		}
	}
	if kind, ok := t.roomForAll(t.ks, c.Words); !ok {
		return Result{Kind: kind}
	}
	t.setAll(t.ks, c.Words)
	return yes(true)
}
