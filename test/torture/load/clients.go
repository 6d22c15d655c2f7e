package load

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"ciderd/test/harness"
	"ciderd/test/torture/judge"
)

// kinds is every kind of client; each node gets one of each, with the given client id.
var kinds = []func(id int) worker{
	func(id int) worker { return &registerClient{id: id} },
	func(id int) worker { return &registerClient{id: id} },
	func(id int) worker { return &casClient{id: id} },
	func(id int) worker { return &setClient{SetRecord: judge.SetRecord{Id: id}} },
	func(id int) worker { return &incrClient{} },
	func(id int) worker { return &onceClient{id: id} },
	func(id int) worker { return &appendClient{LogRecord: judge.LogRecord{Id: id}} },
	func(id int) worker { return &pairClient{id: id} },
	func(id int) worker { return &expiryClient{id: id} },
	func(id int) worker { return &deadlineClient{id: id} },
	func(id int) worker { return &watcher{} },
	func(id int) worker { return &transactionClient{transactions: transactions{id: id}} },
	func(id int) worker { return &scriptClient{transactions: transactions{id: id}} },
	func(id int) worker { return &redisOnceClient{onceClient{id: id}} },
}

// registerClient writes a few shared keys, each value once, and reads them behind a SYNC.
type registerClient struct {
	id, seq int
	ops     []judge.RegisterOp
}

func (w *registerClient) step(c *client) error {
	w.seq++
	key := fmt.Sprintf("reg:%d", c.random.IntN(judge.RegisterKeys))
	if c.random.IntN(2) == 0 {
		o := judge.RegisterOp{Client: w.id, Key: key, Write: true, Value: fmt.Sprintf("%d.%d", w.id, w.seq)}
		_, start, end, err := c.do("SET " + key + " " + o.Value)
		switch harness.OutcomeOf(err) {
		case harness.Done:
			o.Start, o.End = start, end
			w.ops = append(w.ops, o)
		case harness.Unknown:
			o.Start, o.End = start, math.MaxInt64
			w.ops = append(w.ops, o)
		}
		return err
	}
	replies, start, end, err := c.burst("SYNC", "GET "+key)
	if err == nil {
		w.ops = append(w.ops, judge.RegisterOp{Client: w.id, Key: key, Value: replies[1], Start: start, End: end})
	}
	return err
}

// casClient reads a shared key behind a SYNC and replaces it by CAS if nobody else has.
type casClient struct {
	id, seq int
	ops     []judge.CasOp
}

func (w *casClient) step(c *client) error {
	w.seq++
	key := fmt.Sprintf("cas:%d", c.random.IntN(judge.CasKeys))
	replies, start, end, err := c.burst("SYNC", "GETV "+key)
	if err != nil {
		return err
	}
	o := judge.CasOp{Client: w.id, Key: key, Start: start, End: end}
	fields := strings.SplitN(replies[1], " ", 4)
	value := fmt.Sprintf("%d.%d", w.id, w.seq)
	var line string
	switch {
	case replies[1] == "NOT_FOUND":
		line = "SETNX " + key + " " + value
	case len(fields) == 4 && fields[0] == "VALUE":
		o.New, o.Version = fields[3], fields[1]
		line = "CAS " + key + " " + fields[1] + " " + value
	default:
		c.wrong("GETV %s: %q", key, replies[1])
		return nil
	}
	w.ops = append(w.ops, o)
	seen := o.New
	reply, start, end, err := c.do(line)
	o = judge.CasOp{Client: w.id, Key: key, Swap: true, Old: seen, New: value, Start: start, End: end}
	switch {
	case harness.OutcomeOf(err) == harness.Unknown:
		o.Unknown, o.End = true, math.MaxInt64
	case err != nil:
		return err
	case reply == "OK":
		o.Ok = true
	case reply == "EXISTS", strings.HasPrefix(reply, "CONFLICT "):
	default:
		c.wrong("%s: %q", line, reply)
		return nil
	}
	w.ops = append(w.ops, o)
	return err
}

// setClient sets a new key each time, and looks now and then whether its last ones are there: on
// the node that said OK they are, also after its restart.
type setClient struct {
	judge.SetRecord
	seq int
}

func (w *setClient) step(c *client) error {
	w.seq++
	_, _, _, err := c.do("SET " + w.Key(w.seq) + " " + strconv.Itoa(w.seq))
	switch harness.OutcomeOf(err) {
	case harness.Done:
		w.Acked = append(w.Acked, w.seq)
	case harness.Unknown:
		w.Unknown = append(w.Unknown, w.seq)
	}
	if err != nil || len(w.Acked) == 0 {
		return err
	}
	seq := w.Acked[len(w.Acked)-1-c.random.IntN(min(len(w.Acked), 50))]
	reply, _, _, err := c.do("GET " + w.Key(seq))
	if err == nil && reply != strconv.Itoa(seq) {
		c.wrong("%s was OK here and is now %q", w.Key(seq), reply)
	}
	return err
}

// incrClient counts on one counter of all; each reply is a number that nobody else got.
type incrClient struct{ judge.CountRecord }

func (w *incrClient) step(c *client) error {
	reply, _, _, err := c.do("INCR " + judge.SharedCounter)
	switch harness.OutcomeOf(err) {
	case harness.Done:
		n, bad := strconv.ParseInt(reply, 10, 64)
		if bad != nil {
			c.wrong("INCR: %q", reply)
		}
		w.Replies = append(w.Replies, n)
	case harness.Unknown:
		w.Unknown++
	}
	return err
}

// onceClient counts with ONCE, on any node, and asks again with the same id until it knows.
type onceClient struct {
	judge.OnceRecord
	id, seq int
}

func (w *onceClient) step(c *client) error {
	reply, _, _, err := c.do(fmt.Sprintf("ONCE %s INCR %s", w.name(), judge.OnceCounter))
	w.answered(c, reply, err)
	return err
}

// name is the id of what it sends: the last one, until that is answered.
func (w *onceClient) name() string {
	if !w.Pending {
		w.seq++
		w.Pending = true
	}
	return fmt.Sprintf("%d.%d", w.id, w.seq)
}

// answered notes a reply, and moves on where there is none.
func (w *onceClient) answered(c *client, reply string, err error) {
	if err == nil {
		n, bad := strconv.ParseInt(reply, 10, 64)
		if bad != nil {
			c.wrong("ONCE: %q", reply)
		}
		w.Replies = append(w.Replies, n)
		w.Pending = false
	}
	if err != nil || c.random.IntN(50) == 0 {
		w.move(c)
	}
}

// move goes to another node for the next try, and on until one takes it.
func (w *onceClient) move(c *client) {
	c.hangUp()
	here := slices.Index(c.load.nodes, c.node)
	c.node = c.load.nodes[(here+1+c.random.IntN(len(c.load.nodes)-1))%len(c.load.nodes)]
	c.wait(20 * time.Millisecond)
	for !c.connected() {
		select {
		case <-c.load.stopped:
			return
		default:
		}
		if !c.connect() {
			c.node = c.load.nodes[c.random.IntN(len(c.load.nodes))]
		}
	}
}

// logTokens is after how many tokens a client turns to the next log: values are bounded.
const logTokens = 1000

// appendClient appends its tokens to logs that all clients share.
type appendClient struct {
	judge.LogRecord
	seq int
}

func logKey(seq int) string { return fmt.Sprintf("log:%d", seq/logTokens) }

func (w *appendClient) step(c *client) error {
	w.seq++
	_, _, _, err := c.do("APPEND " + logKey(w.seq) + " " + w.Token(w.seq))
	switch harness.OutcomeOf(err) {
	case harness.Done:
		w.Acked = append(w.Acked, w.seq)
	case harness.Unknown:
		w.Unknown = append(w.Unknown, w.seq)
	}
	return err
}

// pairClient writes two keys by one MSET and reads both by one MGET: they are always alike.
type pairClient struct{ id, seq int }

func (w *pairClient) step(c *client) error {
	w.seq++
	value := fmt.Sprintf("%d.%d", w.id, w.seq)
	if _, _, _, err := c.do("MSET pair:a " + value + " pair:b " + value); err != nil {
		return err
	}
	start := c.load.Now()
	lines, _, err := c.conn.Page("MGET pair:a pair:b")
	c.note("MGET pair:a pair:b", start, c.load.Now(), strings.Join(lines, " "), err)
	if err == nil && (len(lines) != 2 || lines[0] != lines[1]) {
		c.wrong("MGET of two keys that are always set together: %q", lines)
	}
	return err
}

// expiryClient sets keys that live for a moment, each only if it is not there: whether it was there
// depends on the log's time, and shows in the versions of all that is written later.
type expiryClient struct{ id, seq int }

const expiryKeys = 3

func (w *expiryClient) step(c *client) error {
	w.seq++
	key := fmt.Sprintf("ttl:%d", c.random.IntN(expiryKeys))
	reply, _, _, err := c.do(fmt.Sprintf("SET %s \"%d.%d\" EX %dms NX", key, w.id, w.seq, 10+c.random.IntN(190)))
	if err == nil && reply != "OK" && reply != "EXISTS" {
		c.wrong("SET … NX: %q", reply)
	}
	return err
}

// watcher sees that what a node answers never goes back, over its restarts too.
type watcher struct{ seen int64 }

func (w *watcher) step(c *client) error {
	reply, _, _, err := c.do("GET " + judge.SharedCounter)
	if err != nil {
		return err
	}
	n, bad := strconv.ParseInt(reply, 10, 64)
	switch {
	case reply == "NOT_FOUND" && w.seen == 0:
	case bad != nil || n < w.seen:
		c.wrong("%s was %d and then %q", judge.SharedCounter, w.seen, reply)
	default:
		w.seen = n
	}
	return nil
}
