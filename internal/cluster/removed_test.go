package cluster

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"ciderd/internal/peer"
	"ciderd/internal/storage"
)

// lookOften has nodes look soon whether they are members still; before the cluster is made.
func lookOften(t *testing.T) {
	before := membershipPoll
	membershipPoll = 100 * time.Millisecond
	t.Cleanup(func() { membershipPoll = before })
}

// A server that is removed before it has anything of the log ends, is not let in again, and stays out
// until its directory is another one.
func TestRemovedWhileItCatchesUp(t *testing.T) {
	c := newTestCluster(t, 3)
	c.linkAll()
	c.startAll()
	c.set(c.leader(), "foo", "bar")
	c.settle()
	leader, name := c.leader(), c.followers()[0].self.Node
	others := []*Node{leader, c.followers()[1]}
	victim := c.nodes[name]
	c.stop(name)
	c.wipe(name)
	for _, o := range others { // it hears nothing of Raft's
		c.link(o, victim).hold(func(f *flow) bool { return f.kind == peer.KindRaft })
	}
	n, ended := c.startEnding(name)
	eventually(t, "it is admitted", func() bool { return leader.hasNonvoter(n.self.ServerID) })
	wantSaid(t, leader, OpRemove, name, "removed "+n.self.ServerID)
	wantEnd(t, ended, errRemoved)
	c.stop(name)
	if err := c.refusedStart(name); !errors.Is(err, errRemoved) || !errors.Is(err, storage.ErrForPerson) {
		t.Errorf("it starts again: %v", err)
	}
	for _, s := range leader.servers() {
		if peer.NodeName(string(s.ID)) == name {
			t.Errorf("%s is a member again", s.ID)
		}
	}
	for _, o := range others {
		c.link(o, victim).hold(nil)
	}
	c.wipe(name)
	c.ending.Delete(name)
	eventually(t, "another one is let in", c.start(name).Ready)
}

// A server that was removed while it was down ends when it starts, and whenever it does, also when the
// leader is one that has not removed it itself.
func TestRemovedWhileDown(t *testing.T) {
	lookOften(t)
	c := newTestCluster(t, 3)
	c.startAll()
	c.set(c.leader(), "foo", "bar")
	c.settle()
	gone := c.followers()[0].self
	c.stop(gone.Node)
	wantSaid(t, c.leader(), OpRemove, gone.Node, "removed "+gone.ServerID)
	wantSaid(t, c.leader(), OpTransfer, c.followers()[0].self.Node, "leads now")
	leader := c.leader()
	for range 2 {
		n, ended := c.startEnding(gone.Node)
		wantEnd(t, ended, errRemoved)
		if leader.isServer(gone.ServerID) || n.Ready() {
			t.Errorf("it is a member again; ready: %v", n.Ready())
		}
		c.stop(gone.Node)
	}
}

// A new server is being let in, and has that entry of the log, and is ready even, when the leader is
// replaced before anybody else has it. The next one does not have the server: it was not removed, and asks
// again.
func TestAdmissionCutShort(t *testing.T) {
	for _, restarted := range []bool{true, false} {
		t.Run(fmt.Sprintf("restarted=%v", restarted), func(t *testing.T) { admissionCutShort(t, restarted) })
	}
}

func admissionCutShort(t *testing.T, restarted bool) {
	lookOften(t)
	c := newTestCluster(t, 4)
	c.timing = quiet
	c.timing.Commit = DefaultTiming.Commit
	c.linkAll()
	old := c.startAllQuiet()
	c.set(old, "k", "v")
	c.settle()
	next, third, wiped := c.followers()[0], c.followers()[1], c.followers()[2]
	name := wiped.self.Node
	c.stop(name)
	wantSaid(t, old, OpRemove, name, "voters now: 3")
	c.wipe(name)
	for _, o := range []*Node{next, third} { // a majority is enough for the removal, and next is to win
		eventually(t, "all have its removal", func() bool { return o.raft.LastIndex() == old.raft.LastIndex() })
		c.link(old, o).hold(func(f *flow) bool { return f.kind == peer.KindRaft })
	}
	// It is let in without its asking, for the answer would come when others have that entry.
	c.link(wiped, old).hold(func(f *flow) bool { // but the old leader must be who it says
		return !f.reply && f.place > 1
	})
	c.timing = DefaultTiming // for this one: it is to notice silence
	n := c.start(name)
	id := n.self.ServerID
	old.raft.AddNonvoter(raft.ServerID(id), raft.ServerAddress(id), 0, changeTimeout)
	eventually(t, "it has the entry that lets it in", func() bool { return n.isServer(id) })
	c.link(wiped, old).hold(nil)
	eventually(t, "it is ready", n.Ready)
	if next.isServer(id) || third.isServer(id) {
		t.Fatal("the others have that entry")
	}
	if joined, err := n.hasJoined(); joined || err != nil {
		t.Fatalf("a member already: %v, %v", joined, err)
	}
	if restarted {
		c.stop(name)
	}
	next.standFor(old.self.ServerID)
	eventually(t, "another leader", func() bool { return next.Status().Role == "leader" && third.leader() == next.self.ServerID })
	for _, o := range []*Node{next, third} {
		c.link(old, o).hold(nil)
	}
	if restarted {
		n = c.start(name)
	}
	eventually(t, "it is let in", func() bool { return next.isServer(id) })
	eventually(t, "its vote", func() bool { return n.Status().Voter })
	eventually(t, "ready", n.Ready)
	c.set(n, "k", "w")
	eventually(t, "it remembers that", func() bool {
		joined, err := n.storage.Joined()
		return joined && err == nil
	})
}

// The node that forms the cluster is a member from then on, though nobody leads yet.
func TestMemberByForming(t *testing.T) {
	c := newTestCluster(t, 3)
	c.timing = quiet
	for _, m := range c.members {
		c.start(m.Name)
	}
	eventually(t, "it is noted", func() bool {
		for _, n := range c.nodes {
			if joined, err := n.storage.Joined(); joined && err == nil {
				return n.raft.CommitIndex() == 0
			}
		}
		return false
	})
}

// A server that comes by its place in the configuration with a snapshot gets no entry that tells so; and one
// of an earlier release has no note, but mostly a vote.
func TestMemberWithoutANote(t *testing.T) {
	c := newTestCluster(t, 1)
	c.startAll()
	n := c.nodes["n1"]
	c.set(n, "k", "v")
	noted := func() bool {
		joined, err := n.storage.Joined()
		return joined && err == nil
	}
	eventually(t, "it is noted", noted)
	n.joined.Store(false)
	if err := n.storage.Stable.Set([]byte("ciderd.joined"), nil); err != nil {
		t.Fatal(err)
	}
	if joined, err := n.hasJoined(); !joined || err != nil {
		t.Errorf("with a vote: %v, %v", joined, err)
	}
	if in, err := n.inSnapshot(); in || err != nil {
		t.Fatalf("without a snapshot: %v, %v", in, err)
	}
	if err := n.raft.Snapshot().Error(); err != nil {
		t.Fatal(err)
	}
	if in, err := n.inSnapshot(); !in || err != nil {
		t.Errorf("with a snapshot: %v, %v", in, err)
	}
	n.restored(0, 0)
	eventually(t, "it is noted again", noted)
}

// That a server was removed is believed of a leader that a majority follows, and not of one that only
// thinks that it leads, nor of one of before what the server knows.
func TestRemovalOfAnotherTimeIsNotBelieved(t *testing.T) {
	c := newTestCluster(t, 3)
	c.timing = quiet
	c.timing.Commit = DefaultTiming.Commit
	c.linkAll()
	old := c.startAllQuiet()
	n, third := c.followers()[0], c.followers()[1]
	c.set(old, "k", "v")
	c.settle()
	for _, to := range []*Node{n, third} {
		c.link(old, to).hold(func(*flow) bool { return true })
	}
	removal := old.raft.RemoveServer(raft.ServerID(n.self.ServerID), 0, changeTimeout)
	eventually(t, "it is removed there", func() bool { return !old.isServer(n.self.ServerID) })
	if a := n.stateOf(t.Context(), old.self.Node); a == nil || len(a.Servers) != 2 {
		t.Fatalf("the old leader says %+v", a)
	}
	if wrong, err := n.checkMembership(t.Context()); err != nil || wrong != "" {
		t.Errorf("on the word of one whom nobody follows: %q, %v", wrong, err)
	}

	// A majority follows the old leader again, and this one has heard of a later term.
	streams := newStreams(t.Context(), n.members, third.self)
	transport := newTransport(streams, hclog.NewNullLogger(), patience)
	defer transport.Close()
	term := old.raft.CurrentTerm()
	request := &raft.RequestVoteRequest{RPCHeader: third.rpcHeader(), Term: term + 5, LeadershipTransfer: true}
	address := raft.ServerAddress(n.self.ServerID)
	if err := transport.RequestVote(raft.ServerID(address), address, request, &raft.RequestVoteResponse{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a later term", func() bool { return n.raft.CurrentTerm() == term+5 })
	c.link(old, third).hold(nil)
	if err := removal.Error(); err != nil {
		t.Fatal(err)
	}
	if a, err := old.confirmedServers(); err != nil || a.Term != term || len(a.IDs) != 2 {
		t.Fatalf("the old leader is not confirmed: %+v, %v", a, err)
	}
	if _, err := n.checkMembership(t.Context()); err != nil {
		t.Errorf("on the word of one of before: %v", err)
	}
}
