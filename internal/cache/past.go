package cache

import "runtime"

// past counts the items that are past their deadline and not yet removed, so that Count need not walk all of
// them each time: every entry of the deadline index is counted once, when time has passed it, and taken off
// when it goes. Keyspace.mu guards it.
type past struct {
	upto  due // all entries up to this one have been counted; no rec: none have
	count int // of them, those that are still there
}

// countAtOnce is how many items are counted while the writer waits: some tens of microseconds.
const countAtOnce = 512

// Count returns the number of items that are visible at the time now (Unix milliseconds), or at the latest time
// that it has been asked for. It takes time in proportion to the items whose deadline has passed since then, and
// holds up the writer for some tens of microseconds of it at a time.
func (k *Keyspace) Count(now int64) int {
	for {
		k.mu.Lock()
		more := k.past.count < k.timed() && k.countPast(now)
		n := k.Len() - k.past.count
		k.mu.Unlock()
		if !more {
			return n
		}
		runtime.Gosched()
	}
}

// timed is how many items have a deadline; mu is held.
func (k *Keyspace) timed() int {
	if k.deadlines == nil {
		return 0
	}
	return k.deadlines.Len()
}

// countPast counts on up to now, and reports whether there is more; mu is held.
func (k *Keyspace) countPast(now int64) (more bool) {
	var last due
	n := 0
	k.deadlines.AscendGreaterOrEqual(k.past.upto, func(d due) bool {
		switch {
		case d.at > now:
			return false
		case k.past.has(d):
			return true // upto itself
		case n == countAtOnce:
			more = true
			return false
		}
		last, n = d, n+1
		return true
	})
	if n > 0 {
		// A copy: upto must not keep a value alive that has been replaced.
		k.past.upto = due{last.at, newRecord(last.rec.key(), nil, 0, 0)}
		k.past.count += n
	}
	return more
}

// has reports whether d, if it is in the index, has been counted.
func (p *past) has(d due) bool { return p.upto.rec != nil && !dueLess(p.upto, d) }

// removed and added note that an entry has left or entered the index; mu is held.
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
