package rig

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"ciderd/test/torture/judge"
)

// HealLimit is how long the cluster may take, on a loaded machine, until it works again after all
// that was broken has been given back.
const HealLimit = 60 * time.Second

// Cluster is all nodes, their disks and links.
type Cluster struct {
	ctx      context.Context // of the run: nothing is waited for any more when it ends
	dir, bin string
	lacks    map[Need]error
	Nodes    []*Node
	limits   Limits
	peerTLS  string // how the nodes speak to each other: off, prefer or require
	guest    *Node  // one that comes and goes within a round; nil: none
}

// writes get more time than an election on a loaded machine takes, so that an error on a node that
// nothing was done to is always one too many.
const clusterConfig = `
data_dir = %q
limits {
  max_connections_per_address = 0
  %s
}
auth {
  bcrypt_cost = 4
}
timeouts {
  write = "20s"
}
log {
  level  = "info"
  format = "text"
}
`

// NewCluster makes the nodes of a cluster, which do not run, and their file, in dir. With an error it returns
// what there is of it. lacks is what this machine cannot do, see Lacking.
func NewCluster(ctx context.Context, dir, bin string, size int, lacks map[Need]error) (*Cluster, error) {
	c := &Cluster{ctx: ctx, dir: dir, bin: bin, lacks: lacks, peerTLS: "off"}
	for i := range size {
		n, err := c.newNode(i + 1)
		c.Nodes = append(c.Nodes, n)
		if err != nil {
			return c, err
		}
	}
	err := c.writeConfig()
	if err == nil {
		err = c.certify()
	}
	return c, err
}

// newNode makes the i-th node (from 1), which does not run. With an error it gives what there is of it.
func (c *Cluster) newNode(i int) (n *Node, err error) {
	name := fmt.Sprintf("n%d", i)
	n = &Node{Name: name, bin: c.bin, config: filepath.Join(c.dir, "cluster.hcl"),
		Log: Log{filepath.Join(c.dir, name+".log"), name}, clock: filepath.Join(c.dir, name+".clock")}
	if n.Disk, err = newDisk(c.dir, name, c.lacks[NeedDisk] != nil); err == nil {
		n.Link, err = newLink(i, c.lacks[NeedCut] != nil)
	}
	return n, err
}

// writeConfig writes the file that all nodes have in common. Who runs reads it no more.
func (c *Cluster) writeConfig() error {
	var hcl strings.Builder
	fmt.Fprintf(&hcl, "cluster \"torture\" {\n  insecure_peers = true\n  peer_tls = %q\n", c.peerTLS)
	for _, n := range c.All() {
		fmt.Fprintf(&hcl, "  node %q {\n    address = %q\n    text = %q\n    redis = %q\n    peer = %q\n    admin = %q\n    data_dir = %q\n%s  }\n",
			n.Name, n.Link.address(), n.text(), n.redis(), n.Peer(), n.Link.address()+":8081", n.Disk.Data(), c.pair(n))
	}
	fmt.Fprintf(&hcl, "}\ntls { ca_file = %q }\n", filepath.Join(c.certificates(), "ca.pem"))
	fmt.Fprintf(&hcl, clusterConfig, filepath.Join(c.dir, "unused"), c.limits.hcl())
	return os.WriteFile(filepath.Join(c.dir, "cluster.hcl"), []byte(hcl.String()), 0o600)
}

// reload writes the file anew and has all nodes, which must run, read it.
func (c *Cluster) reload() error {
	if err := c.writeConfig(); err != nil {
		return err
	}
	for _, n := range c.Nodes {
		if err := n.Proc.Signal(syscall.SIGHUP); err != nil {
			return err
		}
	}
	return nil
}

// All is every node that there is.
func (c *Cluster) All() []*Node {
	if c.guest == nil {
		return c.Nodes
	}
	return append(slices.Clone(c.Nodes), c.guest)
}

// Invite makes one node more and names it in the file. It has an empty disk, and no clients of the load.
func (c *Cluster) Invite() (n *Node, err error) {
	if c.guest, err = c.newNode(len(c.Nodes) + 1); err != nil {
		return c.guest, err
	}
	if err := c.writeConfig(); err != nil {
		return c.guest, err
	}
	return c.guest, c.certifyGuest(c.guest)
}

// Dismiss takes that node off the machine and out of the file, if there is one.
func (c *Cluster) Dismiss() error {
	if c.guest == nil {
		return nil
	}
	guest := c.guest
	c.guest = nil
	return errors.Join(guest.Kill(), guest.remove(), c.writeConfig())
}

// Start starts what does not run and waits until all serve.
func (c *Cluster) Start() error {
	for _, n := range c.Nodes {
		if err := n.Start(); err != nil {
			return err
		}
	}
	return c.WaitServing(c.Nodes...)
}

// WaitServing waits up to HealLimit, for each of the nodes, until it is a full member. One that ends
// instead is a violation.
func (c *Cluster) WaitServing(nodes ...*Node) error {
	for _, n := range nodes {
		err := Until(c.ctx, HealLimit, n.Name+" serves", func() error {
			if !n.Running() {
				return nil // it will not come back by itself
			}
			return n.Serving()
		})
		if err == nil && !n.Running() {
			err = judge.Violationf("%s ended instead of serving; its last line: %.400s", n.Name, n.Log.LastLine(0))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// FindLeader gives the node that says it leads, in the highest term.
func (c *Cluster) FindLeader() (*Node, error) {
	var leader *Node
	var term uint64
	var seen []error
	for _, n := range c.Nodes {
		s, err := n.Status()
		if err != nil {
			seen = append(seen, err)
			continue
		}
		seen = append(seen, fmt.Errorf("%s is %s in term %d", n.Name, s.Role, s.Term))
		if s.Role == "leader" && (leader == nil || s.Term > term) {
			leader, term = n, s.Term
		}
	}
	if leader == nil {
		return nil, fmt.Errorf("no node leads: %w", errors.Join(seen...))
	}
	return leader, nil
}

// Leader waits for a leader other than those given.
func (c *Cluster) Leader(except ...*Node) (leader *Node, err error) {
	err = Until(c.ctx, HealLimit, "a leader", func() error {
		if leader, err = c.FindLeader(); err != nil {
			return err
		}
		for _, n := range except {
			if leader == n {
				return fmt.Errorf("%s still leads", n.Name)
			}
		}
		return nil
	})
	return leader, err
}

// AllVote wants all nodes that there are to be voters, and each of them to list them so, and no other voter.
func (c *Cluster) AllVote() error {
	nodes := c.All()
	if err := c.WaitServing(nodes...); err != nil {
		return err
	}
	for _, n := range nodes {
		err := Until(c.ctx, HealLimit, "member list on "+n.Name, func() error {
			list, err := n.Operate(c.ctx, "member", "list")
			if votes := strings.Count(list, " voter "); err == nil && votes != len(nodes) {
				err = fmt.Errorf("%d voters in\n%s", votes, list)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Others returns the nodes but those, in the order of their names.
func (c *Cluster) Others(not ...*Node) []*Node {
	var others []*Node
next:
	for _, n := range c.Nodes {
		for _, x := range not {
			if n == x {
				continue next
			}
		}
		others = append(others, n)
	}
	return others
}

// Heal gives back all that was taken, and starts what does not run.
func (c *Cluster) Heal() error {
	var errs []error
	for _, n := range c.Nodes {
		errs = append(errs, n.heal())
	}
	for _, n := range c.Nodes {
		errs = append(errs, n.Start())
	}
	return errors.Join(errs...)
}

// KillAll ends every process of ours at once.
func (c *Cluster) KillAll() error {
	var errs []error
	for _, n := range c.All() {
		if n.Disk != nil {
			errs = append(errs, n.Disk.Heal()) // a process that waits for a frozen disk cannot be killed
		}
	}
	for _, n := range c.All() {
		errs = append(errs, n.Kill(), n.Untrace())
	}
	return errors.Join(errs...)
}

// Close removes the cluster from the machine.
func (c *Cluster) Close() error {
	errs := []error{c.KillAll()}
	for _, n := range c.All() {
		errs = append(errs, n.remove())
	}
	return errors.Join(errs...)
}
