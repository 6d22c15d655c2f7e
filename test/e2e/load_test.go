//go:build e2e

package e2e

import (
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ciderd/test/harness"
)

// A load is four writers and a reader on every node, all of one user that is
// made for it. What the writers remember is judged by check.
type load struct {
	user    string
	writers []*writer
	readers []*reader
	stop    chan struct{}
	wg      sync.WaitGroup
}

// kind is what a writer writes.
type kind int

const (
	kindSet    kind = iota // SET of a new key each time
	kindOwn                // INCR of a counter that only this writer touches
	kindShared             // INCR of one counter by all
	kindAppend             // APPEND of a token to logs that all share
)

// logTokens is after how many of its own tokens a writer turns to the next log.
const logTokens = 2000

// A writer sends one command at a time and never sends one again. Only its own
// goroutine touches the fields below done, until the load has stopped.
type writer struct {
	node *harness.Node
	user string
	kind kind
	done atomic.Int64 // commands answered with success

	acked   []int   // sequence numbers that were answered with success
	unknown []int   // … that may or may not have happened
	errs    []error // ERR replies and cut connections
	wrong   []error // replies that cannot be right
}

// startLoad makes a user and lets all its writers run.
func startLoad(t *testing.T, c *harness.Cluster) *load {
	t.Helper()
	return startLoadAs(t, c, "load-"+harness.Unique())
}

// startLoadAs is startLoad for a user that may be there already.
func startLoadAs(t *testing.T, c *harness.Cluster, user string) *load {
	t.Helper()
	l := &load{user: user, stop: make(chan struct{})}
	harness.MakeUser(t, c.Leader(), l.user)
	for _, n := range c.Nodes {
		for k := kindSet; k <= kindAppend; k++ {
			l.writers = append(l.writers, &writer{node: n, user: l.user, kind: k})
		}
		l.readers = append(l.readers, &reader{node: n, user: l.user})
	}
	for _, w := range l.writers {
		l.wg.Go(func() { w.run(l.stop) })
	}
	for _, r := range l.readers {
		l.wg.Go(func() { r.run(l.stop) })
	}
	return l
}

// halt ends the writers and waits for their last replies.
func (l *load) halt() {
	close(l.stop)
	l.wg.Wait()
}

// progress waits until every writer on the given nodes has had n more
// successes.
func (l *load) progress(t *testing.T, n int64, nodes ...*harness.Node) {
	t.Helper()
	before := make(map[*writer]int64)
	for _, w := range l.writers {
		before[w] = w.done.Load()
	}
	harness.Eventually(t, "writers go on", func() error {
		for _, w := range l.writers {
			if contains(nodes, w.node) && w.done.Load() < before[w]+n {
				return fmt.Errorf("%s: %d of %d", w, w.done.Load()-before[w], n)
			}
		}
		return nil
	})
}

func contains(nodes []*harness.Node, n *harness.Node) bool {
	for _, other := range nodes {
		if other == n {
			return true
		}
	}
	return false
}

func (w *writer) String() string {
	return w.node.Name + " " + []string{"SET", "INCR own", "INCR shared", "APPEND"}[w.kind]
}

func (w *writer) run(stop <-chan struct{}) {
	var c *harness.Client
	for seq := 0; ; seq++ {
		if c == nil {
			if c = connect(w.node, w.user, stop); c == nil {
				return
			}
		}
		select {
		case <-stop:
			_ = c.Close()
			return
		default:
		}
		reply, err := c.Do(w.command(seq))
		w.record(seq, reply, err)
		if err != nil && harness.Code(err) == "" {
			_ = c.Close()
			c = nil
		}
	}
}

// connect tries until the node takes a login, or until stop.
func connect(n *harness.Node, user string, stop <-chan struct{}) *harness.Client {
	for {
		select {
		case <-stop:
			return nil
		case <-time.After(10 * time.Millisecond): // between tries, so that a dead node costs no CPU
		}
		c, err := n.Dial()
		if err != nil {
			continue
		}
		if err := c.Login(user, harness.Password); err != nil {
			_ = c.Close()
			continue
		}
		return c
	}
}

// command is the line of a sequence number, always the same one.
func (w *writer) command(seq int) string {
	switch w.kind {
	case kindSet:
		return "SET " + w.setKey(seq) + " " + strconv.Itoa(seq)
	case kindOwn:
		return "INCR " + w.ownKey()
	case kindShared:
		return "INCR " + sharedKey
	}
	return "APPEND " + logKey(seq) + " " + w.token(seq)
}

const sharedKey = "c:all"

func (w *writer) setKey(seq int) string { return fmt.Sprintf("s:%s:%d", w.node.Name, seq) }
func (w *writer) ownKey() string        { return "c:" + w.node.Name }
func (w *writer) token(seq int) string  { return fmt.Sprintf("%s-%d;", w.node.Name, seq) }
func logKey(seq int) string             { return fmt.Sprintf("log:%d", seq/logTokens) }

func (w *writer) record(seq int, reply string, err error) {
	switch harness.OutcomeOf(err) {
	case harness.Done:
		if bad := w.judge(reply); bad != nil {
			w.wrong = append(w.wrong, fmt.Errorf("%s: number %d: %w", w, seq, bad))
		}
		w.acked = append(w.acked, seq)
		w.done.Add(1)
		return
	case harness.Unknown:
		w.unknown = append(w.unknown, seq)
	}
	w.errs = append(w.errs, fmt.Errorf("%s: number %d: %w", w, seq, err))
}

// judge tells whether the reply can be right, by what came before it.
func (w *writer) judge(reply string) error {
	if w.kind == kindSet {
		if reply != "OK" {
			return fmt.Errorf("%q, want OK", reply)
		}
		return nil
	}
	n, err := strconv.Atoi(reply)
	if err != nil {
		return err
	}
	low := len(w.acked) + 1
	if w.kind == kindOwn && (n < low || n > low+len(w.unknown)) {
		return fmt.Errorf("counter is %d after %d successes and %d unknown", n, len(w.acked), len(w.unknown))
	}
	return nil
}

// A reader watches that what its node answers never goes back, over the node's
// restarts too.
type reader struct {
	node *harness.Node
	user string
	seen int
	bad  []error
}

func (r *reader) run(stop <-chan struct{}) {
	var c *harness.Client
	for {
		if c == nil {
			if c = connect(r.node, r.user, stop); c == nil {
				return
			}
		}
		select {
		case <-stop:
			_ = c.Close()
			return
		case <-time.After(2 * time.Millisecond): // reads are not to be the load
		}
		reply, err := c.Do("GET " + sharedKey)
		if err != nil {
			if harness.Code(err) == "" {
				_ = c.Close()
				c = nil
			}
			continue
		}
		if n, err := strconv.Atoi(reply); err == nil && n >= r.seen {
			r.seen = n
		} else if reply != "NOT_FOUND" || r.seen > 0 {
			r.bad = append(r.bad, fmt.Errorf("%s: %s was %d and then %q", r.node.Name, sharedKey, r.seen, reply))
		}
	}
}
