package load

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"ciderd/test/harness"
	"ciderd/test/torture/judge"
	"ciderd/test/torture/rig"
)

// pace is about how long a client waits between two operations: histories stay short enough to be
// judged, and two cores have something left for what else goes on.
const pace = 6 * time.Millisecond

// An op is one line of the history.
type op struct {
	Client int
	Node   string
	Line   string
	Start  int64 // ns since the round's load began
	End    int64 // math.MaxInt64 while the outcome is not known
	Reply  string
	Error  string `json:",omitempty"`
}

// Flood says of a load whether some of its clients store more than there is memory for.
type Flood struct {
	User   string // of those clients; empty: there are none
	Reject bool   // what goes beyond the limit is refused; else something is evicted
}

// Load is all clients of one round. They belong to one user, who is made for it; those of a flood to another.
type Load struct {
	User    string
	flood   Flood
	flooded atomic.Int64 // bytes that a flood has stored
	full    atomic.Bool  // by now
	nodes   []*rig.Node
	clients []*client
	began   time.Time
	stop    context.CancelFunc
	stopped <-chan struct{}
	wg      sync.WaitGroup
	Bad     judge.Complaints // errors and replies that clients must not get

	Deadlines judge.Deadlines

	mu      sync.Mutex // history, errors, gaps
	errors  map[string]int
	Gaps    judge.Gaps
	history *bufio.Writer
	file    *os.File
	Ops     atomic.Int64
}

// Start starts the clients: on each node, one of each kind.
func Start(user string, flood Flood, nodes []*rig.Node, historyPath string, seed uint64) (*Load, error) {
	ctx, cancel := context.WithCancel(context.Background())
	l := &Load{User: user, flood: flood, nodes: nodes, began: time.Now(), stop: cancel, stopped: ctx.Done(), Gaps: judge.Gaps{}}
	var err error
	if l.file, err = os.Create(historyPath); err != nil {
		cancel()
		return nil, err
	}
	l.history = bufio.NewWriterSize(l.file, 1<<20)
	for _, n := range nodes {
		for _, work := range kinds {
			id := len(l.clients)
			c := &client{
				id: id, load: l, user: user, home: n, node: n, worker: work(id),
				random: rand.New(rand.NewPCG(seed, uint64(id))),
			}
			l.clients = append(l.clients, c)
		}
	}
	if flood.User != "" {
		l.addFlood(seed)
	}
	for _, c := range l.clients {
		l.wg.Go(c.run)
	}
	return l, nil
}

// addFlood makes one client of a flood on each node.
func (l *Load) addFlood(seed uint64) {
	for _, n := range l.nodes {
		id := len(l.clients)
		l.clients = append(l.clients, &client{
			id: id, load: l, user: l.flood.User, home: n, node: n,
			worker: &floodClient{FloodRecord: judge.FloodRecord{ID: id}}, random: rand.New(rand.NewPCG(seed, uint64(id))),
		})
	}
}

// Halt ends the clients and waits for their last replies.
func (l *Load) Halt() error {
	l.stop()
	l.wg.Wait()
	return errors.Join(l.history.Flush(), l.file.Close())
}

// Now is how long the load has gone on, in ns.
func (l *Load) Now() int64 { return int64(time.Since(l.began)) }

func (l *Load) record(o op) {
	l.Ops.Add(1)
	line, err := json.Marshal(o)
	if err == nil {
		l.mu.Lock()
		_, err = l.history.Write(append(line, '\n'))
		if o.Error == "" {
			l.Gaps.Add(o.Node, o.Line, o.End)
		}
		l.mu.Unlock()
	}
	if err != nil {
		l.Bad.Add(fmt.Errorf("writing the history: %w", err))
	}
}

// count counts errors by their code, for people to read.
func (l *Load) count(err error) {
	code := harness.Code(err)
	if code == "" {
		code = "cut"
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.errors == nil {
		l.errors = map[string]int{}
	}
	l.errors[code]++
}

// Seen lists how often clients saw which error.
func (l *Load) Seen() string {
	var b strings.Builder
	for _, code := range slices.Sorted(maps.Keys(l.errors)) {
		fmt.Fprintf(&b, " %s %d", code, l.errors[code])
	}
	return b.String()
}

// Progress waits until every client of the given nodes (none: of all) has had n more successes:
// writes and reads of every kind go on there.
func (l *Load) Progress(ctx context.Context, n int64, limit time.Duration, nodes ...*rig.Node) error {
	before := make([]int64, len(l.clients))
	for i, c := range l.clients {
		before[i] = c.ok.Load()
	}
	return rig.Until(ctx, limit, "clients go on", func() error {
		for i, c := range l.clients {
			if len(nodes) > 0 && (c.moves() || !isOneOf(c.home, nodes)) {
				continue // who moves about may sit on another node
			}
			if done := c.ok.Load() - before[i]; done < n {
				return fmt.Errorf("client %d on %s, %T: %d of %d", c.id, c.home.Name, c.worker, done, n)
			}
		}
		return nil
	})
}

func isOneOf(n *rig.Node, nodes []*rig.Node) bool {
	for _, other := range nodes {
		if n == other {
			return true
		}
	}
	return false
}

// A worker is one kind of client: what it does, and what it knows in the end.
type worker interface {
	// step does one operation, or a few that belong together. An error without a code means that
	// the connection is of no use any more.
	step(c *client) error
}

// A client does one thing at a time and never sends one again, except by ONCE.
type client struct {
	id     int
	load   *Load
	user   string
	home   *rig.Node
	node   *rig.Node // where it is connected now; only a client of ONCE moves about
	worker worker
	random *rand.Rand
	conn   *rig.Conn
	redis  *rig.RedisConn // in place of conn, if the worker speaks Redis' protocol
	start  int64          // of the node that conn was made to: which one
	ok     atomic.Int64   // operations that were answered with success
}

func (c *client) run() {
	defer c.hangUp()
	for {
		c.wait(time.Duration(c.random.Int64N(int64(2 * pace))))
		select {
		case <-c.load.stopped:
			return
		default:
		}
		if !c.connected() && !c.connect() {
			continue
		}
		if err := c.worker.step(c); err != nil && harness.Code(err) == "" {
			c.hangUp()
		}
	}
}

func (c *client) moves() bool {
	switch c.worker.(type) {
	case *onceClient, *redisOnceClient:
		return true
	}
	return false
}

func (c *client) connected() bool { return c.conn != nil || c.redis != nil }

func (c *client) wait(d time.Duration) {
	select {
	case <-time.After(d):
	case <-c.load.stopped:
	}
}

func (c *client) hangUp() {
	if c.conn != nil {
		_ = c.conn.Close()
		c.conn = nil
	}
	if c.redis != nil {
		_ = c.redis.Close()
		c.redis = nil
	}
}

// connect logs in; an account that was made before the load began is always there.
func (c *client) connect() bool {
	c.start = c.node.Starts.Load()
	var err error
	if _, ok := c.worker.(redisWorker); ok {
		c.redis, err = c.node.DialRedis(c.user)
	} else {
		c.conn, err = c.node.Dial(c.user)
	}
	if err != nil {
		c.judge("LOGIN", err)
		c.wait(50 * time.Millisecond) // a dead node is not worth much CPU
		return false
	}
	return true
}

// judge complains about an error that the state of the node does not explain.
func (c *client) judge(line string, err error) {
	if err == nil {
		return
	}
	if harness.Code(err) == "" && c.start != c.node.Starts.Load() {
		return // of the process before: the node may be quiet again by now
	}
	if c.load.flood.Reject && harness.Code(err) == "MEMORY_FULL" {
		return
	}
	if s := judge.Strain(c.node.Level.Load()); !s.Allows(err) {
		c.load.Bad.Add(judge.Violationf("client %d on %s at %.3f s: %.60s: %v", c.id, c.node.Name,
			time.Since(c.load.began).Seconds(), line, err))
	}
}

// do sends one line and gives its reply and when that was.
func (c *client) do(line string) (reply string, start, end int64, err error) {
	start = c.load.Now()
	reply, err = c.conn.Do(line)
	end = c.load.Now()
	c.note(line, start, end, reply, err)
	return reply, start, end, err
}

// burst sends lines at once; an ERR reply to any of them is the error.
func (c *client) burst(lines ...string) (replies []string, start, end int64, err error) {
	start = c.load.Now()
	replies, err = c.conn.Pipeline(lines...)
	end = c.load.Now()
	for i, line := range lines {
		reply := ""
		if i < len(replies) {
			reply = replies[i]
		}
		e := err
		if e == nil {
			e = rig.AsError(reply)
		}
		c.note(line, start, end, reply, e)
		if err == nil {
			err = e
		}
	}
	return replies, start, end, err
}

func (c *client) note(line string, start, end int64, reply string, err error) {
	o := op{Client: c.id, Node: c.node.Name, Line: line, Start: start, End: end, Reply: reply}
	if err == nil {
		c.ok.Add(1)
	} else {
		o.Error = err.Error()
		c.load.count(err)
		if harness.OutcomeOf(err) == harness.Unknown {
			o.End = math.MaxInt64
		}
		c.judge(line, err)
	}
	c.load.record(o)
}

// wrong complains about a reply that cannot be right, whatever goes on.
func (c *client) wrong(format string, args ...any) {
	c.load.Bad.Add(judge.Violationf("client %d on %s at %.3f s: %s", c.id, c.node.Name,
		time.Since(c.load.began).Seconds(), fmt.Sprintf(format, args...)))
}

// Told is what all clients know in the end, once they are halted.
func (l *Load) Told() (t judge.Told) {
	for _, c := range l.clients {
		switch w := c.worker.(type) {
		case *setClient:
			t.Sets = append(t.Sets, w.SetRecord)
		case *incrClient:
			t.Counts = append(t.Counts, w.CountRecord)
		case *onceClient:
			t.Onces = append(t.Onces, w.OnceRecord)
		case *appendClient:
			t.Logs = append(t.Logs, w.LogRecord)
		case *registerClient:
			t.Registers = append(t.Registers, w.ops...)
		case *casClient:
			t.Swaps = append(t.Swaps, w.ops...)
		case *floodClient:
			t.Floods = append(t.Floods, w.FloodRecord)
		case *transactionClient:
			t.Transactions = append(t.Transactions, w.told...)
		case *scriptClient:
			t.Transactions = append(t.Transactions, w.told...)
		case *redisOnceClient:
			t.Onces = append(t.Onces, w.OnceRecord)
		}
	}
	return t
}
