package load

import (
	"fmt"
	"math"
	"strings"

	"ciderd/test/harness"
	"ciderd/test/torture/judge"
	"ciderd/test/torture/rig"
)

// A redisWorker speaks Redis' protocol.
type redisWorker interface{ speaksRedis() }

// redisDo sends requests at once, and gives the last one's answer and when that was. What was refused before it is the
// error then, as the last one was refused for that.
func (c *client) redisDo(requests ...rig.Request) (last rig.Answer, start, end int64, err error) {
	start = c.load.Now()
	answers, err := c.redis.Pipeline(requests...)
	end = c.load.Now()
	for i := 0; err == nil && i < len(answers); i++ {
		last = answers[i]
		err = last.Err
	}
	texts := make([]string, len(requests))
	for i, q := range requests {
		texts[i] = q.String()
	}
	c.noteRedis(strings.Join(texts, "; "), start, end, last.String(), err)
	return last, start, end, err
}

// noteRedis is note; that others were faster eight times is no fault of the node.
func (c *client) noteRedis(line string, start, end int64, reply string, err error) {
	line = "redis: " + line // it is none of the lines whose OKs count for gaps
	if harness.Code(err) == rig.CodeConflicts {
		c.load.count(err)
		c.load.record(op{Client: c.id, Node: c.node.Name, Line: line, Start: start, End: end, Error: err.Error()})
		return
	}
	c.note(line, start, end, reply, err)
}

// transactions is what a client of Redis is told of what it does to groups of keys.
type transactions struct {
	id, seq int
	told    []judge.Transaction
}

func (*transactions) speaksRedis() {}

// value is one that nobody has stored before.
func (w *transactions) value() string {
	w.seq++
	return fmt.Sprintf("%d.%d", w.id, w.seq)
}

// finish does a transaction by one burst of requests, of which the last tells all its replies. read has these of the
// answer, nil where it is not of that kind.
func (w *transactions) finish(c *client, t judge.Transaction, read func(rig.Answer) []string, requests ...rig.Request) error {
	answer, start, end, err := c.redisDo(requests...)
	t.Client, t.Start, t.End = w.id, start, end
	switch harness.OutcomeOf(err) {
	case harness.NotDone:
		return err
	case harness.Unknown:
		t.End = math.MaxInt64
	default:
		if t.Failed = t.Watched && answer.Text == judge.Nothing; t.Failed {
			break
		}
		if t.Replies = read(answer); len(t.Replies) != len(t.Steps) {
			c.wrong("%v is answered %s", requests, answer)
			return nil
		}
	}
	w.told = append(w.told, t)
	return err
}

// single has the reply to the one step there is.
func single(a rig.Answer) []string {
	if a.List != nil {
		return nil
	}
	return []string{a.Text}
}

// each has the replies of a list, and of the lists in it.
func each(a rig.Answer) (replies []string) {
	if a.List == nil {
		return single(a)
	}
	for _, one := range a.List {
		if one.Err != nil {
			return nil // nothing that is sent here has an error of its own
		}
		replies = append(replies, each(one)...)
	}
	return replies
}

// redisOnceClient is onceClient by CIDERD.ONCE, of the same counter. Now and then it asks again for what it has been told.
type redisOnceClient struct{ onceClient }

func (*redisOnceClient) speaksRedis() {}

func (w *redisOnceClient) step(c *client) error {
	q := rig.Request{"CIDERD.ONCE", w.name(), "INCR", judge.OnceCounter}
	answer, _, _, err := c.redisDo(q)
	if err == nil && c.random.IntN(10) == 0 {
		again, _, _, err := c.redisDo(q)
		if err == nil && again.Text != answer.Text {
			c.wrong("%v is answered %s and then %s", q, answer, again)
		}
		if err != nil {
			c.hangUp()
		}
	}
	w.answered(c, answer.Text, err)
	return err
}
