package harness

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ciderd/test/overlay"
)

// Options says what cluster to make.
type Options struct {
	Nodes  int      // 1 where zero
	Redis  bool     // the nodes have ports for clients of Redis, which a release before 0.9.0 does not know
	Config string   // HCL added to the file: limits, auth, timeouts, log
	Env    []string // added to the environment of every node
	// Changes are built into the daemon, whatever Binary would give; empty: Binary.
	Changes []overlay.Change
}

// Cluster is a set of nodes that share one config file. It belongs to one test,
// whose end kills what still runs.
type Cluster struct {
	Nodes []*Node
	Dir   string // config file, logs and data directories

	t        testing.TB
	redis    bool
	observer observer

	certificates *certificates // nil: none
	peerTLS      string        // what the file says; empty: nothing
}

// New writes the config of a cluster and starts nothing.
func New(t testing.TB, opts Options) *Cluster {
	t.Helper()
	var bin string
	if len(opts.Changes) > 0 {
		bin = changed(t, opts.Changes)
	} else {
		bin = Binary(t)
	}
	dir, err := os.MkdirTemp("", "ciderd-cluster-")
	if err != nil {
		t.Fatal(err)
	}
	c := &Cluster{Dir: dir, t: t, redis: opts.Redis}
	for i := range max(opts.Nodes, 1) {
		n := newNode(t, dir, bin, i)
		n.env = opts.Env
		c.Nodes = append(c.Nodes, n)
	}
	// After the ports' cleanups in order of registration, so before them in
	// order of running: a port is given back when nobody listens on it.
	t.Cleanup(c.cleanup)
	c.WriteConfig(opts.Config)
	return c
}

// Start makes a cluster, starts all its nodes and waits until it is Ready.
func Start(t testing.TB, opts Options) *Cluster {
	t.Helper()
	c := New(t, opts)
	for _, n := range c.Nodes {
		n.Start()
	}
	c.WaitReady()
	return c
}

// WriteConfig writes cluster.hcl anew, with extra at its end. Nodes that run
// see it at their next start or SIGHUP.
func (c *Cluster) WriteConfig(extra string) {
	c.t.Helper()
	var b strings.Builder
	b.WriteString("cluster \"harness\" {\n" + c.peerLine())
	for _, n := range c.Nodes {
		fmt.Fprintf(&b, "  node %q {\n    address = \"127.0.0.1:%d\"\n    peer = \"127.0.0.1:%d\"\n"+
			"    text = %q\n    admin = %q\n    data_dir = %q\n%s  }\n",
			n.Name, n.reached, n.peer, n.Text, n.Admin, n.DataDir, c.redisLine(n)+c.pairLines(n))
	}
	b.WriteString("}\n" + c.tlsBlock() + extra + "\n")
	if err := os.WriteFile(c.ConfigPath(), []byte(b.String()), 0o666); err != nil {
		c.t.Fatal(err)
	}
}

// ServeRedis says whether the file that the next WriteConfig writes has ports for clients of Redis.
func (c *Cluster) ServeRedis(on bool) { c.redis = on }

func (c *Cluster) redisLine(n *Node) string {
	if !c.redis {
		return ""
	}
	lines := fmt.Sprintf("    redis = %q\n", n.Redis)
	if c.certificates != nil {
		lines += fmt.Sprintf("    redis_tls = %q\n", n.RedisTLS)
	}
	return lines
}

// ConfigPath is where the config file is.
func (c *Cluster) ConfigPath() string { return filepath.Join(c.Dir, "cluster.hcl") }

// WaitReady waits up to Limit, for each condition, until every node that runs
// and is not paused serves, and one of them leads.
func (c *Cluster) WaitReady() {
	c.t.Helper()
	for _, n := range c.Nodes {
		if n.Answers() {
			n.WaitServing()
		}
	}
	c.Leader()
}

// Leader waits up to Limit until a node that answers says that it leads, and
// gives the one with the highest term if several do.
func (c *Cluster) Leader() *Node {
	c.t.Helper()
	var leader *Node
	Eventually(c.t, "a leader", func() (err error) {
		leader, err = c.FindLeader()
		return err
	})
	return leader
}

// FindLeader is Leader without waiting, and does not end the test.
func (c *Cluster) FindLeader() (*Node, error) {
	var leader *Node
	var highest int64
	var seen []error
	for _, n := range c.Nodes {
		if !n.Answers() {
			continue
		}
		role, term, err := c.observer.look(n)
		if err != nil {
			seen = append(seen, err)
			continue
		}
		seen = append(seen, fmt.Errorf("%s is %s in term %d", n.Name, role, term))
		if role == "leader" && (leader == nil || term > highest) {
			leader, highest = n, term
		}
	}
	if leader == nil {
		return nil, fmt.Errorf("no node leads: %w", errors.Join(seen...))
	}
	return leader, nil
}

// Followers gives the nodes other than n, in the order of the config.
func (c *Cluster) Followers(n *Node) []*Node {
	var others []*Node
	for _, other := range c.Nodes {
		if other != n {
			others = append(others, other)
		}
	}
	return others
}
