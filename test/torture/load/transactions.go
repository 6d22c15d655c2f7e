package load

import (
	"strconv"

	"ciderd/test/torture/judge"
	"ciderd/test/torture/rig"
)

// transactionClient does to shared keys what programs do with Redis: single commands that tell what there was, transactions
// of several with reads among them, and counting by WATCH.
type transactionClient struct{ transactions }

func (w *transactionClient) step(c *client) error {
	group := judge.MixedGroup(c.random.IntN(judge.MixedGroups))
	switch c.random.IntN(3) {
	case 0:
		t, q := w.draw(c, group)
		return w.finish(c, judge.Transaction{Group: group, Steps: []judge.Step{t}}, single, q)
	case 1:
		return w.several(c, group)
	}
	return w.compare(c, group)
}

// draw is one command about a key of the group.
func (w *transactionClient) draw(c *client, group string) (judge.Step, rig.Request) {
	passing, lasting := judge.GroupKey(group, judge.Passing), judge.GroupKey(group, judge.Lasting)
	value := w.value()
	switch c.random.IntN(5) {
	case 0:
		return judge.Step{Do: "swap", Key: judge.Passing, Arg: value}, rig.Request{"SET", passing, value, "GET"}
	case 1:
		return judge.Step{Do: "take", Key: judge.Passing}, rig.Request{"GETDEL", passing}
	case 2:
		return judge.Step{Do: "swap", Key: judge.Lasting, Arg: value}, rig.Request{"GETSET", lasting, value}
	case 3:
		return judge.Step{Do: "set", Key: judge.Lasting, Arg: value}, rig.Request{"SET", lasting, value}
	}
	return judge.Step{Do: "add", Key: judge.Counter, Arg: "1"}, rig.Request{"INCR", judge.GroupKey(group, judge.Counter)}
}

// several does up to four commands by one MULTI, with a read of each key before and after them.
func (w *transactionClient) several(c *client, group string) error {
	t := judge.Transaction{Group: group}
	requests := []rig.Request{{"MULTI"}}
	reads := func() {
		for key := range judge.GroupKeys {
			t.Steps = append(t.Steps, judge.Step{Do: "get", Key: key})
			requests = append(requests, rig.Request{"GET", judge.GroupKey(group, key)})
		}
	}
	reads()
	for range c.random.IntN(5) {
		step, q := w.draw(c, group)
		t.Steps = append(t.Steps, step)
		requests = append(requests, q)
	}
	reads()
	return w.finish(c, t, each, append(requests, rig.Request{"EXEC"})...)
}

// compare counts as programs do that have no INCR: it watches, reads, and sets one more.
func (w *transactionClient) compare(c *client, group string) error {
	counter := judge.GroupKey(group, judge.Counter)
	// What it reads before and after WATCH is the same only if that has noted the version of it.
	before, _, _, err := c.redisDo(rig.Request{"GET", counter})
	if err != nil {
		return err
	}
	after, _, _, err := c.redisDo(rig.Request{"WATCH", counter}, rig.Request{"GET", counter})
	if err != nil || after.Text != before.Text {
		c.hangUp() // what is watched goes with the connection
		return nil
	}
	n, err := strconv.ParseInt(after.Text, 10, 64)
	if err != nil && after.Text != judge.Nothing {
		c.wrong("%s is %q", counter, after.Text)
	}
	next := strconv.FormatInt(n+1, 10)
	t := judge.Transaction{Group: group, Watched: true, WatchedKey: judge.Counter, Seen: after.Text, Steps: []judge.Step{
		{Do: "set", Key: judge.Counter, Arg: next}, {Do: "get", Key: judge.Lasting},
	}}
	err = w.finish(c, t, each, rig.Request{"MULTI"}, rig.Request{"SET", counter, next},
		rig.Request{"GET", judge.GroupKey(group, judge.Lasting)}, rig.Request{"EXEC"})
	if err != nil {
		c.hangUp()
	}
	return err
}
