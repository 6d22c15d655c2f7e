//go:build e2e

package e2e

import (
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"ciderd/test/harness"
)

// TestRacingSignups lets two nodes sign up one name at the same time, many
// times: exactly one wins, and only its password is good, everywhere.
func TestRacingSignups(t *testing.T) {
	c := harness.Start(t, harness.Options{Nodes: 3})
	leader := c.Leader()
	racers := []*harness.Node{leader, c.Followers(leader)[0]}
	for i := range 12 {
		user := fmt.Sprintf("race-%d-%s", i, harness.Unique())
		var wg sync.WaitGroup
		errs := make([]error, len(racers))
		for r, n := range racers {
			wg.Go(func() { errs[r] = harness.SignupOn(n, user, fmt.Sprintf("password-%d", r)) })
		}
		wg.Wait()
		winner := 0
		if errs[0] != nil {
			winner = 1
		}
		if errs[winner] != nil || harness.Code(errs[1-winner]) != "USER_EXISTS" {
			t.Errorf("%s: %v and %v; want one success and one USER_EXISTS", user, errs[0], errs[1])
			continue
		}
		for _, n := range c.Nodes {
			onlyPassword(t, n, user, fmt.Sprintf("password-%d", winner), fmt.Sprintf("password-%d", 1-winner))
		}
	}
}

// onlyPassword wants good to be the password on the node and bad not to be. The
// account may still be on its way there.
func onlyPassword(t *testing.T, n *harness.Node, user, good, bad string) {
	t.Helper()
	login := func(pw string) error {
		c, err := n.Dial()
		if err != nil {
			return err
		}
		defer func() { _ = c.Close() }()
		return c.Login(user, pw)
	}
	harness.Eventually(t, user+" on "+n.Name, func() error { return login(good) })
	if err := login(bad); harness.Code(err) != "AUTH_FAILED" {
		t.Errorf("%s: the loser's password on %s: %v, want AUTH_FAILED", user, n.Name, err)
	}
}

// TestOnceAcrossKills: clients give every INCR an id and send it again, to the
// next node, until somebody answers, while leaders are killed. Each id counts
// once, and keeps its first reply.
func TestOnceAcrossKills(t *testing.T) {
	const clients = 3
	c := harness.Start(t, harness.Options{Nodes: 3})
	user := "once-" + harness.Unique()
	harness.MakeUser(t, c.Leader(), user)
	stop := make(chan struct{})
	workers := make([]*onceClient, clients)
	var wg sync.WaitGroup
	for i := range workers {
		workers[i] = &onceClient{cluster: c, user: user, name: strconv.Itoa(i), turn: i}
		wg.Go(func() { workers[i].run(stop) })
	}
	progress := func() {
		for _, w := range workers {
			before := w.count()
			harness.Eventually(t, "ids are answered", func() error {
				if n := w.count() - before; n < 30 {
					return fmt.Errorf("%d of client %s", n, w.name)
				}
				return nil
			})
		}
	}
	progress()
	for range 2 * rounds(t) {
		leader := c.Leader()
		leader.Kill()
		progress()
		harness.Restart(t, c, []*harness.Node{leader})
		progress()
	}
	close(stop)
	wg.Wait()
	checkOnce(t, c, user, workers)
}

// checkOnce wants the replies to be 1 to N, each once, the counter to be N, and
// the last ids of each client to give the same reply on every node.
func checkOnce(t *testing.T, c *harness.Cluster, user string, workers []*onceClient) {
	t.Helper()
	seen := make(map[string]string)
	total := 0
	for _, w := range workers {
		for seq, reply := range w.replies {
			if first, ok := seen[reply]; ok {
				t.Errorf("%s and %s-%d both got %s", first, w.name, seq, reply)
			}
			seen[reply] = fmt.Sprintf("%s-%d", w.name, seq)
			total++
		}
	}
	for _, n := range c.Nodes {
		conn := harness.LoginAs(t, n, user)
		mustDo(t, conn, "SYNC", "OK")
		mustDo(t, conn, "GET c", strconv.Itoa(total))
		for _, w := range workers {
			for seq := max(0, len(w.replies)-20); seq < len(w.replies); seq++ {
				mustDo(t, conn, w.line(seq), w.replies[seq])
			}
		}
		mustDo(t, conn, "GET c", strconv.Itoa(total))
	}
}

// onceClient sends ids one after the other.
type onceClient struct {
	cluster *harness.Cluster
	user    string
	name    string
	turn    int // which node is next

	mu      sync.Mutex // protects replies while run runs
	replies []string   // by sequence number
}

func (w *onceClient) line(seq int) string { return fmt.Sprintf("ONCE %s-%d INCR c", w.name, seq) }

func (w *onceClient) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.replies)
}

func (w *onceClient) run(stop <-chan struct{}) {
	var c *harness.Client
	for seq := 0; ; {
		if c == nil {
			if c = w.dial(stop); c == nil {
				return
			}
		}
		reply, err := c.Do(w.line(seq))
		if err != nil {
			_ = c.Close()
			c = nil
			continue
		}
		w.mu.Lock()
		w.replies = append(w.replies, reply)
		w.mu.Unlock()
		seq++
		select {
		case <-stop:
			_ = c.Close()
			return
		default:
		}
		if seq%10 == 0 { // any node, any connection
			_ = c.Close()
			c = nil
		}
	}
}

// dial logs in on one node after the other until one takes it.
func (w *onceClient) dial(stop <-chan struct{}) *harness.Client {
	for {
		select {
		case <-stop:
			return nil
		case <-time.After(10 * time.Millisecond): // so that nodes that load cost no CPU
		}
		w.turn++
		n := w.cluster.Nodes[w.turn%len(w.cluster.Nodes)]
		c, err := n.Dial()
		if err != nil {
			continue
		}
		if err := c.Login(w.user, harness.Password); err != nil {
			_ = c.Close()
			continue
		}
		return c
	}
}

// TestOnceRemembersAThousand: 1,000 ids of a user are remembered, on every node
// and over a restart of all of them.
func TestOnceRemembersAThousand(t *testing.T) {
	const ids = 1000
	c := harness.Start(t, harness.Options{Nodes: 3})
	user := "many-" + harness.Unique()
	lines, want := make([]string, ids), make([]string, ids)
	for i := range ids {
		lines[i], want[i] = fmt.Sprintf("ONCE id-%d INCR c", i), strconv.Itoa(i+1)
	}
	ask := func(n *harness.Node) {
		t.Helper()
		replies, err := harness.LoginAs(t, n, user).Pipeline(lines...)
		if err != nil {
			t.Fatal(err)
		}
		for i := range ids {
			if replies[i] != want[i] {
				t.Fatalf("%s on %s: %q, want %q", lines[i], n.Name, replies[i], want[i])
			}
		}
	}
	ask(c.Nodes[0])
	ask(c.Nodes[1])
	for _, n := range c.Nodes {
		n.Kill()
	}
	harness.Restart(t, c, c.Nodes)
	for _, n := range c.Nodes {
		ask(n)
	}
	mustDo(t, harness.LoginAs(t, c.Nodes[2], user), "GET c", strconv.Itoa(ids))
}
