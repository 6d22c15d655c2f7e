package torture

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

	"ciderd/internal/harness"
)

// password is of every user of a run; it must never be found in a log.
const password = "torture-secret-4711"

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

// load is all clients of one round. They belong to one user, who is made for it.
type load struct {
	user    string
	nodes   []*node
	clients []*client
	began   time.Time
	stop    context.CancelFunc
	stopped <-chan struct{}
	wg      sync.WaitGroup
	bad     complaints // errors and replies that clients must not get

	deadlines deadlines

	mu      sync.Mutex // history, errors, gaps
	errors  map[string]int
	gaps    gaps
	history *bufio.Writer
	file    *os.File
	ops     atomic.Int64
}

// newLoad starts the clients: on each node, one of each kind.
func newLoad(user string, nodes []*node, historyPath string, seed uint64) (*load, error) {
	ctx, cancel := context.WithCancel(context.Background())
	l := &load{user: user, nodes: nodes, began: time.Now(), stop: cancel, stopped: ctx.Done(), gaps: gaps{}}
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
				id: id, load: l, home: n, node: n, worker: work(id),
				random: rand.New(rand.NewPCG(seed, uint64(id))),
			}
			l.clients = append(l.clients, c)
		}
	}
	for _, c := range l.clients {
		l.wg.Go(c.run)
	}
	return l, nil
}

// halt ends the clients and waits for their last replies.
func (l *load) halt() error {
	l.stop()
	l.wg.Wait()
	return errors.Join(l.history.Flush(), l.file.Close())
}

func (l *load) now() int64 { return int64(time.Since(l.began)) }

func (l *load) record(o op) {
	l.ops.Add(1)
	line, err := json.Marshal(o)
	if err == nil {
		l.mu.Lock()
		_, err = l.history.Write(append(line, '\n'))
		l.gaps.add(o)
		l.mu.Unlock()
	}
	if err != nil {
		l.bad.add(fmt.Errorf("writing the history: %w", err))
	}
}

// count counts errors by their code, for people to read.
func (l *load) count(err error) {
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

// seen lists how often clients saw which error.
func (l *load) seen() string {
	var b strings.Builder
	for _, code := range slices.Sorted(maps.Keys(l.errors)) {
		fmt.Fprintf(&b, " %s %d", code, l.errors[code])
	}
	return b.String()
}

// progress waits until every client of the given nodes (none: of all) has had n more successes:
// writes and reads of every kind go on there.
func (l *load) progress(ctx context.Context, n int64, limit time.Duration, nodes ...*node) error {
	before := make([]int64, len(l.clients))
	for i, c := range l.clients {
		before[i] = c.ok.Load()
	}
	return until(ctx, limit, "clients go on", func() error {
		for i, c := range l.clients {
			if len(nodes) > 0 && (c.moves() || !isOneOf(c.home, nodes)) {
				continue // who moves about may sit on another node
			}
			if done := c.ok.Load() - before[i]; done < n {
				return fmt.Errorf("client %d on %s, %T: %d of %d", c.id, c.home.name, c.worker, done, n)
			}
		}
		return nil
	})
}

func isOneOf(n *node, nodes []*node) bool {
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
	load   *load
	home   *node
	node   *node // where it is connected now; only a client of ONCE moves about
	worker worker
	random *rand.Rand
	conn   *conn
	start  int64        // of the node that conn was made to: which one
	ok     atomic.Int64 // operations that were answered with success
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
		if c.conn == nil && !c.connect() {
			continue
		}
		if err := c.worker.step(c); err != nil && harness.Code(err) == "" {
			c.hangUp()
		}
	}
}

func (c *client) moves() bool {
	_, once := c.worker.(*onceClient)
	return once
}

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
}

// connect logs in; an account that was made before the load began is always there.
func (c *client) connect() bool {
	c.start = c.node.starts.Load()
	conn, err := c.node.dial(c.load.user)
	if err != nil {
		c.judge("LOGIN", err)
		c.wait(50 * time.Millisecond) // a dead node is not worth much CPU
		return false
	}
	c.conn = conn
	return true
}

// judge complains about an error that the state of the node does not explain.
func (c *client) judge(line string, err error) {
	if err == nil {
		return
	}
	if harness.Code(err) == "" && c.start != c.node.starts.Load() {
		return // of the process before: the node may be quiet again by now
	}
	if s := strain(c.node.level.Load()); !s.allows(err) {
		c.load.bad.add(violationf("client %d on %s at %.3f s: %.60s: %v", c.id, c.node.name,
			time.Since(c.load.began).Seconds(), line, err))
	}
}

// do sends one line and gives its reply and when that was.
func (c *client) do(line string) (reply string, start, end int64, err error) {
	start = c.load.now()
	reply, err = c.conn.do(line)
	end = c.load.now()
	c.note(line, start, end, reply, err)
	return reply, start, end, err
}

// burst sends lines at once; an ERR reply to any of them is the error.
func (c *client) burst(lines ...string) (replies []string, start, end int64, err error) {
	start = c.load.now()
	replies, err = c.conn.pipeline(lines...)
	end = c.load.now()
	for i, line := range lines {
		reply := ""
		if i < len(replies) {
			reply = replies[i]
		}
		e := err
		if e == nil {
			e = asError(reply)
		}
		c.note(line, start, end, reply, e)
		if err == nil {
			err = e
		}
	}
	return replies, start, end, err
}

func (c *client) note(line string, start, end int64, reply string, err error) {
	o := op{Client: c.id, Node: c.node.name, Line: line, Start: start, End: end, Reply: reply}
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
	c.load.bad.add(violationf("client %d on %s at %.3f s: %s", c.id, c.node.name,
		time.Since(c.load.began).Seconds(), fmt.Sprintf(format, args...)))
}
