package cluster

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ciderd/internal/membership"
	"ciderd/internal/peer"
)

// without is the file of the cluster without one node.
func (c *testCluster) without(name string) peer.Members {
	return slices.DeleteFunc(slices.Clone(c.members), func(m peer.Member) bool { return m.Name == name })
}

// restartWithout restarts nodes with a file that does not have one of them.
func (c *testCluster) restartWithout(gone string, names ...string) {
	c.t.Helper()
	if c.membersFor == nil {
		c.membersFor = map[string]peer.Members{}
	}
	for _, name := range names {
		c.stop(name)
		c.membersFor[name] = c.without(gone)
		c.start(name)
	}
}

// A server that was removed and is not in the others' files ends all the same, when it starts and when it runs: they
// tell it up to where in the log it is none of theirs.
func TestRemovedAndOutOfTheFiles(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, 3)
	c.lookOften()
	c.startAll()
	c.set(c.leader(), "foo", "bar")
	c.settle()
	gone := c.followers()[0].network.Self
	others := []string{c.leader().config.Node, c.followers()[1].config.Node}
	c.stop(gone.Node)
	wantSaid(t, c.leader(), membership.OpRemove, gone.Node, "removed "+gone.ServerID)
	c.restartWithout(gone.Node, others...)
	leader := c.leader()
	c.set(leader, "foo", "baz")
	for range 2 {
		n, ended := c.startEnding(gone.Node)
		wantEnd(t, ended, membership.ErrRemoved)
		if n.Ready() {
			t.Error("it serves")
		}
		c.stop(gone.Node)
	}
}

// So it does while only the leader's file is without it: the other one counts it out too.
func TestRemovedAndOutOfOneFile(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, 3)
	c.lookOften()
	c.startAll()
	c.set(c.leader(), "foo", "bar")
	c.settle()
	gone, other := c.followers()[0].network.Self, c.followers()[1].config.Node
	c.stop(gone.Node)
	wantSaid(t, c.leader(), membership.OpRemove, gone.Node, "removed "+gone.ServerID)
	c.restartWithout(gone.Node, other)
	eventually(t, "it leads", func() bool {
		_, _ = c.leader().membership.Change(t.Context(), membership.OpTransfer, other, false)
		return c.leader().config.Node == other
	})
	n, ended := c.startEnding(gone.Node)
	wantEnd(t, ended, membership.ErrRemoved)
	if n.Ready() {
		t.Error("it serves")
	}
}

// One that runs, and was removed while it was cut off, ends too once it reaches the others.
func TestRemovedWhileCutOff(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, 3)
	c.lookOften()
	c.linkAll()
	c.startAll()
	c.set(c.leader(), "foo", "bar")
	c.settle()
	n := c.followers()[0]
	others := []*Node{c.leader(), c.followers()[1]}
	why := make(chan error, 1)
	c.ending.Store(n.config.Node, why)
	for _, o := range others {
		c.link(o, n).hold(func(*flow) bool { return true })
		c.link(n, o).hold(func(*flow) bool { return true })
	}
	eventually(t, "it hears of no leader", func() bool { return n.raft.Leader() == "" })
	wantSaid(t, others[0], membership.OpRemove, n.config.Node, "it does not answer")
	for _, o := range others {
		name := o.config.Node
		c.stop(name)
		c.membersFor = map[string]peer.Members{name: slices.DeleteFunc(c.membersOf(name), func(m peer.Member) bool { return m.Name == n.config.Node })}
		c.start(name)
	}
	for _, l := range c.links {
		l.hold(nil)
	}
	wantEnd(t, why, membership.ErrRemoved)
}

// A server that the others' files do not have, and that was not removed, does not end, and does not go on serving what
// grows old; counted in again, it serves.
func TestOutOfTheFilesByMistake(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, 3)
	c.lookOften()
	c.startAll()
	c.set(c.leader(), "foo", "bar")
	c.settle()
	n := c.followers()[0]
	others := []string{c.leader().config.Node, c.followers()[1].config.Node}
	c.restartWithout(n.config.Node, others...)
	eventually(t, "it serves nobody", func() bool { return !n.Ready() })
	s := n.Status()
	if s.Reads || s.Ready || !strings.Contains(s.Waiting, `no node "`+n.config.Node+`" in the configuration of `+others[0]) || strings.Contains(s.Waiting, "remove") {
		t.Errorf("%+v", s)
	}
	for _, name := range others { // nor does it serve when nobody is there to say so
		c.stop(name)
	}
	time.Sleep(2 * c.polls.Membership)
	if n.Ready() {
		t.Error("it serves again, alone")
	}
	c.membersFor = nil
	for _, name := range others {
		c.start(name)
	}
	eventually(t, "it serves again", n.Ready)
	c.set(c.leader(), "foo", "baz")
	eventually(t, "what was written since", func() bool { return c.get(n, "foo") == "baz" })
}

// A directory of another cluster of the same names is not told that it was removed: no log has ever had it.
func TestSameNamesAnotherCluster(t *testing.T) {
	t.Parallel()
	c, other := newTestCluster(t, 3), newTestCluster(t, 3)
	c.lookOften()
	other.lookOften()
	for _, each := range []*testCluster{c, other} {
		each.startAll()
		each.set(each.leader(), "foo", "bar")
		each.settle()
	}
	for range 3 { // of the terms of two clusters neither is before the other
		if err := other.leader().Transfer(t.Context()); err != nil {
			t.Fatal(err)
		}
		other.settle()
	}
	leader, name := c.leader(), c.followers()[0].config.Node
	c.stop(name)
	other.stopAll()
	c.wipe(name)
	if err := os.CopyFS(filepath.Join(c.dir, name), os.DirFS(filepath.Join(other.dir, name))); err != nil {
		t.Fatal(err)
	}
	n := c.start(name)
	eventually(t, "it says why it waits", func() bool {
		return strings.Contains(n.Status().Waiting, "servers that this node's data directory does not know")
	})
	if s := n.Status(); s.Ready || strings.Contains(s.Waiting, "remove") {
		t.Errorf("%+v", s)
	}
	if len(leader.raft.Servers()) != 3 {
		t.Errorf("the servers are %v", leader.raft.Servers())
	}
}
