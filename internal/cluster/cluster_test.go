package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ciderd/internal/fsm"
	"ciderd/internal/membership"
)

func TestSingleNodeKeepsItsData(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, 1)
	c.startAll()
	c.set(c.nodes["n1"], "foo", "bar")
	c.stop("n1")
	n := c.start("n1")
	eventually(t, "ready again", n.Ready)
	if got := c.get(n, "foo"); got != "bar" {
		t.Fatalf("after a restart foo is %q", got)
	}
	if n.storage.Incarnation != 2 {
		t.Errorf("incarnation %d of the second start", n.storage.Incarnation)
	}
}

func TestEveryNodeServes(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, 3)
	c.startAll()
	for name, n := range c.nodes {
		c.set(n, "by-"+name, name)
		if got := c.get(n, "by-"+name); got != name {
			t.Errorf("%s does not see its own write: %q", name, got)
		}
	}
	c.settle()
	for name, n := range c.nodes {
		for by := range c.nodes {
			if got := c.get(n, "by-"+by); got != by {
				t.Errorf("%s sees %q of %s", name, got, by)
			}
		}
	}
}

func TestRestartOfAll(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, 3)
	c.startAll()
	for i := range 50 {
		c.set(c.leader(), fmt.Sprint("k", i), "v")
	}
	c.settle()
	before := c.leader().FSM().Dump()
	c.stopAll()
	c.startAll()
	c.settle()
	for name, n := range c.nodes {
		if got := n.FSM().Dump(); stateOf(got) != stateOf(before) {
			t.Errorf("%s differs after the restart:\n%s\n%s", name, before, got)
		}
	}
}

// stateOf is a dump without the line that a new term's entries may change.
func stateOf(dump string) string {
	_, rest, _ := strings.Cut(dump, "\n")
	return rest
}

func TestNoQuorum(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, 3)
	c.startAll()
	c.set(c.leader(), "foo", "bar")
	c.settle()
	left := c.followers()[0]
	for _, m := range c.members {
		if m.Name != left.config.Node {
			c.stop(m.Name)
		}
	}
	eventually(t, "the leader missed", func() bool { return left.Status().Leader == "" })
	if got := c.get(left, "foo"); got != "bar" {
		t.Errorf("a read without a quorum: %q", got)
	}
	set := fsm.NewGroup(fsm.Command{Op: fsm.OpSet, User: c.uid, Key: []byte("k"), Value: []byte("v")})
	if _, err := left.Propose(set, 300*time.Millisecond).Wait(); !errors.Is(err, ErrNoLeader) {
		t.Errorf("a write without a quorum: %v", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	if err := left.Sync(ctx); !errors.Is(err, ErrNoLeader) {
		t.Errorf("SYNC without a quorum: %v", err)
	}
	for _, m := range c.members {
		if m.Name != left.config.Node {
			c.start(m.Name)
		}
	}
	c.set(left, "k2", "v2")
	c.settle()
	for name, n := range c.nodes {
		if c.get(n, "k2") != "v2" || c.get(n, "k") != "" {
			t.Errorf("%s: k2=%q k=%q", name, c.get(n, "k2"), c.get(n, "k"))
		}
	}
}

// Writers on every node while leaders are stopped again and again: every write that was answered is
// there, and a counter through the surviving nodes counts each once.
func TestOnceAcrossLeaders(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, 3)
	c.startAll()
	uid := c.user(c.leader())
	var stop atomic.Bool
	var wg sync.WaitGroup
	var acked, unknown atomic.Int64
	writer := func(id int) {
		for i := 0; !stop.Load(); i++ {
			c.mu.Lock()
			n := c.nodes[c.members[id%3].Name]
			c.mu.Unlock()
			if n == nil {
				time.Sleep(5 * time.Millisecond)
				continue
			}
			incr := fsm.NewGroup(fsm.Command{Op: fsm.OpIncr, User: uid, Key: []byte("n"), N: 1})
			_, err := n.Propose(incr, patience).Wait()
			switch {
			case err == nil:
				acked.Add(1)
			case errors.Is(err, ErrTimeout): // its node was stopped
				unknown.Add(1)
			}
		}
	}
	for id := range 6 {
		wg.Go(func() { writer(id) })
	}
	for range 3 {
		before := acked.Load()
		eventually(t, "progress", func() bool { return acked.Load() > before+50 })
		name := c.leader().config.Node
		c.stop(name)
		c.leader()
		c.start(name)
	}
	before := acked.Load()
	eventually(t, "progress", func() bool { return acked.Load() > before+50 })
	stop.Store(true)
	wg.Wait()
	c.settle()
	dump := c.leader().FSM().Dump()
	for name, n := range c.nodes {
		got, _ := strconv.ParseInt(c.get(n, "n"), 10, 64)
		if got < acked.Load() || got > acked.Load()+unknown.Load() {
			t.Errorf("%s counts %d of %d acknowledged and %d unknown", name, got, acked.Load(), unknown.Load())
		}
		if n.FSM().Dump() != dump {
			t.Errorf("%s differs", name)
		}
	}
	t.Logf("%d acknowledged, %d unknown", acked.Load(), unknown.Load())
}

// A wiped node is a new server: it comes back by itself, its old identity is gone, and it votes only
// once it has everything.
func TestWipedNodeIsAdmitted(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, 3)
	c.startAll()
	c.set(c.leader(), "foo", "bar")
	c.settle()
	wiped := c.followers()[0].network.Self
	c.stop(wiped.Node)
	if err := os.RemoveAll(filepath.Join(c.dir, wiped.Node)); err != nil {
		t.Fatal(err)
	}
	n := c.start(wiped.Node)
	if n.raft.self == wiped.ServerID {
		t.Fatal("an empty disk has the old id")
	}
	eventually(t, "ready", n.Ready)
	eventually(t, "a vote", func() bool { return n.Status().Voter })
	if got := c.get(n, "foo"); got != "bar" {
		t.Errorf("the wiped node has foo %q", got)
	}
	for _, s := range c.leader().raft.Servers() {
		if string(s.ID) == wiped.ServerID {
			t.Errorf("%s is still in the configuration", s.ID)
		}
	}
	c.set(n, "k", "v")
	c.settle()
	if dump := n.FSM().Dump(); strings.Contains(dump, wiped.ServerID) {
		t.Errorf("the old server's row is still there:\n%s", dump)
	}
}

// Without a leader that answers for it, an empty disk waits: it must not vote or bootstrap.
func TestWipedNodeWaitsForALeader(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, 3)
	c.startAll()
	c.set(c.leader(), "foo", "bar")
	c.settle()
	wiped, gone := c.followers()[0].config.Node, c.followers()[1].config.Node
	c.stop(wiped)
	c.stop(gone)
	if err := os.RemoveAll(filepath.Join(c.dir, wiped)); err != nil {
		t.Fatal(err)
	}
	n := c.start(wiped)
	eventually(t, "it says what it waits for", func() bool {
		return strings.Contains(n.Status().Waiting, "waiting to be admitted")
	})
	if n.Ready() || n.raft.LastIndex() != 0 {
		t.Errorf("ready %v, last index %d", n.Ready(), n.raft.LastIndex())
	}
	c.start(gone)
	eventually(t, "ready once there is a leader", n.Ready)
}

// A server that was taken out ends, and says why.
func TestRemovedServerEnds(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, 3)
	c.startAll()
	removed := c.followers()[0]
	ended := make(chan error, 1)
	removed.config.Fatal = func(err error) {
		select {
		case ended <- err:
		default:
		}
	}
	c.remove(c.leader(), removed.raft.self)
	wantEnd(t, ended, membership.ErrRemoved)
}

// Every room counts what it does, and a write on a follower shows in both nodes' numbers.
func TestStats(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, 3)
	c.startAll()
	leader, follower := c.leader(), c.followers()[0]
	before, led := follower.Stats(), leader.Stats()
	c.set(follower, "k", "v")
	after, leads := follower.Stats(), leader.Stats()
	if after.Pipeline.Batches == before.Pipeline.Batches || after.Pipeline.Commands == before.Pipeline.Commands {
		t.Errorf("the follower's batches: %+v, then %+v", before.Pipeline, after.Pipeline)
	}
	if leads.Forwarded == led.Forwarded {
		t.Errorf("the leader took %d, then %d", led.Forwarded, leads.Forwarded)
	}
	for name, n := range c.nodes {
		s := n.Stats()
		if s.Disk.Writes == 0 || s.Disk.WriteTime == 0 || s.Peers.Connections == 0 || s.Peers.Accepted == 0 || s.Peers.Asked == 0 || s.LeaderChanges == 0 {
			t.Errorf("%s: %+v", name, s)
		}
		if !n.snapshots.take(1, 1) || n.Stats().Snapshots != 1 {
			t.Errorf("%s has counted %d snapshots", name, n.Stats().Snapshots)
		}
	}
}
