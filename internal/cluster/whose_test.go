package cluster

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"

	"ciderd/internal/membership"
	"ciderd/internal/peer"
	"ciderd/internal/recovery"
	"ciderd/internal/storage"
)

// alone is what a single node is started with, under any names.
func (c *testCluster) alone(cluster, node, dir string) Config {
	config := c.config(c.members[0].Name)
	config.Cluster, config.Node, config.DataDir = cluster, node, filepath.Join(c.dir, dir)
	config.Members = peer.Members{{Name: node}}
	return config
}

// forgetOwner makes a stopped node's directory one of a release that did not keep names.
func (c *testCluster) forgetOwner(dir string) {
	c.t.Helper()
	st, err := storage.Open(filepath.Join(c.dir, dir), hclog.NewNullLogger(), func(error) {})
	if err != nil {
		c.t.Fatal(err)
	}
	if err := errors.Join(st.Stable.Set([]byte("ciderd.owner"), nil), st.Close()); err != nil {
		c.t.Fatal(err)
	}
}

// refused wants a directory to be refused for another's, for a person, without advice to remove anything.
func (c *testCluster) refused(config Config, names ...string) {
	c.t.Helper()
	n, err := Open(config)
	if err == nil {
		c.t.Errorf("%s of %s starts", config.Node, config.Cluster)
		_ = n.Close(c.t.Context())
		return
	}
	if !errors.Is(err, storage.ErrForPerson) || errors.Is(err, membership.ErrRemoved) || strings.Contains(err.Error(), "remove") {
		c.t.Errorf("%s of %s: %v", config.Node, config.Cluster, err)
	}
	for _, name := range append(names, config.Node, config.DataDir) {
		if !strings.Contains(err.Error(), name) {
			c.t.Errorf("%q is not in: %v", name, err)
		}
	}
}

// A directory is one node's of one cluster: under other names it is refused, with both, and nothing of it is
// changed. So it is also recovered under its own names alone.
func TestDirectoryOfAnother(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, 1)
	c.startAll()
	c.set(c.nodes["n1"], "k", "v")
	c.stop("n1")
	c.refused(c.alone("test", "n2", "n1"), `node "n1" of cluster "test"`, `node "n2" of cluster "test"`)
	c.refused(c.alone("prod", "n1", "n1"), `node "n1" of cluster "test"`, `node "n1" of cluster "prod"`)
	s := &recovery.Survivor{
		Cluster: "test", Node: "n2", DataDir: filepath.Join(c.dir, "n1"), Log: hclog.NewNullLogger(), Members: peer.Members{{Name: "n2"}},
	}
	if _, err := s.Run(t.Context()); !errors.Is(err, storage.ErrForPerson) {
		t.Errorf("it is recovered as another: %v", err)
	}
	c.startAll()
	if got := c.get(c.nodes["n1"], "k"); got != "v" {
		t.Errorf("k is %q", got)
	}
}

// A directory of the release before tells the node's name, by its server's id; the cluster's is taken for right,
// and kept.
func TestDirectoryOfTheReleaseBefore(t *testing.T) {
	t.Parallel()
	for _, snapshot := range []bool{false, true} {
		c := newTestCluster(t, 1)
		c.startAll()
		c.set(c.nodes["n1"], "k", "v")
		if snapshot {
			if err := c.nodes["n1"].raft.Snapshot().Error(); err != nil {
				t.Fatal(err)
			}
		}
		c.stop("n1")
		c.forgetOwner("n1")
		c.refused(c.alone("test", "n2", "n1"), `node "n1", and`)
		c.startAll()
		c.stop("n1")
		c.refused(c.alone("prod", "n1", "n1"), `node "n1" of cluster "test"`)
	}
}

// A directory in which nothing has come to anything takes the names that it is given: what was mistyped before
// the first start of a cluster can be put right.
func TestDirectoryOfNobodyYet(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, 2)
	for _, names := range [][2]string{{"tset", "n1"}, {"test", "m1"}} {
		config := c.config("n1")
		config.Cluster, config.Node = names[0], names[1]
		config.Members = peer.Members{{Name: names[1], Address: c.members[0].Address}, c.members[1]}
		n, err := Open(config)
		if err != nil {
			t.Fatal(err)
		}
		if err := n.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
	c.startAll()
	c.set(c.leader(), "k", "v")
}
