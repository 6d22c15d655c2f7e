package torture

import (
	"fmt"
	"time"
)

// deadlineClient sets keys that live for a moment, an hour or days, and reads those of all clients
// on its own node.
type deadlineClient struct {
	id, seq int
	wrote   int64 // when its last SET that was OK began
	known   map[*deadlineKey]*known
}

// known is what its node has said of a key.
type known struct {
	start    int64         // of the process that said it last
	left     time.Duration // what it said
	gone     bool
	goneAt   int64
	everSeen bool // it was there
}

// buriedAfter is how long after a key was seen gone a write must begin whose OK says that the log
// has gone past its deadline: no restart brings it back.
const buriedAfter = int64(2 * time.Second)

func (w *deadlineClient) step(c *client) error {
	if w.known == nil {
		w.known = map[*deadlineKey]*known{}
	}
	if c.random.IntN(4) == 0 {
		return w.set(c)
	}
	k := c.load.deadlines.pick(c)
	if k == nil {
		return w.set(c)
	}
	reply, start, end, err := c.do("GETV " + k.key)
	if err != nil {
		return err
	}
	left, err := ttlLeft(reply)
	if err != nil {
		c.wrong("GETV %s: %v", k.key, err)
		return nil
	}
	w.look(c, reading{k, c.node, start, end, left})
	return nil
}

func (w *deadlineClient) set(c *client) error {
	w.seq++
	ttl := time.Duration(300+c.random.IntN(2700)) * time.Millisecond
	if long := []time.Duration{time.Hour, 240 * time.Hour}; c.random.IntN(3) == 0 {
		ttl = long[c.random.IntN(len(long))]
	}
	k := &deadlineKey{key: fmt.Sprintf("%s%d:%d", deadlinePrefix, w.id, w.seq), ttl: ttl}
	_, start, end, err := c.do(fmt.Sprintf("SET %s \"v\" EX %dms", k.key, ttl.Milliseconds()))
	if err == nil {
		k.start, k.end = start, end
		w.wrote = start
		w.known[k] = &known{start: c.start, left: ttl + time.Second, everSeen: true}
		c.load.deadlines.add(k)
	}
	return err
}

// look compares with what this node has said before, and keeps the reading for the end.
func (w *deadlineClient) look(c *client, r reading) {
	k := w.known[r.deadlineKey]
	if k == nil {
		k = &known{}
		w.known[r.deadlineKey] = k
	}
	same := k.start == c.start
	switch {
	case r.left == 0 && !k.everSeen:
		return // another node's write, which has not come here yet
	case r.left == 0 && !k.gone:
		k.gone, k.goneAt = true, r.end
	case r.left > 0 && k.gone && (same || w.wrote > k.goneAt+buriedAfter):
		c.wrong("%s was gone and is there again, with %v left", r.key, r.left)
	case r.left > k.left && k.everSeen && same:
		c.wrong("%s had %v left and has %v now", r.key, k.left, r.left)
	}
	k.everSeen = k.everSeen || r.left > 0
	k.start, k.left = c.start, r.left
	c.load.deadlines.note(r)
}
