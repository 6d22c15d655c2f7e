package cache

import "math/bits"

// WarmAtOnce is the most keys that Warm takes: what it touches for them fits a processor's L1 cache.
const WarmAtOnce = 32

// warmUpto is how many bytes of a record are looked at: two lines of the caches.
const warmUpto = 128

// Warm brings into the processor's caches what reads and changes of the first WarmAtOnce keys are about to look at,
// and changes nothing. Each of those waits for memory three times or four, one address after the other. Here the keys'
// addresses do not depend on each other, so the processor waits for many at a time. With 100,000 keys and three
// nodes on two cores this raised a pipelined load's SETs 1.2 times on the leader and 1.35 times on a follower. The
// result only keeps the compiler from omitting the last step. Any goroutine may call it.
func (k *Keyspace) Warm(keys [][]byte) (touched int) {
	keys = keys[:min(len(keys), WarmAtOnce)]
	var tables [WarmAtOnce]*table
	var hashes, ctrls [WarmAtOnce]uint64
	d := k.dir.Load()
	for i, key := range keys {
		hashes[i] = hashKey(key)
		tables[i] = d.table(hashes[i])
	}
	for i := range keys {
		ctrls[i] = tables[i].groups[tables[i].home(hashes[i])].ctrl.Load()
	}
	var records [WarmAtOnce]*record
	for i := range keys {
		h, t := hashes[i], tables[i]
		slot := bits.TrailingZeros64(matches(ctrls[i], ctrlFor(h))) / 8 % groupSlots // any, if there is none
		if records[i] = t.groups[t.home(h)].slots[slot].Load(); records[i] != nil {
			touched += int(records[i].head[0])
		}
	}
	for i := range keys { // its end may be in another line
		if r := records[i]; r != nil {
			b := r.bytes()
			touched += int(b[min(len(b), warmUpto)-1])
		}
	}
	return touched
}
