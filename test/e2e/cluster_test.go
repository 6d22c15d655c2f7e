//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"regexp"
	"testing"
	"time"

	"ciderd/test/harness"
)

// TestStartOrder starts three nodes with empty directories one after the other,
// in several orders. Before all are there nobody may be told OK; then all serve.
func TestStartOrder(t *testing.T) {
	t.Parallel()
	for _, order := range [][]int{{2, 1, 0}, {1, 2, 0}} {
		t.Run(fmt.Sprint(order), func(t *testing.T) {
			c := harness.New(t, harness.Options{Nodes: 3})
			for _, i := range order[:2] {
				c.Nodes[i].Start()
			}
			notYet(t, c.Nodes[order[0]])
			notYet(t, c.Nodes[order[1]])
			c.Nodes[order[2]].Start()
			c.WaitReady()
			everyNodeWrites(t, c, c.Nodes)
		})
	}
}

// notYet waits until the node says something to a client, and wants it to be no
// success: a cluster that is not complete has never been bootstrapped.
func notYet(t *testing.T, n *harness.Node) {
	t.Helper()
	var c *harness.Client
	harness.Eventually(t, n.Name+" listens", func() (err error) {
		c, err = n.Dial()
		return err
	})
	defer func() { _ = c.Close() }()
	err := c.Signup("early", harness.Password)
	if harness.OutcomeOf(err) != harness.NotDone {
		t.Errorf("SIGNUP on %s before the cluster is complete: %v, want a refusal", n.Name, err)
	}
}

// everyNodeWrites lets each node write a key and every one of the given nodes
// read it.
func everyNodeWrites(t *testing.T, c *harness.Cluster, nodes []*harness.Node) {
	t.Helper()
	user := "every-" + harness.Unique()
	harness.MakeUser(t, c.Leader(), user)
	for _, n := range nodes {
		mustDo(t, harness.LoginAs(t, n, user), "SET from-"+n.Name+" x", "OK")
	}
	for _, reader := range nodes {
		conn := harness.LoginAs(t, reader, user)
		mustDo(t, conn, "SYNC", "OK")
		for _, n := range nodes {
			mustDo(t, conn, "GET from-"+n.Name, "x")
		}
	}
}

// mustDo sends a line and wants exactly this reply.
func mustDo(t *testing.T, c *harness.Client, line, want string) {
	t.Helper()
	if got, err := c.Do(line); err != nil || got != want {
		t.Errorf("%s: %q, %v; want %q", line, got, err, want)
	}
}

// TestTwoOfThree: after the first start two nodes suffice, whichever they are,
// and the third catches up when it comes late.
func TestTwoOfThree(t *testing.T) {
	t.Parallel()
	c := harness.Start(t, harness.Options{Nodes: 3})
	user := "two-" + harness.Unique()
	mustDo(t, harness.LoginAs(t, c.Leader(), user), "SET before kept", "OK")
	for late, lateNode := range c.Nodes {
		for _, n := range c.Nodes {
			n.Stop(harness.StopLimit)
		}
		two := c.Followers(lateNode)
		harness.Restart(t, c, two)
		conn := harness.LoginAs(t, two[0], user)
		mustDo(t, conn, "SYNC", "OK")
		mustDo(t, conn, "GET before", "kept")
		mustDo(t, conn, fmt.Sprintf("SET without-%d x", late), "OK")
		harness.Restart(t, c, []*harness.Node{lateNode})
		conn = harness.LoginAs(t, lateNode, user)
		mustDo(t, conn, "SYNC", "OK")
		mustDo(t, conn, fmt.Sprintf("GET without-%d", late), "x")
	}
	sameEverywhere(t, c, user)
}

// TestNoQuorum: alone, a node that has caught up goes on reading; a write ends
// with an error in bounded time; what NO_LEADER was said to is never done; and
// writes go on when the others are back.
func TestNoQuorum(t *testing.T) {
	t.Parallel()
	c := harness.Start(t, harness.Options{Nodes: 3})
	user := "alone-" + harness.Unique()
	for _, alone := range []*harness.Node{c.Leader(), c.Followers(c.Leader())[0]} {
		t.Run(alone.Name, func(t *testing.T) {
			conn := harness.LoginAs(t, alone, user)
			mustDo(t, conn, "SET k v", "OK")
			for _, n := range c.Followers(alone) {
				n.Kill()
			}
			mustDo(t, conn, "GET k", "v")
			harness.Eventually(t, alone.Name+" does not lead", func() error {
				status, err := conn.Status()
				if err == nil && status["role"] == "leader" {
					err = fmt.Errorf("it does, alone")
				}
				return err
			})
			// The first may have been sent to a leader that is no more.
			if _, err := conn.Do("SET maybe x"); harness.Code(err) != "NO_LEADER" && harness.Code(err) != "TIMEOUT" {
				t.Errorf("SET without a quorum: %v, want NO_LEADER or TIMEOUT", err)
			}
			if _, err := conn.Do("SET lost x"); harness.Code(err) != "NO_LEADER" {
				t.Errorf("SET without a quorum: %v, want NO_LEADER", err)
			}
			if _, err := conn.Do("SYNC"); harness.OutcomeOf(err) == harness.Done {
				t.Error("SYNC without a quorum: OK")
			}
			mustDo(t, conn, "GET k", "v")
			mustDo(t, harness.LoginAs(t, alone, user), "GET k", "v")
			harness.Restart(t, c, c.Followers(alone))
			mustDo(t, conn, "SET k w", "OK")
			mustDo(t, conn, "SYNC", "OK")
			mustDo(t, conn, "GET lost", "NOT_FOUND")
			mustDo(t, conn, "GET k", "w")
		})
	}
	sameEverywhere(t, c, user)
}

// TestRestartAlone: a node that starts without a quorum has not caught up, and
// must not answer from what it has on its disk.
func TestRestartAlone(t *testing.T) {
	t.Parallel()
	c := harness.Start(t, harness.Options{Nodes: 3})
	user := "late-" + harness.Unique()
	mustDo(t, harness.LoginAs(t, c.Leader(), user), "SET k v", "OK")
	for _, n := range c.Nodes {
		n.Kill()
	}
	alone := c.Nodes[1]
	alone.Start()
	var conn *harness.Client
	harness.Eventually(t, "it listens", func() (err error) {
		conn, err = alone.Dial()
		return err
	})
	defer func() { _ = conn.Close() }()
	if err := conn.Login(user, harness.Password); harness.Code(err) != "LOADING" {
		t.Errorf("LOGIN without having caught up: %v, want LOADING", err)
	}
	harness.Restart(t, c, c.Followers(alone))
	mustDo(t, harness.LoginAs(t, alone, user), "GET k", "v")
}

// waits is what a log may say of a node that is not in the cluster yet.
var waits = regexp.MustCompile(`(?i)wait|admi(t|ssion)|not (yet )?(in|part|a member)`)

// TestWipedNode takes the disk of a node away that holds one of the two copies
// of a write. The empty node and the one that never had the write must not
// make a quorum that forgets it.
func TestWipedNode(t *testing.T) {
	t.Parallel()
	c := harness.Start(t, harness.Options{Nodes: 3, Config: `timeouts { write = "3s" }`})
	user := "wiped-" + harness.Unique()
	leader := c.Leader()
	wiped, behind := c.Followers(leader)[0], c.Followers(leader)[1]
	harness.MakeUser(t, leader, user)
	conn := harness.LoginAs(t, behind, user)
	mustDo(t, conn, "SET early v", "OK")
	behind.Kill()
	mustDo(t, harness.LoginAs(t, leader, user), "SET precious v", "OK")
	leader.Kill()
	wiped.Kill()
	wiped.WipeData()
	wiped.Start()
	behind.Start()
	refusesWrites(t, wiped)
	refusesWrites(t, behind)
	leader.Start()
	leader.WaitServing()
	behind.WaitServing()
	c.Leader()
	for _, n := range []*harness.Node{leader, behind} {
		conn := harness.LoginAs(t, n, user)
		mustDo(t, conn, "SYNC", "OK")
		mustDo(t, conn, "GET early", "v")
		mustDo(t, conn, "GET precious", "v")
	}
	admittedOrWaiting(t, c, wiped, user)
}

// refusesWrites wants that nothing is signed up here, for longer than an
// election would take.
func refusesWrites(t *testing.T, n *harness.Node) {
	t.Helper()
	harness.Eventually(t, n.Name+" listens", func() error {
		conn, err := n.Dial()
		if err != nil {
			return err
		}
		return conn.Close()
	})
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); {
		conn, err := n.Dial()
		if err != nil {
			t.Fatalf("%s has gone: %v", n.Name, err)
		}
		err = conn.Signup("forgetful-"+harness.Unique(), harness.Password)
		if err == nil {
			t.Errorf("%s, wiped or behind, made a quorum without the only node that has everything", n.Name)
		}
		_ = conn.Close()
	}
}

// admittedOrWaiting accepts both ends for a wiped node: it serves all there is,
// or its log says that it waits.
func admittedOrWaiting(t *testing.T, c *harness.Cluster, wiped *harness.Node, user string) {
	t.Helper()
	if err := harness.Until(harness.Limit, wiped.Name+" is admitted", wiped.Serving); err != nil {
		log, readErr := os.ReadFile(wiped.LogPath)
		if readErr != nil || !waits.Match(log) {
			t.Errorf("%v; and its log does not say that it waits (%v)", err, readErr)
		}
		return
	}
	conn := harness.LoginAs(t, wiped, user)
	mustDo(t, conn, "SYNC", "OK")
	mustDo(t, conn, "GET precious", "v")
	sameEverywhere(t, c, user)
	// Admitted for good: its vote counts, so another node may be missing.
	c.Leader()
	lagging := c.Followers(wiped)[0]
	harness.Eventually(t, "the wiped node makes a quorum", func() error {
		lagging.Kill()
		defer harness.Restart(t, c, []*harness.Node{lagging})
		probe, err := wiped.Dial()
		if err != nil {
			return err
		}
		defer func() { _ = probe.Close() }()
		if err := probe.Login(user, harness.Password); err != nil {
			return err
		}
		_, err = probe.Do("SET again v")
		return err
	})
	sameEverywhere(t, c, user)
}

// TestWipedUnderLoad wipes a follower while the others write: they do not see
// it, and all are equal when it is back, or it stays out and says so.
func TestWipedUnderLoad(t *testing.T) {
	c := harness.Start(t, harness.Options{Nodes: 3, Config: patient})
	l := startLoad(t, c)
	l.progress(t, 20, c.Nodes...)
	leader := c.Leader()
	wiped := c.Followers(leader)[1]
	others := c.Followers(wiped)
	wiped.Kill()
	wiped.WipeData()
	wiped.Start()
	l.progress(t, 50, others...)
	if err := harness.Until(harness.Limit, "admitted", wiped.Serving); err != nil {
		t.Logf("not admitted: %v", err)
		log, readErr := os.ReadFile(wiped.LogPath)
		if readErr != nil || !waits.Match(log) {
			t.Errorf("its log does not say that it waits (%v)", readErr)
		}
		l.halt()
		for _, w := range l.writers {
			report(t, "reply", w.wrong)
		}
		return
	}
	l.progress(t, 20, c.Nodes...)
	l.halt()
	l.check(t, c, others)
}
