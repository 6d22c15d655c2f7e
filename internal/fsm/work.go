package fsm

import "ciderd/internal/cache"

// viewWork is what a view costs: copies of the keyspace's directory, and of some tables.
const viewWork = 64 << 10

// Work returns about how many bytes of stored values the command makes every node copy, beside its own. value returns
// what a key has as far as the caller knows; nil: nothing.
func (c *Command) Work(value func(key []byte) []byte) int {
	f := newForecast(false, func(key []byte) found {
		v := value(key)
		return found{extent: extentOf(cache.Item{Value: v}, v != nil)}
	})
	return f.next(c)
}

// work is Work for a command that is no transaction. item returns what a key has at most.
func (c *Command) work(item func(key []byte) extent) int {
	switch c.Op {
	case OpExpire, OpPersist, OpAppend, OpDeadline, OpMove:
		return item(c.Key).value
	case OpGetExpire:
		if c.TTL != 0 || c.At != 0 || c.Flags&FlagPersist != 0 {
			return item(c.Key).value
		}
	case OpSetRange:
		if e, stores := computed(item(c.Key), c); stores {
			return e.value
		}
	case OpIncrFloat:
		return item(c.Key).number.or(figureOf(c.Value)).work()
	case OpView:
		return viewWork
	}
	return 0
}
