package cache

import "runtime"

// past counts the items that are past their deadline and not yet removed, so that Count need not walk all of them
// each time: every entry of the deadline index is counted once, when its time has passed, and subtracted when it
// leaves. It is a part of the index.
type past struct {
	upto  due // all entries up to this one have been counted; no rec: none have
	count int // of them, those that are still in the index
}

// countAtOnce is how many items are counted while the writer waits: some tens of microseconds.
const countAtOnce = 512

// countMost is how many items one call counts at most: some ten milliseconds. A variable for tests.
var countMost = 1 << 18

// Count returns the number of items that are visible at the time now (Unix milliseconds), or at the latest time of
// an earlier call. Its cost is proportional to the items whose deadline has passed since then, up to a quarter of a
// million of them: if there are more, which are about to be removed, the rest counts as visible until the next call. It
// holds up the writer for some tens of microseconds at a time.
func (k *Keyspace) Count(now int64) int {
	for counted := countAtOnce; ; counted += countAtOnce {
		k.mu.Lock()
		more := k.deadlines.countPast(now)
		n := k.Len() - k.deadlines.past.count
		k.mu.Unlock()
		if !more || counted >= countMost {
			return n
		}
		runtime.Gosched()
	}
}

// countPast counts on up to now, and reports whether there is more; Keyspace.mu is held.
func (x *deadlines) countPast(now int64) (more bool) {
	if x.past.count == x.len() {
		return false
	}
	var last due
	n := 0
	x.tree.AscendGreaterOrEqual(x.past.upto, func(d due) bool {
		switch {
		case d.at > now:
			return false
		case x.past.has(d):
			return true // upto itself
		case n == countAtOnce:
			more = true
			return false
		}
		last, n = d, n+1
		return true
	})
	if n > 0 {
		// A copy: upto must not keep a replaced value alive.
		x.past.upto = due{last.at, newRecord(last.rec.key(), nil, 0, 0)}
		x.past.count += n
	}
	return more
}

// has reports whether d, if it is in the index, has been counted.
func (p *past) has(d due) bool { return p.upto.rec != nil && !dueLess(p.upto, d) }

// removed and added note that an entry has left or entered the index; Keyspace.mu is held.
func (p *past) removed(d due) {
	if p.has(d) {
		p.count--
	}
}

func (p *past) added(d due) {
	if p.has(d) {
		p.count++
	}
}

// Deadlines returns the number of items that have a deadline, those past it and not yet removed included.
func (k *Keyspace) Deadlines() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.deadlines.len()
}
