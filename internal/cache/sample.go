package cache

import "math/rand/v2"

// Sample returns a copy of a key that is visible at the time now (Unix milliseconds), any of them: it looks at the
// keys from a random place on. false: there is none. It waits for nothing; within a cut it sees half of one. Any
// goroutine may call it.
func (c *content) Sample(now int64) (key []byte, ok bool) {
	at, wrapped := Cursor(rand.Uint64()), false
	for {
		g, next := c.group(at)
		if r := g.any(now); r != nil {
			return append([]byte(nil), r.key()...), true
		}
		if next == 0 && wrapped {
			return nil, false
		}
		at, wrapped = next, wrapped || next == 0
	}
}

// any returns a random one of the group's records that are visible, nil if there is none.
func (g *group) any(now int64) *record {
	first := rand.IntN(len(g.slots))
	for i := range g.slots {
		if r := g.slots[(first+i)%len(g.slots)].Load(); r != nil && !r.hidden(now) {
			return r
		}
	}
	return nil
}
