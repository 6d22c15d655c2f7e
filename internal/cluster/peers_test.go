package cluster

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"ciderd/internal/peer"
)

func pollOften(t *testing.T) {
	before := recoveryPoll
	recoveryPoll = 50 * time.Millisecond
	t.Cleanup(func() { recoveryPoll = before })
}

// says waits until a node's status has a peer as wanted, and the rest as asked for.
func says(t *testing.T, n *Node, want PeerStatus, rest func(Status) bool) {
	t.Helper()
	var last Status
	defer func() {
		if t.Failed() {
			t.Logf("%s: %+v", n.self.Node, last)
		}
	}()
	eventually(t, fmt.Sprintf("%s says %+v", n.self.Node, want), func() bool {
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
	pollOften(t)
	c := newTestCluster(t, 3)
	c.startAll()
	c.set(c.leader(), "k", "v")
	c.settle()
	leader, first, second := c.leader(), c.followers()[0], c.followers()[1]
	works := func(s Status) bool { return s.Reads && s.Writes && s.Waiting == "" && len(s.Peers) == 2 }
	says(t, first, PeerStatus{Name: leader.self.Node, Role: "leader"}, works)
	says(t, first, PeerStatus{Name: second.self.Node, Role: "follower"}, works)
	says(t, leader, PeerStatus{Name: first.self.Node, Role: "follower"}, works)

	c.stop(second.self.Node)
	gone := PeerStatus{Name: second.self.Node, Reason: "connection refused"}
	says(t, leader, gone, works)
	c.stop(leader.self.Node)
	says(t, first, gone, func(s Status) bool {
		return s.Reads && !s.Writes && strings.HasPrefix(s.Waiting, "no leader; reads are served, writes wait; ") &&
			strings.Contains(s.Waiting, leader.self.Node+": connection refused") && strings.Contains(s.Waiting, second.self.Node+": connection refused")
	})
	again := c.start(second.self.Node)
	says(t, first, PeerStatus{Name: second.self.Node, Role: again.role()}, func(s Status) bool { return s.Writes || s.Leader == "" })
}

// Why a node that cannot be reached is waited for stands in the reason; the files may have the nodes in any order.
func TestWhyAFirstStartWaits(t *testing.T) {
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
	says(t, n, PeerStatus{Name: "n2", Reason: "has another list of nodes"}, func(s Status) bool { return !s.Reads && !s.Writes })
	c.stop("n2")
	c.membersFor["n2"] = peer.Members{m[1], m[2], m[0]}
	c.start("n2")
	for _, n := range c.nodes {
		eventually(t, n.self.Node+" ready", n.Ready)
	}
}

// What other hosts say is shown in lines, and is bounded.
func TestReasonsAreOneLine(t *testing.T) {
	var p peers
	p.set(PeerStatus{Name: "n2", Reason: "a\nEND\xff\x1b[2J" + strings.Repeat("é", 1000)})
	got := p.of("n2").Reason
	if !strings.HasPrefix(got, "a?END??[2Jé") || len(got) > reasonLimit+3 {
		t.Errorf("%d bytes: %q", len(got), got)
	}
	if got := (&stateAnswer{Role: "x\ny"}).role(); got != "follower" {
		t.Errorf("role %q", got)
	}
}

// Nobody leading is a warning once it has lasted, with who does not answer; and so is its end.
func TestNoLeaderIsSaid(t *testing.T) {
	var said words
	n := &Node{
		log: hclog.New(&hclog.LoggerOptions{Output: &said}), self: peer.Identity{Node: "n1"},
		members: peer.Members{{Name: "n1"}, {Name: "n2"}}, raft: &raft.Raft{},
	}
	n.peers.set(PeerStatus{Name: "n2", Reason: "connection refused"})
	start := time.Now()
	l := leaderLog{node: n, since: start}
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
