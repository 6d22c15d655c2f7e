package cluster

import (
	"errors"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"ciderd/internal/peer"
)

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
	select {
	case err := <-ended:
		if !errors.Is(err, errRemoved) {
			t.Errorf("it ended with %v", err)
		}
	case <-time.After(patience):
		t.Fatal("it goes on")
	}
	c.stop(name)
	if err := c.refusedStart(name); !errors.Is(err, errRemoved) {
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
	if err := n.checkMembership(t.Context()); err != nil {
		t.Errorf("on the word of one whom nobody follows: %v", err)
	}

	// A majority follows the old leader again, and this one has heard of a later term.
	streams := newStreams(t.Context(), n.members, third.self, func(string) {})
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
	if err := n.checkMembership(t.Context()); err != nil {
		t.Errorf("on the word of one of before: %v", err)
	}
}
