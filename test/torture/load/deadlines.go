package load

import (
	"fmt"
	"slices"
	"time"

	"ciderd/test/torture/judge"
	"ciderd/test/torture/rig"
)

// deadlineClient sets keys that live for a moment, an hour or days, and reads those of all clients
// on its own node.
type deadlineClient struct {
	id, seq int
	wrote   int64 // when its last SET that was OK began
	known   map[*judge.DeadlineKey]*known
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
		w.known = map[*judge.DeadlineKey]*known{}
	}
	if c.random.IntN(4) == 0 {
		return w.set(c)
	}
	k := c.load.Deadlines.Pick(c.random)
	if k == nil {
		return w.set(c)
	}
	reply, start, end, err := c.do("GETV " + k.Key)
	if err != nil {
		return err
	}
	left, err := judge.TTLLeft(reply)
	if err != nil {
		c.wrong("GETV %s: %v", k.Key, err)
		return nil
	}
	w.look(c, judge.Reading{DeadlineKey: k, Node: c.node.Name, Start: start, End: end, Left: left})
	return nil
}

func (w *deadlineClient) set(c *client) error {
	w.seq++
	ttl := time.Duration(300+c.random.IntN(2700)) * time.Millisecond
	if long := []time.Duration{time.Hour, 240 * time.Hour}; c.random.IntN(3) == 0 {
		ttl = long[c.random.IntN(len(long))]
	}
	k := &judge.DeadlineKey{Key: fmt.Sprintf("%s%d:%d", judge.DeadlinePrefix, w.id, w.seq), TTL: ttl}
	_, start, end, err := c.do(fmt.Sprintf("SET %s \"v\" EX %dms", k.Key, ttl.Milliseconds()))
	if err == nil {
		k.Start, k.End = start, end
		w.wrote = start
		w.known[k] = &known{start: c.start, left: ttl + time.Second, everSeen: true}
		c.load.Deadlines.Add(k)
	}
	return err
}

// look compares with what this node has said before, and keeps the reading for the end.
func (w *deadlineClient) look(c *client, r judge.Reading) {
	k := w.known[r.DeadlineKey]
	if k == nil {
		k = &known{}
		w.known[r.DeadlineKey] = k
	}
	same := k.start == c.start
	switch {
	case r.Left == 0 && !k.everSeen:
		return // another node's write, which has not come here yet
	case r.Left == 0 && !k.gone:
		k.gone, k.goneAt = true, r.End
	case r.Left > 0 && k.gone && (same || w.wrote > k.goneAt+buriedAfter):
		c.wrong("%s was gone and is there again, with %v left", r.Key, r.Left)
	case r.Left > k.left && k.everSeen && same:
		c.wrong("%s had %v left and has %v now", r.Key, k.left, r.Left)
	}
	k.everSeen = k.everSeen || r.Left > 0
	k.start, k.left = c.start, r.Left
	c.load.Deadlines.Note(r)
}

// ReadDeadlines reads every key on every node, behind a SYNC.
func (l *Load) ReadDeadlines() error {
	for _, n := range l.nodes {
		if err := l.readDeadlinesOn(n); err != nil {
			return judge.Violationf("%s: %v", n.Name, err)
		}
	}
	return nil
}

func (l *Load) readDeadlinesOn(n *rig.Node) error {
	c, err := n.Dial(l.User)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	if _, err := c.Do("SYNC"); err != nil {
		return err
	}
	for keys := range slices.Chunk(l.Deadlines.Keys, rig.PageKeys) {
		lines := make([]string, len(keys))
		for i, k := range keys {
			lines[i] = "GETV " + k.Key
		}
		start := l.Now()
		replies, err := c.Pipeline(lines...)
		if err != nil {
			return err
		}
		for i, reply := range replies {
			left, err := judge.TTLLeft(reply)
			if err != nil {
				return err
			}
			l.Deadlines.Note(judge.Reading{DeadlineKey: keys[i], Node: n.Name, Start: start, End: l.Now(), Left: left})
		}
	}
	return nil
}
