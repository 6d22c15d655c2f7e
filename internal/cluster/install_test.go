package cluster

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"ciderd/internal/peer"
	"ciderd/internal/storage"
)

// speakAs returns a transport that speaks to the nodes as one of them that is stopped.
func (c *testCluster) speakAs(id peer.Identity) *raft.NetworkTransport {
	s := newStreams(c.t.Context(), testNetwork(id, c.members))
	transport := newTransport(s, hclog.NewNullLogger(), rpcTimeout)
	c.t.Cleanup(func() { _ = transport.Close() })
	return transport
}

// sendNewest sends a node the newest snapshot of one that is stopped, and one entry behind it, as a
// leader of a term that gets no further. It returns the index of the entry.
func (c *testCluster) sendNewest(from peer.Identity, to *Node, term uint64) uint64 {
	c.t.Helper()
	st, err := storage.Look(filepath.Join(c.dir, from.Node), hclog.NewNullLogger())
	if err != nil {
		c.t.Fatal(err)
	}
	defer st.Close()
	list, err := st.Snapshots.List()
	if err != nil || len(list) == 0 {
		c.t.Fatalf("%d snapshots, %v", len(list), err)
	}
	meta, state, err := st.Snapshots.Open(list[0].ID)
	if err != nil {
		c.t.Fatal(err)
	}
	defer func(r io.Closer) { _ = r.Close() }(state)
	as := c.speakAs(from)
	id, address := raft.ServerID(to.raft.self), raft.ServerAddress(to.raft.self)
	me := as.EncodePeer("", raft.ServerAddress(from.ServerID))
	header := raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax, ID: []byte(from.ServerID), Addr: me}
	var installed raft.InstallSnapshotResponse
	err = as.InstallSnapshot(id, address, &raft.InstallSnapshotRequest{
		RPCHeader: header, SnapshotVersion: meta.Version, Term: term, Leader: me, LastLogIndex: meta.Index, LastLogTerm: meta.Term,
		Configuration: raft.EncodeConfiguration(meta.Configuration), ConfigurationIndex: meta.ConfigurationIndex, Size: meta.Size,
	}, &installed, state)
	if err != nil || !installed.Success {
		c.t.Fatalf("installing %d: %v, %v", meta.Index, installed.Success, err)
	}
	var added raft.AppendEntriesResponse
	err = as.AppendEntries(id, address, &raft.AppendEntriesRequest{
		RPCHeader: header, Term: term, PrevLogEntry: meta.Index, PrevLogTerm: meta.Term, LeaderCommitIndex: meta.Index,
		Entries: []*raft.Log{{Index: meta.Index + 1, Term: term, Type: raft.LogNoop}},
	}, &added)
	if err != nil || !added.Success {
		c.t.Fatalf("the entry behind %d: %v, %v", meta.Index, added.Success, err)
	}
	return meta.Index + 1
}

// installForEver sends a node a snapshot of gigabytes from the leader, and returns once some of it is
// there. The connection stays when the leader is stopped, as that of a process that hangs does.
func (c *testCluster) installForEver(leader, to *Node, state io.Reader) {
	c.t.Helper()
	as := c.speakAs(leader.network.Self)
	id, address := raft.ServerID(to.raft.self), raft.ServerAddress(to.raft.self)
	me := as.EncodePeer("", raft.ServerAddress(leader.raft.self))
	future := leader.raft.GetConfiguration()
	if err := future.Error(); err != nil {
		c.t.Fatal(err)
	}
	term := leader.raft.CurrentTerm()
	request := &raft.InstallSnapshotRequest{
		RPCHeader:       raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax, ID: []byte(leader.raft.self), Addr: me},
		SnapshotVersion: 1, Term: term, Leader: me, LastLogIndex: leader.raft.LastIndex(), LastLogTerm: term,
		Configuration: raft.EncodeConfiguration(future.Configuration()), ConfigurationIndex: future.Index(), Size: 1 << 40,
	}
	var wg sync.WaitGroup
	wg.Go(func() { _ = as.InstallSnapshot(id, address, request, &raft.InstallSnapshotResponse{}, state) })
	c.t.Cleanup(wg.Wait)
	eventually(c.t, "some of the snapshot", func() bool {
		for _, name := range c.unfinished(to) {
			if info, err := os.Stat(filepath.Join(name, "state.bin")); err == nil && info.Size() > 0 {
				return true
			}
		}
		return false
	})
}

// unfinished is the directories of snapshots of a node that are being written, or left behind.
func (c *testCluster) unfinished(n *Node) []string {
	c.t.Helper()
	names, err := filepath.Glob(filepath.Join(c.dir, n.config.Node, "snapshots", "*.tmp"))
	if err != nil {
		c.t.Fatal(err)
	}
	return names
}

// paced is a snapshot that goes on for as long as the test, at some megabytes a second.
type paced struct{ ctx context.Context }

func (r paced) Read(p []byte) (int, error) {
	select {
	case <-time.After(5 * time.Millisecond):
		return len(p), nil
	case <-r.ctx.Done():
		return 0, r.ctx.Err()
	}
}

// hanging is a sender that stops in the middle.
type hanging struct{ ctx context.Context }

func (r hanging) Read([]byte) (int, error) {
	<-r.ctx.Done()
	return 0, r.ctx.Err()
}

// A leader that hangs in the middle of sending a snapshot is replaced as any other: who is being sent it
// is needed for the vote.
func TestLeaderThatHangsWhileItSendsASnapshot(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, 3)
	c.startAll()
	old, voter := c.leader(), c.followers()[1]
	c.set(old, "k", "v")
	c.settle()
	c.installForEver(old, voter, io.MultiReader(io.LimitReader(endless{}, 1<<20), hanging{t.Context()}))
	c.stop(old.config.Node)
	c.set(c.leader(), "k", "w")
	c.settle()
	if got := c.get(voter, "k"); got != "w" {
		t.Errorf("it has %q", got)
	}
	if left := c.unfinished(voter); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// A follower ends at once while it is being sent a snapshot, however long that goes on.
func TestCloseWhileASnapshotComes(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, 3)
	c.startAll()
	leader, follower := c.leader(), c.followers()[0]
	c.installForEver(leader, follower, paced{t.Context()})
	c.wantClosed(follower)
	if left := c.unfinished(follower); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// A follower that has a newer snapshot than its leader, and behind it an entry that was lost with the
// leader before, follows without another snapshot: a cluster that writes little may take none for days.
func TestFollowerWithTheNewerSnapshot(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, 5)
	c.timing = quiet
	c.timing.Commit = DefaultTiming.Commit
	first := c.startAllQuiet()
	var rest []*Node
	for _, n := range c.nodes {
		if n != first {
			rest = append(rest, n)
		}
	}
	x, second := rest[0].config.Node, rest[1]
	c.stop(x)
	write := func(n *Node, from int) {
		for i := range 20 {
			c.set(n, fmt.Sprint("k", from+i), "v")
		}
	}
	write(first, 0)
	c.settle()
	second.snapshots.take(1, 1)
	older, _ := second.snapshots.last()
	write(first, 20)
	c.settle()
	first.snapshots.take(1, 1)
	term, id := first.raft.CurrentTerm(), first.network.Self
	c.stopAll() // so that nobody else leads before x has it
	node := c.start(x)
	node.campaigner.suspecting.Store(true) // it must not stand when the false leader's connections end
	end := c.sendNewest(id, node, term)
	if end <= older+1 {
		t.Fatalf("snapshots up to %d and %d", end-1, older)
	}
	for _, n := range rest[2:] {
		c.start(n.config.Node)
	}
	second = c.start(second.config.Node)
	second.campaigner.campaign(id.ServerID)
	eventually(t, "the second leads", func() bool { return second.Status().Role == "leader" })
	c.set(second, "after", "w")
	eventually(t, x+" follows", func() bool { return c.get(node, "after") == "w" })
	if index, _ := second.snapshots.last(); index != older {
		t.Errorf("the leader took a snapshot up to %d", index)
	}
	if got := c.get(node, "k39"); got != "v" {
		t.Errorf("k39 is %q", got)
	}
	var l raft.Log
	if err := node.storage.Logs.GetLog(end, &l); err != nil || l.Term == term {
		t.Errorf("entry %d of term %d, %v", end, l.Term, err)
	}
}

// A leader whose newest snapshot a follower refuses, as it has more than that already, takes another.
func TestRefusedSnapshotIsReplaced(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, 3)
	c.startAll()
	leader, follower := c.leader(), c.followers()[0]
	c.set(leader, "k", "v")
	leader.snapshots.take(1, 1)
	c.set(leader, "k", "w")
	c.settle()
	list, err := leader.storage.Snapshots.List()
	if err != nil || len(list) == 0 {
		t.Fatalf("%d snapshots, %v", len(list), err)
	}
	meta, state, err := leader.storage.Snapshots.Open(list[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = state.Close() }()
	id, address := raft.ServerID(follower.raft.self), raft.ServerAddress(follower.raft.self)
	err = leader.forRaft().InstallSnapshot(id, address, &raft.InstallSnapshotRequest{
		RPCHeader: leader.raft.header(leader.transport), SnapshotVersion: meta.Version, Term: leader.raft.CurrentTerm(), LastLogIndex: meta.Index, LastLogTerm: meta.Term,
		Configuration: raft.EncodeConfiguration(meta.Configuration), ConfigurationIndex: meta.ConfigurationIndex, Size: meta.Size,
	}, &raft.InstallSnapshotResponse{}, state)
	if err == nil {
		t.Fatal("the follower took a snapshot that is older than its state")
	}
	eventually(t, "a newer snapshot", func() bool {
		index, _ := leader.snapshots.last()
		return index > meta.Index
	})
	c.set(leader, "k", "x")
	c.settle()
	if got := c.get(follower, "k"); got != "x" {
		t.Errorf("the follower has %q", got)
	}
}
