package load

import (
	"context"
	"fmt"
	"time"

	"ciderd/test/harness"
	"ciderd/test/torture/judge"
	"ciderd/test/torture/rig"
)

// floodClient stores new keys, more than there is memory for, and reads and deletes some of its own. It belongs to a user
// of its own, so that it takes the memory of others if that can be done.
type floodClient struct {
	judge.FloodRecord
	seqs []int // that were OK and that it has not deleted
}

// While it fills the memory it sends large bursts; then it keeps a little going.
const (
	floodBurst, floodSteady = 64, 2
	floodRest               = 20 * time.Millisecond
	// floodLeave is how many it deletes where nothing is evicted, and so there is no more room.
	floodLeave = 40
)

func (w *floodClient) step(c *client) error {
	burst := floodSteady
	if !c.load.full.Load() {
		burst = floodBurst
	} else {
		c.wait(floodRest)
	}
	full, err := w.store(c, burst)
	if err == nil && len(w.seqs) > 0 {
		err = w.look(c)
	}
	if err == nil && full || c.random.IntN(20) == 0 {
		err = w.leave(c, full)
	}
	return err
}

// store stores new keys, and reports whether one was refused for want of memory.
func (w *floodClient) store(c *client, count int) (full bool, err error) {
	var lines []string
	first := w.Last + 1
	for range count {
		w.Last++
		key := w.Key(w.Last)
		lines = append(lines, "SET "+key+" "+judge.FloodValue(key))
	}
	return full, c.each(lines, func(i int, line, _ string, err error) {
		switch harness.OutcomeOf(err) {
		case harness.Done:
			w.Acked++
			w.seqs = append(w.seqs, first+i)
			c.load.flooded.Add(int64(len(line)))
		case harness.Unknown:
			w.Unknown++
		}
		full = full || harness.Code(err) == "MEMORY_FULL"
	})
}

// look reads one of its last keys: it may be gone only where something is evicted.
func (w *floodClient) look(c *client) error {
	key := w.Key(w.seqs[len(w.seqs)-1-c.random.IntN(min(len(w.seqs), 500))])
	return c.each([]string{"GET " + key}, func(_ int, line, reply string, err error) {
		if err == nil && reply != judge.FloodValue(key) && (reply != "NOT_FOUND" || c.load.flood.Reject) {
			c.wrong("%s: %.60q", line, reply)
		}
	})
}

// leave deletes one of its oldest keys, or many.
func (w *floodClient) leave(c *client, many bool) error {
	count := min(1, len(w.seqs))
	if many {
		count = min(floodLeave, len(w.seqs))
	}
	var lines []string
	for _, seq := range w.seqs[:count] {
		lines = append(lines, "DELETE "+w.Key(seq))
	}
	w.seqs = w.seqs[count:]
	return c.each(lines, func(_ int, line, reply string, err error) {
		switch harness.OutcomeOf(err) {
		case harness.Done:
			if reply == "OK" {
				w.Deleted++
			} else if c.load.flood.Reject {
				c.wrong("%s: %.60q", line, reply)
			}
		case harness.Unknown:
			w.UnknownDeleted++
		}
	})
}

// each sends lines at once and passes on what became of each. An error without a code is that of all that have none.
func (c *client) each(lines []string, fn func(i int, line, reply string, err error)) (broken error) {
	if len(lines) == 0 {
		return nil
	}
	start := c.load.Now()
	replies, err := c.conn.Pipeline(lines...)
	end := c.load.Now()
	for i, line := range lines {
		reply, e := "", err
		if i < len(replies) {
			reply, e = replies[i], rig.AsError(replies[i])
		}
		c.note(fmt.Sprintf("%.40s", line), start, end, fmt.Sprintf("%.40s", reply), e)
		fn(i, line, reply, e)
	}
	return err
}

// Fill waits until a flood has stored so many bytes in all. Without a flood it returns at once.
func (l *Load) Fill(ctx context.Context, bytes int64) error {
	if l.flood.User == "" {
		return nil
	}
	defer l.full.Store(true)
	return rig.Until(ctx, rig.HealLimit, "the memory is full", func() error {
		if n := l.flooded.Load(); n < bytes {
			return fmt.Errorf("%d of %d bytes", n, bytes)
		}
		return nil
	})
}
