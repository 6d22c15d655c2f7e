package cluster

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"ciderd/internal/membership"
	"ciderd/internal/peer"
	"ciderd/internal/recovery"
	"ciderd/internal/storage"
)

func (c *testCluster) recovery(name string) *recovery.Survivor {
	return &recovery.Survivor{
		Cluster: "test", Node: name, Members: c.members, DataDir: filepath.Join(c.dir, name), Log: hclog.NewNullLogger(),
	}
}

func (c *testCluster) recover(name string) *recovery.Result {
	c.t.Helper()
	done, err := c.recovery(name).Run(c.t.Context())
	if err != nil {
		c.t.Fatalf("recover %s: %v", name, err)
	}
	return done
}

// One survivor of three goes on; wiped others join it; all have what it had.
func TestRecover(t *testing.T) {
	t.Parallel()
	for _, snapshot := range []bool{false, true} {
		t.Run(map[bool]string{false: "log only", true: "with a snapshot"}[snapshot], func(t *testing.T) {
			c := newTestCluster(t, 3)
			c.startAll()
			c.set(c.leader(), "foo", "bar")
			if snapshot {
				c.settle()
				for _, n := range c.nodes {
					n.snapshots.take(1, 1)
				}
			}
			c.set(c.leader(), "k", "v")
			c.settle()
			survivor := c.followers()[0].network.Self
			c.stopAll()
			plan, err := c.recovery(survivor.Node).Plan(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if (plan.SnapshotIndex > 0) != snapshot || plan.Open == 0 || plan.OpenCommands == 0 || plan.Users != 1 ||
				plan.ServerID != survivor.ServerID || len(plan.Voters) != 3 || len(plan.Answering) != 0 ||
				time.Since(plan.LastWrite).Abs() > time.Hour || !plan.QuorumLost() {
				t.Errorf("the plan: %+v", plan)
			}
			done := c.recover(survivor.Node)
			if done.Now == survivor.ServerID || peer.NodeName(done.Now) != survivor.Node {
				t.Errorf("it is %s, and was %s", done.Now, survivor.ServerID)
			}
			kept := &recovery.Survivor{Cluster: "test", Node: survivor.Node, DataDir: done.Copy, Log: hclog.NewNullLogger()}
			if p, err := kept.Plan(t.Context()); err != nil || p.LastIndex != plan.LastIndex || p.ServerID != survivor.ServerID {
				t.Errorf("the copy: %+v, %v", p, err)
			}
			n := c.start(survivor.Node)
			eventually(t, "ready", n.Ready)
			if got := c.get(n, "foo") + c.get(n, "k"); n.raft.self != done.Now || got != "barv" {
				t.Errorf("%s has %q", n.raft.self, got)
			}
			c.set(n, "after", "it")
			for _, m := range c.members {
				if m.Name != survivor.Node {
					c.wipe(m.Name)
					other := c.start(m.Name)
					eventually(t, m.Name+" votes", func() bool { return other.Status().Voter && other.Ready() })
				}
			}
			c.settle()
			for name, n := range c.nodes {
				if got := c.get(n, "foo") + c.get(n, "k") + c.get(n, "after"); got != "barvit" {
					t.Errorf("%s has %q", name, got)
				}
				if n.recoveredAt() == 0 {
					t.Errorf("%s does not know that its cluster was recovered", name)
				}
			}
		})
	}
}

func TestRecoverRefuses(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, 3)
	c.startAll()
	c.set(c.leader(), "foo", "bar")
	c.settle()
	name := c.followers()[0].config.Node
	for _, try := range []func() error{
		func() error { _, err := c.recovery(name).Plan(t.Context()); return err },
		func() error { _, err := c.recovery(name).Run(t.Context()); return err },
	} {
		if err := try(); err == nil || !strings.Contains(err.Error(), "in use by another process") {
			t.Errorf("while the node runs: %v", err)
		}
	}
	c.stop(name)
	plan, err := c.recovery(name).Plan(t.Context())
	if err != nil || plan.QuorumLost() || len(plan.Answering) != 2 {
		t.Errorf("the plan beside a quorum: %+v, %v", plan, err)
	}
	before, err := os.ReadDir(c.dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.recovery(name).Run(t.Context()); err == nil || !strings.Contains(err.Error(), "quorum is not lost") {
		t.Errorf("beside a quorum: %v", err)
	}
	if after, _ := os.ReadDir(c.dir); len(after) != len(before) {
		t.Errorf("it left something behind: %v", after)
	}
	c.wipe(name)
	if _, err := c.recovery(name).Plan(t.Context()); err == nil {
		t.Error("a plan for an empty directory")
	}
	eventually(t, "it is let in again", c.start(name).Ready)
}

// Old servers that come back with their data are a majority of what the cluster was. They must not
// serve anyone while the recovered node can be reached.
func TestOldServersAfterRecovery(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, 3)
	c.startAll()
	c.set(c.leader(), "foo", "bar")
	c.settle()
	survivor := c.followers()[0].config.Node
	c.stopAll()
	c.recover(survivor)
	n := c.start(survivor)
	eventually(t, "ready", n.Ready)
	c.set(n, "k", "v")
	var old []*Node
	ended := map[*Node]<-chan error{}
	for _, m := range c.members {
		if m.Name != survivor {
			n, e := c.startEnding(m.Name)
			old = append(old, n)
			ended[n] = e
		}
	}
	for _, o := range old {
		if err := <-ended[o]; !errors.Is(err, membership.ErrRecoveredWithout) && !errors.Is(err, membership.ErrRemoved) {
			t.Errorf("%s ended with %v", o.config.Node, err)
		}
		if o.Ready() {
			t.Errorf("%s serves", o.config.Node)
		}
	}
	if servers := n.raft.Servers(); len(servers) != 1 {
		t.Errorf("the recovered cluster has %v", servers)
	}
	for _, o := range old {
		c.stop(o.config.Node)
		c.wipe(o.config.Node)
	}
	for _, o := range old {
		c.ending.Delete(o.config.Node)
		n := c.start(o.config.Node)
		eventually(t, o.config.Node+" votes", func() bool { return n.Status().Voter && n.Ready() })
		if got := c.get(n, "k"); got != "v" {
			t.Errorf("%s has k %q", o.config.Node, got)
		}
	}
}

// Old servers that came back where they could not reach the recovered node are a cluster of their own,
// and serve. When they can reach it, they end by themselves, naming it; it leads on as if nothing had
// been, and has nothing of theirs.
func TestOldServersMeetTheRecoveredOne(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, 3)
	c.startAll()
	c.set(c.leader(), "foo", "bar")
	c.settle()
	survivor := c.followers()[0].config.Node
	c.stopAll()
	c.recover(survivor)
	ended := map[*Node]<-chan error{}
	for _, m := range c.members {
		if m.Name != survivor {
			n, e := c.startEnding(m.Name)
			ended[n] = e
		}
	}
	for range 5 { // their terms are far ahead of the recovered one's
		old := c.leader()
		if err := old.Transfer(t.Context()); err != nil {
			t.Log("transfer:", err)
		}
	}
	eventually(t, "the old ones serve", c.leader().Ready)
	c.set(c.leader(), "foo", "of the old")
	n := c.start(survivor)
	for old, why := range ended {
		var err error
		select {
		case err = <-why:
		case <-time.After(patience):
		}
		if !errors.Is(err, membership.ErrRecoveredWithout) || !errors.Is(err, storage.ErrForPerson) || !strings.Contains(err.Error(), n.raft.self) || !strings.Contains(err.Error(), old.raft.self) {
			t.Errorf("%s ended with %v", old.config.Node, err)
		}
	}
	eventually(t, "the recovered one serves", n.Ready)
	if got := c.get(n, "foo"); got != "bar" || len(n.raft.Servers()) != 1 || n.Status().Role != "leader" {
		t.Errorf("%s has %q, is %s of %v", survivor, got, n.Status().Role, n.raft.Servers())
	}
	c.set(n, "k", "v")
}
