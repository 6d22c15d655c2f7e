package cluster

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"ciderd/internal/membership"
	"ciderd/internal/peer"
	"ciderd/internal/storage"
)

// lookOften has nodes started from now on look soon whether they are members still.
func (c *testCluster) lookOften() { c.polls.Membership = 100 * time.Millisecond }

// A server that is removed before it has anything of the log ends, is not let in again, and stays out
// until its directory is another one.
func TestRemovedWhileItCatchesUp(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, 3)
	c.linkAll()
	c.startAll()
	c.set(c.leader(), "foo", "bar")
	c.settle()
	leader, name := c.leader(), c.followers()[0].config.Node
	others := []*Node{leader, c.followers()[1]}
	victim := c.nodes[name]
	c.stop(name)
	c.wipe(name)
	for _, o := range others { // it hears nothing of Raft's
		c.link(o, victim).hold(func(f *flow) bool { return f.kind == peer.KindRaft })
	}
	n, ended := c.startEnding(name)
	eventually(t, "it is admitted", func() bool { return leader.raft.Servers().HasNonvoter(n.raft.self) })
	wantSaid(t, leader, membership.OpRemove, name, "removed "+n.raft.self)
	wantEnd(t, ended, membership.ErrRemoved)
	c.stop(name)
	if err := c.refusedStart(name); !errors.Is(err, membership.ErrRemoved) || !errors.Is(err, storage.ErrForPerson) {
		t.Errorf("it starts again: %v", err)
	}
	for _, s := range leader.raft.Servers() {
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
	t.Parallel()
	c := newTestCluster(t, 3)
	c.lookOften()
	c.startAll()
	c.set(c.leader(), "foo", "bar")
	c.settle()
	gone := c.followers()[0].network.Self
	c.stop(gone.Node)
	wantSaid(t, c.leader(), membership.OpRemove, gone.Node, "removed "+gone.ServerID)
	wantSaid(t, c.leader(), membership.OpTransfer, c.followers()[0].config.Node, "leads now")
	leader := c.leader()
	for range 2 {
		n, ended := c.startEnding(gone.Node)
		wantEnd(t, ended, membership.ErrRemoved)
		if leader.raft.isServer(gone.ServerID) || n.Ready() {
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
	c := newTestCluster(t, 4)
	c.lookOften()
	c.timing = quiet
	c.timing.Commit = DefaultTiming.Commit
	c.linkAll()
	old := c.startAllQuiet()
	c.set(old, "k", "v")
	c.settle()
	next, third, wiped := c.followers()[0], c.followers()[1], c.followers()[2]
	name := wiped.config.Node
	c.stop(name)
	wantSaid(t, old, membership.OpRemove, name, "voters now: 3")
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
	id := n.raft.self
	old.raft.AddNonvoter(raft.ServerID(id), raft.ServerAddress(id), 0, membership.ChangeTimeout)
	eventually(t, "it has the entry that lets it in", func() bool { return n.raft.isServer(id) })
	c.link(wiped, old).hold(nil)
	eventually(t, "it is ready", n.Ready)
	if next.raft.isServer(id) || third.raft.isServer(id) {
		t.Fatal("the others have that entry")
	}
	if joined, err := n.membership.Joined(); joined || err != nil {
		t.Fatalf("a member already: %v, %v", joined, err)
	}
	if restarted {
		c.stop(name)
	}
	next.campaigner.campaign(old.raft.self)
	eventually(t, "another leader", func() bool { return next.Status().Role == "leader" && third.raft.Leader() == next.raft.self })
	for _, o := range []*Node{next, third} {
		c.link(old, o).hold(nil)
	}
	if restarted {
		n = c.start(name)
	}
	eventually(t, "it is let in", func() bool { return next.raft.isServer(id) })
	eventually(t, "its vote", func() bool { return n.Status().Voter })
	eventually(t, "ready", n.Ready)
	c.set(n, "k", "w")
	eventually(t, "it remembers that", func() bool {
		joined, err := n.storage.Notes().Joined()
		return joined && err == nil
	})
}

// The node that forms the cluster is a member from then on, though nobody leads yet.
func TestMemberByForming(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, 3)
	c.timing = quiet
	for _, m := range c.members {
		c.start(m.Name)
	}
	eventually(t, "it is noted", func() bool {
		for _, n := range c.nodes {
			if joined, err := n.storage.Notes().Joined(); joined && err == nil {
				return n.raft.CommitIndex() == 0
			}
		}
		return false
	})
}

// A server of an earlier release has no note that it is a member, but mostly a vote.
func TestMemberWithoutANote(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, 1)
	c.startAll()
	n := c.nodes["n1"]
	c.set(n, "k", "v")
	noted := func() bool {
		joined, err := n.storage.Notes().Joined()
		return joined && err == nil
	}
	eventually(t, "it is noted", noted)
	c.stop("n1")
	st, err := storage.Open(filepath.Join(c.dir, "n1"), hclog.NewNullLogger(), func(err error) { t.Error(err) })
	if err == nil {
		err = errors.Join(st.Stable.Set([]byte("ciderd.joined"), nil), st.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	n = c.start("n1")
	eventually(t, "it is noted again", noted)
}

// That a server was removed is believed of a leader that a majority follows, and not of one that only
// thinks that it leads, nor of one of before what the server knows.
func TestRemovalOfAnotherTimeIsNotBelieved(t *testing.T) {
	t.Parallel()
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
	removal := old.raft.RemoveServer(raft.ServerID(n.raft.self), 0, membership.ChangeTimeout)
	eventually(t, "it is removed there", func() bool { return !old.raft.isServer(n.raft.self) })
	if a := n.peers.Ask(t.Context(), old.config.Node); a == nil || len(a.Servers) != 2 {
		t.Fatalf("the old leader says %+v", a)
	}
	if wrong, err := n.membership.Check(t.Context()); err != nil || wrong != "" {
		t.Errorf("on the word of one whom nobody follows: %q, %v", wrong, err)
	}

	// A majority follows the old leader again, and this one has heard of a later term.
	streams := newStreams(t.Context(), third.network)
	transport := newTransport(streams, hclog.NewNullLogger(), patience)
	defer transport.Close()
	term := old.raft.CurrentTerm()
	request := &raft.RequestVoteRequest{RPCHeader: third.raft.header(third.transport), Term: term + 5, LeadershipTransfer: true}
	address := raft.ServerAddress(n.raft.self)
	if err := transport.RequestVote(raft.ServerID(address), address, request, &raft.RequestVoteResponse{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a later term", func() bool { return n.raft.CurrentTerm() == term+5 })
	c.link(old, third).hold(nil)
	if err := removal.Error(); err != nil {
		t.Fatal(err)
	}
	if err := old.raft.Confirm(patience); err != nil || old.raft.Term() != term || len(old.raft.Servers()) != 2 {
		t.Fatalf("the old leader is not confirmed: %v, %v", old.raft.Servers(), err)
	}
	if _, err := n.membership.Check(t.Context()); err != nil {
		t.Errorf("on the word of one of before: %v", err)
	}
}
