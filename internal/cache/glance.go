package cache

import "math/rand/v2"

// Glance looks at a keyspace without freezing it, so it costs the writer nothing. It waits for nobody, sees half of a
// change of several keys that is under way, and is no use of the items. A key that is there throughout is seen. It is for
// one goroutine, and for a moment: what was changed since it was made it may see or not.
type Glance struct{ dir *directory }

// GlanceAt returns a look at what is there now. Any goroutine may call it.
func GlanceAt(k *Keyspace) Glance { return Glance{k.dir.Load()} }

// Has reports whether there is an item of key that is visible at the time now (Unix milliseconds).
func (g Glance) Has(key []byte, now int64) bool {
	return !g.dir.find(hashKey(key), key).hidden(now)
}

// randomTries is how many slots Random looks at before it walks. Tables are hardly ever less than an eighth full; in such
// ones it finds no key once in 5,000 times.
const randomTries = 64

// Random returns any key that is visible at the time now; false: there is none. All have about the same chance. It takes
// constant time, unless nearly all items are past their deadline. The key must not be modified, and keeps what lies
// beside it in memory.
func (g Glance) Random(now int64) (key []byte, ok bool) {
	for range randomTries {
		t := g.dir.table(rand.Uint64())
		r := t.groups[rand.IntN(len(t.groups))].slots[rand.IntN(groupSlots)].Load()
		if !r.hidden(now) {
			return r.key(), true
		}
	}
	// From a table of chance on, so that the first visible one is not always the same.
	from := rand.IntN(len(g.dir.tables))
	for i := range g.dir.tables {
		t := g.dir.tables[(from+i)%len(g.dir.tables)].Load()
		t.each(func(r *record) bool {
			if !r.hidden(now) {
				key, ok = r.key(), true
			}
			return !ok
		})
		if ok {
			return key, true
		}
	}
	return nil, false
}
