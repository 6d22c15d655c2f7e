package fsm

import (
	"strconv"

	"ciderd/internal/cache"
)

// extent is the most that the item of a key can be.
type extent struct {
	there    bool
	deadline bool // it may have one
	value    int  // bytes
	number   figure
}

func extentOf(item cache.Item, there bool) extent {
	if !there {
		return extent{}
	}
	return valueExtent(item.Value, item.Deadline != 0)
}

func valueExtent(value []byte, deadline bool) extent {
	return extent{there: true, deadline: deadline, value: len(value), number: figureOf(value)}
}

func (e extent) memory(key int) int64 {
	if !e.there {
		return 0
	}
	return cache.MemoryOf(key, e.value, e.deadline)
}

// or is the most of both.
func (e extent) or(o extent) extent {
	return extent{e.there || o.there, e.deadline || o.deadline, max(e.value, o.value), e.number.or(o.number)}
}

// computed returns what an operation stores that computes the value from the one that is there.
func computed(e extent, c *Command) (_ extent, stores bool) {
	e.there = true
	switch c.Op {
	case OpIncr:
		var b [maxInteger]byte
		longest := max(min(e.value, maxInteger), len(strconv.AppendInt(b[:0], c.N, 10)))
		e.value = min(longest+1, maxInteger)
		e.number = figure{power(e.value), e.value}
	case OpIncrFloat:
		more := figureOf(c.Value)
		if more.digits == 0 {
			return e, false
		}
		e.number, e.value = e.number.sum(more)
	case OpAppend:
		e.value = min(e.value+len(c.Value), maxValue)
		e.number = anyNumber
	case OpSetRange:
		if len(c.Value) == 0 || c.N < 0 || c.N > int64(maxValue-len(c.Value)) {
			return e, false
		}
		e.value = max(e.value, int(c.N)+len(c.Value))
		e.number = anyNumber
	}
	return e, true
}
