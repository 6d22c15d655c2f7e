package cluster

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"ciderd/internal/recovery"
	"ciderd/internal/storage"
)

var errBrokenOff = errors.New("broken off")

// uncut is a log that cannot be cut: a recovery ends between its snapshot and its log.
type uncut struct{ raft.LogStore }

func (uncut) DeleteRange(_, _ uint64) error { return errBrokenOff }

// breakOff does the first steps of a recovery, and with half one more that does not come to its end.
func (c *testCluster) breakOff(name string, steps int, half bool) (all int) {
	c.t.Helper()
	r := c.recovery(name)
	p, err := r.Plan(c.t.Context())
	if err != nil {
		c.t.Fatal(err)
	}
	st, err := storage.Open(r.DataDir, r.Log, func(err error) { c.t.Error(err) })
	if err != nil {
		c.t.Fatal(err)
	}
	list := r.Steps(st, &recovery.Result{Plan: p})
	for _, step := range list[:steps] {
		if err := step(); err != nil {
			c.t.Fatal(err)
		}
	}
	if half {
		st.Logs = uncut{st.Logs}
		if err := list[steps](); err == nil || !strings.Contains(err.Error(), errBrokenOff.Error()) {
			c.t.Fatalf("half of step %d: %v", steps, err)
		}
	}
	if err := st.Close(); err != nil {
		c.t.Fatal(err)
	}
	return len(list)
}

// A recovery that is broken off anywhere leaves the directory as it was, or a recovered one, or one that
// no node starts on; another run finishes it, and the copy is of what there was before the first.
func TestRecoverBrokenOff(t *testing.T) {
	t.Parallel()
	const begun, rewrites = 2, 4 // steps after which it is begun; the one that rewrites
	c := newTestCluster(t, 3)
	c.startAll()
	c.set(c.leader(), "foo", "bar")
	c.settle()
	was := c.nodes["n1"].raft.self
	c.stopAll()
	dir, saved := filepath.Join(c.dir, "n1"), filepath.Join(c.dir, "saved")
	if err := os.CopyFS(saved, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	try := func(steps int, half bool) (all int) {
		c.wipe("n1")
		copies, _ := filepath.Glob(dir + ".before-recover-*")
		for _, old := range copies {
			c.wipe(filepath.Base(old))
		}
		if err := os.CopyFS(dir, os.DirFS(saved)); err != nil {
			t.Fatal(err)
		}
		all = c.breakOff("n1", steps, half)
		switch {
		case steps < begun:
			if n := c.start("n1"); n.raft.self != was || n.recoveredAt() != 0 {
				t.Errorf("after %d steps it is %s, recovered at %d", steps, n.raft.self, n.recoveredAt())
			}
			c.stop("n1")
			return all
		case steps < all:
			if err := c.refusedStart("n1"); !errors.Is(err, storage.ErrForPerson) || !strings.Contains(err.Error(), "ciderd recover was broken off in "+dir+": run it again") {
				t.Errorf("after %d steps: %v", steps, err)
			}
			p, err := c.recovery("n1").Plan(t.Context())
			if err != nil || p.BrokenOff == "" || p.ServerID != was || len(p.Voters) != 3 {
				t.Errorf("the plan after %d steps: %+v, %v", steps, p, err)
			}
			c.recover("n1")
		}
		c.checkRecovered("n1", was)
		return all
	}
	for steps, all := 0, 1; steps <= all; steps++ {
		all = try(steps, false)
	}
	try(rewrites, true)
}

// checkRecovered starts a recovered node and looks at it and at its only copy.
func (c *testCluster) checkRecovered(name, was string) {
	c.t.Helper()
	copies, _ := filepath.Glob(filepath.Join(c.dir, name) + ".before-recover-*")
	if len(copies) != 1 {
		c.t.Fatalf("copies: %v", copies)
	}
	kept := &recovery.Survivor{Cluster: "test", Node: name, DataDir: copies[0], Log: hclog.NewNullLogger()}
	p, err := kept.Plan(c.t.Context())
	if err != nil || p.ServerID != was || len(p.Voters) != 3 || p.BrokenOff != "" || !p.Recovered.IsZero() {
		c.t.Errorf("the copy: %+v, %v", p, err)
	}
	n := c.start(name)
	eventually(c.t, "ready", n.Ready)
	if got := c.get(n, "foo"); got != "bar" || n.raft.self == was || n.recoveredAt() == 0 || len(n.raft.Servers()) != 1 {
		c.t.Errorf("%s has foo %q, recovered at %d, of %v", n.raft.self, got, n.recoveredAt(), n.raft.Servers())
	}
	c.stop(name)
}

// Whoever began a recovery, and then starts the others after all, has a healthy majority: it goes on, and
// the recovery is not finished.
func TestRecoverBrokenOffBesideTheOthers(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, 3)
	c.startAll()
	c.set(c.leader(), "foo", "bar")
	c.settle()
	c.stopAll()
	all := c.breakOff("n1", 0, false)
	c.breakOff("n1", all-1, false) // the mark is stored, too
	for _, name := range []string{"n2", "n3"} {
		c.start(name)
	}
	for _, n := range c.nodes {
		eventually(t, "ready", n.Ready)
	}
	c.set(c.leader(), "k", "v")
	before := c.leader().raft.self
	_, err := c.recovery("n1").Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "the quorum is not lost") || !strings.Contains(err.Error(), ".before-recover-") {
		t.Errorf("beside the others: %v", err)
	}
	_ = c.refusedStart("n1")
	c.wipe("n1")
	n := c.start("n1")
	eventually(t, "it is let in again", n.Ready)
	if got := c.get(n, "k"); got != "v" || n.recoveredAt() != 0 || c.leader().raft.self != before {
		t.Errorf("it has k %q, recovered at %d", got, n.recoveredAt())
	}
}

// Directories that are empty but for the marks of clusters that they were to join form a new one, all with
// the latest.
func TestBootstrapWithMarks(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, 3)
	for name, mark := range map[string]int64{"n1": 1000, "n2": 2000} {
		st, err := storage.Open(filepath.Join(c.dir, name), hclog.NewNullLogger(), func(err error) { t.Error(err) })
		if err == nil {
			err = errors.Join(st.Notes().SetRecovered(mark), st.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	c.startAll()
	c.set(c.leader(), "k", "v")
	c.settle()
	for name, n := range c.nodes {
		if err := n.membership.CheckRecovery(t.Context()); n.recoveredAt() != 2000 || err != nil {
			t.Errorf("%s is of the cluster recovered at %d: %v", name, n.recoveredAt(), err)
		}
	}
}
