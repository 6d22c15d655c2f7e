package fsm

// found is what a key has before the commands of a forecast.
type found struct {
	extent
	memory int64 // of the item, expired or not
}

// forecast follows what commands of one user make of the sizes of their items, without running them. What it tells is
// never less than what they then store.
type forecast struct {
	// sure: all commands are run, one after the other, with nothing between: what they remove is gone. Otherwise any of
	// them may turn out not to be run.
	sure    bool
	look    func(key []byte) found
	keys    map[string]*forecastKey
	flushed bool
	last    []keyBefore // what the last command has changed, as it was; not if sure
	need    int64       // what the last command stores, if it is a transaction
}

// forecastKey is one key.
type forecastKey struct {
	size    int // of the key, in bytes
	was     extent
	now     extent
	had     int64 // memory before the first command
	expired bool  // that is of an expired item, which may still be there
	changed bool
	stored  bool  // not only its deadline has changed
	adds    bool  // to what is there, which may be larger than what was found
	counted int64 // see growth
}

type keyBefore struct {
	key *forecastKey
	was forecastKey
}

func newForecast(sure bool, look func(key []byte) found) *forecast {
	return &forecast{sure: sure, look: look, keys: map[string]*forecastKey{}}
}

func (f *forecast) key(key []byte) *forecastKey {
	k := f.keys[string(key)]
	if k == nil {
		k = &forecastKey{size: len(key)}
		if !f.flushed {
			found := f.look(key)
			k.was, k.now, k.had = found.extent, found.extent, found.memory
			k.expired = k.had > 0 && !k.was.there
		}
		f.keys[string(key)] = k
	}
	return k
}

// change notes that a key may be changed, and returns it.
func (f *forecast) change(key []byte, stored bool) *forecastKey {
	k := f.key(key)
	if !f.sure {
		f.last = append(f.last, keyBefore{k, *k})
	}
	k.changed = true
	k.stored = k.stored || stored
	return k
}

// replace is what stores a value whatever was there.
func (f *forecast) replace(key []byte, e extent) {
	k := f.change(key, true)
	if !f.sure {
		e = k.now.or(e)
	}
	k.now, k.expired = e, k.expired && !f.sure
}

// maybe is what may store a value.
func (f *forecast) maybe(key []byte, e extent) {
	k := f.change(key, true)
	k.now = k.now.or(e)
}

// remove is what removes an item, expired or not.
func (f *forecast) remove(key []byte) {
	if f.sure {
		k := f.change(key, false)
		k.now, k.expired = extent{}, false
	}
}

// next follows a command, and returns about how many bytes of stored values it makes every node copy.
func (f *forecast) next(c *Command) (work int) {
	f.last, f.need = f.last[:0], 0
	switch {
	case c.Op != OpExec:
		return f.follow(c)
	case f.sure:
		return f.followAll(c)
	}
	return f.transaction(c)
}

func (f *forecast) followAll(c *Command) (work int) {
	c.Exec.eachCommand(c.User, func(c *Command) { work += f.follow(c) })
	return work
}

// transaction follows one that may turn out not to be run; but if it is, then all of it.
func (f *forecast) transaction(c *Command) (work int) {
	inside := newForecast(true, func(key []byte) found {
		k := f.key(key)
		return found{extent: k.now, memory: k.memory()}
	})
	work = inside.followAll(c)
	for key, then := range inside.keys {
		if then.changed && then.now.there {
			k := f.change([]byte(key), then.stored)
			k.now, k.adds = k.now.or(then.now), k.adds || then.adds
		}
	}
	f.need = inside.grown(0).need
	return work
}

func (f *forecast) follow(c *Command) (work int) {
	work = c.work(func(key []byte) extent { return f.key(key).now })
	switch c.Op {
	case OpSet, OpStore, OpCAS:
		f.set(c)
	case OpMSet, OpMSetNX:
		f.pairs(c)
	case OpDelete:
		for _, key := range c.Words {
			f.remove(key)
		}
	case OpGetDelete:
		f.remove(c.Key)
	case OpFlush:
		f.flush()
	case OpExpire, OpGetExpire, OpDeadline:
		// If not sure, the item may be on its way.
		if (f.key(c.Key).now.there || !f.sure) && c.givesDeadline() {
			k := f.change(c.Key, false)
			k.now.there, k.now.deadline, k.adds = true, true, true
		}
	case OpMove:
		f.move(c)
	case OpIncr, OpIncrFloat, OpAppend, OpSetRange:
		if e, stores := computed(f.key(c.Key).now, c); stores {
			f.maybe(c.Key, e)
			f.key(c.Key).adds = true
		}
	}
	return work
}

func (f *forecast) pairs(c *Command) {
	for i := 0; i+1 < len(c.Words); i += 2 {
		if e := valueExtent(c.Words[i+1], false); c.Op == OpMSet {
			f.replace(c.Words[i], e)
		} else {
			f.maybe(c.Words[i], e)
		}
	}
}

func (f *forecast) set(c *Command) {
	deadline := c.TTL > 0
	if c.Op == OpStore {
		deadline = c.TTL != 0 || c.At != 0 || c.Flags&FlagKeepTTL != 0 && f.key(c.Key).now.deadline
	}
	e := valueExtent(c.Value, deadline)
	if c.Op == OpCAS || c.Flags&(FlagNX|FlagXX) != 0 || c.Op == OpStore && c.Flags&FlagEqual != 0 {
		f.maybe(c.Key, e)
		return
	}
	f.replace(c.Key, e)
}

func (f *forecast) move(c *Command) {
	from := f.key(c.Key).now
	if !from.there || string(c.Key) == string(c.Arg) {
		return
	}
	f.maybe(c.Arg, from)
	if f.sure && c.Flags&(FlagCopy|FlagNX) == 0 {
		f.change(c.Key, false).now = extent{} // an expired item does not move
	}
}

func (f *forecast) flush() {
	if !f.sure {
		return
	}
	f.flushed = true
	for _, k := range f.keys {
		*k = forecastKey{size: k.size}
	}
}

// back takes back the last command, which will not be run.
func (f *forecast) back() {
	for i := len(f.last) - 1; i >= 0; i-- {
		*f.last[i].key = f.last[i].was
	}
	f.last = f.last[:0]
}

// growth returns by how much the last command can make memory grow, beyond what those before it can.
func (f *forecast) growth() (bytes int64) {
	for i := range f.last {
		k := f.last[i].key
		if more := k.grows() - k.counted; more > 0 {
			k.counted += more
			bytes += more
		}
	}
	return bytes
}

// grows returns by how much the item may grow, also if another one has taken its place meanwhile to which as much is added.
func (k *forecastKey) grows() int64 {
	grows := k.memory() - k.had
	adds := int64(k.now.value - k.was.value)
	if k.now.deadline && !k.was.deadline {
		adds += deadlineGrowth
	}
	if k.adds && k.was.there && adds > 0 {
		return max(grows, adds+classStep(k.memory()))
	}
	return grows
}

// grown returns what all commands together store at most, and what that replaces; memory is that of all items before.
func (f *forecast) grown(memory int64) (g grown) {
	if f.flushed {
		g.had = memory
	}
	for _, k := range f.keys { // in any order: these are sums
		is := k.memory()
		switch {
		case !k.changed:
		case k.stored || is < k.had:
			g.need += is
			g.had += k.had
		default: // a deadline
			g.need += is - k.had
		}
	}
	return g
}

// memory is the most that the item of the key may count for.
func (k *forecastKey) memory() int64 {
	is := k.now.memory(k.size)
	if k.expired {
		return max(is, k.had)
	}
	return is
}
