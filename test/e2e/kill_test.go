//go:build e2e

package e2e

import (
	"os"
	"strconv"
	"testing"

	"ciderd/test/harness"
)

// patient gives writes more time than an election on a loaded machine takes, so
// that an error on a surviving node is always one too many.
const patient = `timeouts { write = "45s" }`

// rounds is how often the kill scenarios run: ROUNDS, or 1.
func rounds(t *testing.T) int {
	text := os.Getenv("ROUNDS")
	if text == "" {
		return 1
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("ROUNDS is %q", text)
	}
	return n
}

// TestKillRounds kills nodes with SIGKILL under load, again and again. Promised:
//
//   - every write that was answered OK is there afterwards, on every node;
//   - no client of a node that survives sees an error;
//   - no write is applied twice, one whose end is not known included;
//   - the writes of one client keep their order;
//   - what a node answers never goes back;
//   - in the end all nodes have the same keys, values and versions.
func TestKillRounds(t *testing.T) {
	c := harness.Start(t, harness.Options{Nodes: 3, Config: patient})
	var past []*load
	for round := range rounds(t) {
		for _, whom := range []struct {
			name  string
			nodes func() []*harness.Node
		}{
			{"leader", func() []*harness.Node { return []*harness.Node{c.Leader()} }},
			{"follower", func() []*harness.Node { return c.Followers(c.Leader())[round%2:][:1] }},
			{"all", func() []*harness.Node { return c.Nodes }},
			{"leader again", func() []*harness.Node { return []*harness.Node{c.Leader()} }},
			{"leader and its heir", func() []*harness.Node { return nil }},
		} {
			t.Run(strconv.Itoa(round)+" "+whom.name, func(t *testing.T) {
				if whom.name == "leader and its heir" {
					past = append(past, killHeir(t, c))
					return
				}
				past = append(past, killUnderLoad(t, c, whom.nodes()))
			})
			if t.Failed() {
				return
			}
		}
	}
	for _, l := range past {
		report(t, "after all rounds", l.missing(sameEverywhere(t, c, l.user)))
	}
}

// killUnderLoad kills the victims while everybody writes, starts them again and
// judges.
func killUnderLoad(t *testing.T, c *harness.Cluster, victims []*harness.Node) *load {
	l := startLoad(t, c)
	l.progress(t, 20, c.Nodes...)
	var survivors []*harness.Node
	for _, n := range c.Nodes {
		if !contains(victims, n) {
			survivors = append(survivors, n)
		}
	}
	for _, n := range victims {
		n.Kill()
	}
	l.progress(t, 20, survivors...)
	harness.Restart(t, c, victims)
	l.progress(t, 20, c.Nodes...)
	l.halt()
	l.check(t, c, survivors)
	return l
}

// killHeir kills the leader, and its successor as soon as the first is back.
// The third node must not let any of its clients see that.
func killHeir(t *testing.T, c *harness.Cluster) *load {
	l := startLoad(t, c)
	l.progress(t, 20, c.Nodes...)
	first := c.Leader()
	first.Kill()
	heir := c.Leader()
	harness.Restart(t, c, []*harness.Node{first})
	heir.Kill()
	var third []*harness.Node
	for _, n := range c.Followers(first) {
		if n != heir {
			third = append(third, n)
		}
	}
	l.progress(t, 20, third...)
	harness.Restart(t, c, []*harness.Node{heir})
	l.progress(t, 20, c.Nodes...)
	l.halt()
	l.check(t, c, third)
	return l
}

// TestStopLeaderUnderLoad: a SIGTERM to the leader costs no client of another
// node an error, and its own clients no write that they were told OK for.
func TestStopLeaderUnderLoad(t *testing.T) {
	c := harness.Start(t, harness.Options{Nodes: 3, Config: patient})
	l := startLoad(t, c)
	l.progress(t, 20, c.Nodes...)
	leader := c.Leader()
	if code := leader.Stop(harness.StopLimit); code != 0 {
		t.Errorf("exit code %d after SIGTERM, want 0", code)
	}
	l.progress(t, 20, c.Followers(leader)...)
	harness.Restart(t, c, []*harness.Node{leader})
	l.progress(t, 20, c.Nodes...)
	l.halt()
	l.check(t, c, c.Followers(leader))
}

// TestRestartAll stops all three nodes with SIGTERM under load, one after the
// other: exit code 0 in bounded time, and all is there after the start.
func TestRestartAll(t *testing.T) {
	c := harness.Start(t, harness.Options{Nodes: 3})
	l := startLoad(t, c)
	l.progress(t, 50, c.Nodes...)
	for _, n := range c.Nodes {
		if code := n.Stop(harness.StopLimit); code != 0 {
			t.Errorf("%s: exit code %d after SIGTERM, want 0", n.Name, code)
		}
	}
	harness.Restart(t, c, c.Nodes)
	l.progress(t, 20, c.Nodes...)
	l.halt()
	l.check(t, c, nil)
}

// TestStopWithoutQuorum: a node that holds writes which nobody can commit ends
// in bounded time, however long a write may wait.
func TestStopWithoutQuorum(t *testing.T) {
	t.Parallel()
	c := harness.Start(t, harness.Options{Nodes: 3, Config: `timeouts { write = "10m" }`})
	leader := c.Leader()
	conn := harness.LoginAs(t, leader, "held-"+harness.Unique())
	for _, n := range c.Followers(leader) {
		n.Kill()
	}
	if err := conn.Send([]byte("SET k v\n")); err != nil {
		t.Fatal(err)
	}
	// Nothing tells that the line has been read; another client's many round
	// trips make it as good as certain.
	other := dial(t, leader)
	for range 100 {
		mustDo(t, other, "PING", "PONG")
	}
	if code := leader.Stop(harness.StopLimit); code != 0 {
		t.Errorf("exit code %d after SIGTERM, want 0", code)
	}
	if reply, err := conn.ReadReply(); err == nil {
		t.Errorf("a write without a quorum: %q", reply)
	}
}

// TestPausedFollower: a node that stands still and goes on has lost nothing,
// and its own clients have waited, not failed.
func TestPausedFollower(t *testing.T) {
	c := harness.Start(t, harness.Options{Nodes: 3, Config: patient})
	l := startLoad(t, c)
	l.progress(t, 20, c.Nodes...)
	leader := c.Leader()
	paused := c.Followers(leader)[0]
	paused.Pause()
	l.progress(t, 100, leader, c.Followers(leader)[1])
	paused.Resume()
	l.progress(t, 20, c.Nodes...)
	l.halt()
	l.check(t, c, c.Nodes)
}
