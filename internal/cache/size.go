package cache

import (
	"math/bits"
	"sync/atomic"
)

// ItemOverhead is what Bytes counts for each item in addition to its key and value, in bytes. What an item really
// takes is what Memory counts.
const ItemOverhead = 32

// What Memory counts beside an item's record, in bytes: its slot in a table that is filled as tables are on average,
// and its place in the deadline index.
const (
	slotMemory     = 20
	deadlineMemory = 28
)

// MemoryOf returns what an item with a key and a value of these lengths in bytes counts for in Memory: about what it
// takes in a process. Replicas compare and agree on sums of it, so it must not change with the release, the version
// of Go or the machine.
func MemoryOf(key, value int, deadline bool) int64 {
	n, more := headSize+key+value, 0
	if deadline {
		n, more = n+deadlineSize, deadlineMemory
	}
	return int64(class(n) + slotMemory + more)
}

// MaxClassStep is the most that MemoryOf counts for bytes that an item does not have.
const MaxClassStep = 8 << 10

// class returns about what the allocator takes for n bytes, at least 14. It is written as a formula because the
// runtime's own sizes are not a promise.
func class(n int) int {
	switch {
	case n <= 128:
		return roundUp(n, 16)
	case n <= 32<<10:
		return roundUp(n, 1<<(bits.Len(uint(n-1))-1)/8)
	}
	return roundUp(n, MaxClassStep)
}

func roundUp(n, to int) int { return (n + to - 1) / to * to }

// A size is a number of items and what they count for.
type size struct{ items, bytes, memory int64 }

// size is what the item counts for; nil: nothing.
func (r *record) size() size {
	if r == nil {
		return size{}
	}
	key, value, deadline := r.layout()
	return size{1, int64(ItemOverhead + key + value), MemoryOf(key, value, deadline != 0)}
}

func (s size) minus(t size) size {
	return size{s.items - t.items, s.bytes - t.bytes, s.memory - t.memory}
}

// counts is a size that one writer changes and anybody reads. Each number is right by itself.
type counts struct{ items, bytes, memory atomic.Int64 }

func (c *counts) add(s size) {
	if s.items != 0 {
		c.items.Add(s.items)
	}
	if s.bytes != 0 {
		c.bytes.Add(s.bytes)
	}
	if s.memory != 0 {
		c.memory.Add(s.memory)
	}
}

func (c *counts) load() size { return size{c.items.Load(), c.bytes.Load(), c.memory.Load()} }

func (c *counts) store(s size) {
	c.items.Store(s.items)
	c.bytes.Store(s.bytes)
	c.memory.Store(s.memory)
}
