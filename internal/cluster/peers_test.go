package cluster

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"ciderd/internal/peer"
	"ciderd/internal/peerstate"
)

// pollOften has nodes started from now on ask each other often.
func (c *testCluster) pollOften() { c.polls.Recovery = 50 * time.Millisecond }

// says waits until a node's status has a peer as wanted, and the rest as asked for.
func says(t *testing.T, n *Node, want peerstate.Status, rest func(Status) bool) {
	t.Helper()
	var last Status
	defer func() {
		if t.Failed() {
			t.Logf("%s: %+v", n.config.Node, last)
		}
	}()
	eventually(t, fmt.Sprintf("%s says %+v", n.config.Node, want), func() bool {
		last = n.Status()
		for _, p := range last.Peers {
			if p.Name == want.Name {
				return p.Role == want.Role && p.Lag == want.Lag && strings.HasPrefix(p.Reason, want.Reason) &&
					(want.Reason != "") == (p.Reason != "") && rest(last)
			}
		}
		return false
	})
}

// Every node tells of every other one how it is, and why it does not answer if it does not; and whether reads and
// writes are taken.
func TestPeersInStatus(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, 3)
	c.pollOften()
	c.startAll()
	c.set(c.leader(), "k", "v")
	c.settle()
	leader, first, second := c.leader(), c.followers()[0], c.followers()[1]
	works := func(s Status) bool { return s.Reads && s.Writes && s.Waiting == "" && len(s.Peers) == 2 }
	says(t, first, peerstate.Status{Name: leader.config.Node, Role: "leader"}, works)
	says(t, first, peerstate.Status{Name: second.config.Node, Role: "follower"}, works)
	says(t, leader, peerstate.Status{Name: first.config.Node, Role: "follower"}, works)

	c.stop(second.config.Node)
	gone := peerstate.Status{Name: second.config.Node, Reason: "connection refused"}
	says(t, leader, gone, works)
	c.stop(leader.config.Node)
	says(t, first, gone, func(s Status) bool {
		return s.Reads && !s.Writes && strings.HasPrefix(s.Waiting, "no leader; reads are served, writes wait; ") &&
			strings.Contains(s.Waiting, leader.config.Node+": connection refused") && strings.Contains(s.Waiting, second.config.Node+": connection refused")
	})
	again := c.start(second.config.Node)
	says(t, first, peerstate.Status{Name: second.config.Node, Role: again.raft.role()}, func(s Status) bool { return s.Writes || s.Leader == "" })
}

// Why a node that cannot be reached is waited for stands in the reason; the files may have the nodes in any order.
func TestWhyAFirstStartWaits(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, 3)
	m := c.members
	c.membersFor = map[string]peer.Members{
		"n1": {m[2], m[0], {Name: "n2", Address: m[2].Address}}, // n2's address is n3's
		"n3": {m[1], m[2], m[0]},
	}
	n := c.start("n1")
	waits := func(what string) {
		t.Helper()
		eventually(t, what, func() bool { return strings.Contains(n.Status().Waiting, what) })
	}
	waits("n2: connection refused")
	waits("n3: connection refused")
	c.start("n3")
	waits("n2: " + m[2].Address + " is n3 of this cluster")
	c.stop("n1")
	delete(c.membersFor, "n1")
	n = c.start("n1")
	config := c.config("n2")
	config.Members = peer.Members{m[0], m[1], m[2], {Name: "n4", Address: "127.0.0.1:1"}}
	other, err := Open(config)
	if err != nil {
		t.Fatal(err)
	}
	c.add(other)
	waits("n2: has another list of nodes: n1, n2, n3, n4")
	says(t, n, peerstate.Status{Name: "n2", Reason: "has another list of nodes"}, func(s Status) bool { return !s.Reads && !s.Writes })
	c.stop("n2")
	c.membersFor["n2"] = peer.Members{m[1], m[2], m[0]}
	c.start("n2")
	for _, n := range c.nodes {
		eventually(t, n.config.Node+" ready", n.Ready)
	}
}

// Nobody leading is a warning once it has lasted, with who does not answer; and so is its end.
func TestNoLeaderIsSaid(t *testing.T) {
	var said words
	start := time.Now()
	l := leaderLog{
		Logger: hclog.New(&hclog.LoggerOptions{Output: &said}), raft: &raft.Raft{}, since: start,
		silent: func(text string) string { return text + "; n2: connection refused" },
	}
	for _, step := range []struct {
		after  time.Duration
		leader string
	}{{0, ""}, {4 * time.Second, ""}, {6 * time.Second, ""}, {9 * time.Second, ""}} {
		l.look(step.leader, start.Add(step.after))
		if warned := said.has("[WARN]  no leader since 5 s: writes wait; n2: connection refused"); warned != (step.after >= leaderless) {
			t.Errorf("after %v it has warned: %v", step.after, warned)
		}
	}
	if strings.Count(said.text.String(), "no leader") != 1 {
		t.Errorf("it is said again and again: %s", said.text.String())
	}
}
