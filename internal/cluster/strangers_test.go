package cluster

import (
	"context"
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"ciderd/internal/fsm"
	"ciderd/internal/membership"
	"ciderd/internal/peer"
)

// A server that is in no configuration is told what it needs to be let in, and asks for no more.
func TestQuestionsOfStrangers(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, 3)
	c.startAll()
	c.set(c.leader(), "k", "v")
	c.settle()
	leader, gone := c.leader(), c.followers()[0].network.Self
	c.stop(gone.Node)
	stranger := gone
	stranger.ServerID, stranger.Nonce = gone.Node+"/another", "x"
	address, _ := c.members.Address(leader.raft.self)
	client := peer.NewClient(func() string { return address }, stranger, leader.raft.self)
	t.Cleanup(client.Close)
	ask := func(name string, q any) (a map[string]json.RawMessage) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		if err := client.Call(ctx, map[string]any{name: q}, &a); err != nil {
			t.Fatal(err)
		}
		return a
	}
	if a := ask("State", struct{}{}); a["State"] == nil {
		t.Errorf("no state: %s", a)
	}
	for name, q := range map[string]map[string]any{
		"Members": {}, "Change": {"Op": membership.OpRemove, "Name": gone.Node, "TimeoutMS": 5000},
		"Marks": {}, "ReadIndex": {"TimeoutMS": 1000}, "Silence": {"ServerID": gone.ServerID},
	} {
		if a := ask(name, q); a["Error"] == nil {
			t.Errorf("%s is answered %s", name, a)
		}
	}
	if a := ask("Join", map[string]any{"ServerID": gone.Node + "/third"}); a["Join"] == nil || strings.Contains(string(a["Join"]), `"Admitted":true`) {
		t.Errorf("it joins as another: %s", a)
	}
	if !leader.raft.isServer(gone.ServerID) {
		t.Error("a stranger has had a server removed")
	}
}

// A batch is of the incarnation that its connection's hello says; of one that does not say it, of one that can be.
func TestBatchesOfAnotherIncarnation(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, 3)
	c.startAll()
	c.set(c.followers()[0], "k", "v")
	c.settle()
	leader, gone := c.leader(), c.followers()[0].network.Self
	c.stop(gone.Node)
	row := leader.fsm.Incarnation(gone.ServerID)
	address, _ := c.members.Address(leader.raft.self)
	for name, try := range map[string]struct {
		hello, batch uint64
		taken        bool
	}{
		"another":             {row + 1, row + 2, false},
		"the last there is":   {math.MaxUint64, math.MaxUint64, false},
		"the last, not said":  {0, math.MaxUint64, false},
		"too far, not said":   {0, row + maxStartsAhead + 1, false},
		"too far, and said":   {row + maxStartsAhead + 1, row + maxStartsAhead + 1, false},
		"its own, of the row": {row, row, true},
	} {
		as := gone
		as.Incarnation = try.hello
		conn, _, err := peer.Dial(t.Context(), address, as, leader.raft.self, peer.KindForward)
		if err != nil {
			t.Fatal(name, err)
		}
		b := fsm.AppendBatch(nil, fsm.Header{Origin: []byte(gone.ServerID), Incarnation: try.batch, Sequence: 1 << 40, Count: 1},
			fsm.AppendCommand(nil, &fsm.Command{Op: fsm.OpSweep}))
		if _, err := conn.Write(append(peer.AppendFrame(nil, len(b)), b...)); err != nil {
			t.Fatal(name, err)
		}
		_ = conn.SetReadDeadline(time.Now().Add(time.Second))
		if n, _ := conn.Read(make([]byte, 256)); (n == 0) != try.taken {
			t.Errorf("%s: taken: %v", name, n == 0)
		}
		conn.Close()
	}
	if now := leader.fsm.Incarnation(gone.ServerID); now != row {
		t.Errorf("the row is %d, was %d", now, row)
	}
	eventually(t, "it writes", c.start(gone.Node).Ready)
	c.set(c.nodes[gone.Node], "k", "w")
}

// A server that the state is ahead of, because somebody wrote in its name or its directory is an old copy, goes on
// above that: what it had sent is written once, and it stays above after its next start.
func TestStateAheadOfItsServer(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, 3)
	c.startAll()
	c.set(c.leader(), "k", "v")
	c.settle()
	leader, n := c.leader(), c.followers()[0]
	name, id := n.config.Node, n.raft.self
	was := n.storage.Incarnation
	future, err := leader.forwards.entries.enqueue(fsm.AppendBatch(nil, fsm.Header{Origin: []byte(id), Incarnation: was + 500_000, Sequence: 1, Count: 1},
		fsm.AppendCommand(nil, &fsm.Command{Op: fsm.OpSweep})))
	if err != nil || future.Error() != nil {
		t.Fatal(err, future.Error())
	}
	for i := range 20 {
		if r := c.do(n, &fsm.Command{Op: fsm.OpIncr, User: c.uid, Key: []byte("n"), N: 1}); r.N != int64(i+1) {
			t.Fatalf("write %d gives %v", i+1, r)
		}
	}
	if row := leader.fsm.Incarnation(id); row != was+500_001 {
		t.Errorf("its batches are of %d", row)
	}
	c.stop(name)
	n = c.start(name)
	eventually(t, "ready", n.Ready)
	c.set(n, "k", "w")
	if row := leader.fsm.Incarnation(id); row != was+500_002 {
		t.Errorf("after its next start its batches are of %d", row)
	}
}

// A node that does not answer when it is dialled, and is heard of by Raft and by the others, is not replaced.
func TestWhoIsHeardOfIsNotReplaced(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, 3)
	c.linkAll()
	c.startAll()
	c.set(c.leader(), "k", "v")
	c.settle()
	leader, n := c.leader(), c.followers()[0]
	c.link(leader, n).hold(func(f *flow) bool { return f.kind == peer.KindQuery })
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(250 * time.Millisecond) {
		if leader.membership.Gone(t.Context(), n.raft.self) == nil {
			t.Fatal("it could be replaced")
		}
	}
	c.link(leader, n).hold(nil)
	c.set(n, "k", "w")
	c.stop(n.config.Node)
	eventually(t, "it can be replaced when it is gone", func() bool {
		return leader.membership.Gone(t.Context(), n.raft.self) == nil
	})
}

// A process on a copy of a directory ends before it is anything, and one that says it is not the one that runs is
// not believed; the one that runs goes on.
func TestCopyOfADirectory(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, 3)
	c.startAll()
	c.set(c.leader(), "k", "v")
	c.settle()
	n := c.followers()[0]
	for _, o := range c.nodes {
		if o != n {
			eventually(t, "its claim is heard", func() bool { return o.port.Claimed(n.raft.self) })
		}
	}
	self := n.network.Self
	self.Nonce = "another"
	for _, m := range c.members {
		_, remote, err := peer.Dial(t.Context(), m.Address, self, m.Name, peer.KindRaft)
		if err == nil {
			t.Errorf("%s welcomes it", remote.ServerID)
		}
	}
	own, _ := c.members.Address(n.raft.self)
	if other := peer.AskSelf(t.Context(), nil, own, self); other == nil || !other.Runs {
		t.Error("it does not find the one that runs")
	}
	c.set(n, "k", "w")
}
