package torture

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// healLimit is how long the cluster may take, on a loaded machine, until it works again after all
// that was broken has been given back.
const healLimit = 60 * time.Second

// cluster is all nodes, their disks and links.
type cluster struct {
	ctx      context.Context // of the run: nothing is waited for any more when it ends
	dir, bin string
	lacks    map[need]error
	nodes    []*node
	guest    *node // one that comes and goes within a round; nil: none
}

// writes get more time than an election on a loaded machine takes, so that an error on a node that
// nothing was done to is always one too many.
const clusterConfig = `
data_dir = %q
limits {
  max_connections_per_address = 0
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

func newCluster(ctx context.Context, dir, bin string, size int, lacks map[need]error) (*cluster, error) {
	c := &cluster{ctx: ctx, dir: dir, bin: bin, lacks: lacks}
	for i := range size {
		n, err := c.newNode(i + 1)
		c.nodes = append(c.nodes, n)
		if err != nil {
			return c, err
		}
	}
	return c, c.writeConfig()
}

// newNode makes the i-th node (from 1), which does not run. With an error it gives what there is of it.
func (c *cluster) newNode(i int) (n *node, err error) {
	name := fmt.Sprintf("n%d", i)
	n = &node{name: name, bin: c.bin, config: filepath.Join(c.dir, "cluster.hcl"),
		log: filepath.Join(c.dir, name+".log"), clock: filepath.Join(c.dir, name+".clock")}
	if n.disk, err = newDisk(c.dir, name, c.lacks[needDisk] != nil); err == nil {
		n.link, err = newLink(i, c.lacks[needCut] != nil)
	}
	return n, err
}

// writeConfig writes the file that all nodes have in common. Who runs reads it no more.
func (c *cluster) writeConfig() error {
	var hcl strings.Builder
	hcl.WriteString("cluster \"torture\" {\n  insecure_peers = true\n")
	for _, n := range c.all() {
		fmt.Fprintf(&hcl, "  node %q {\n    address = %q\n    text = %q\n    peer = %q\n    admin = %q\n    data_dir = %q\n  }\n",
			n.name, n.link.address(), n.text(), n.peer(), n.link.address()+":8081", n.disk.data())
	}
	hcl.WriteString("}\n")
	fmt.Fprintf(&hcl, clusterConfig, filepath.Join(c.dir, "unused"))
	return os.WriteFile(filepath.Join(c.dir, "cluster.hcl"), []byte(hcl.String()), 0o600)
}

// all is every node that there is.
func (c *cluster) all() []*node {
	if c.guest == nil {
		return c.nodes
	}
	return append(slices.Clone(c.nodes), c.guest)
}

// invite makes one node more and names it in the file. It has an empty disk, and no clients of the load.
func (c *cluster) invite() (n *node, err error) {
	if c.guest, err = c.newNode(len(c.nodes) + 1); err != nil {
		return c.guest, err
	}
	return c.guest, c.writeConfig()
}

// dismiss takes that node off the machine and out of the file, if there is one.
func (c *cluster) dismiss() error {
	if c.guest == nil {
		return nil
	}
	guest := c.guest
	c.guest = nil
	return errors.Join(guest.kill(), guest.remove(), c.writeConfig())
}

// start starts what does not run and waits until all serve.
func (c *cluster) start() error {
	for _, n := range c.nodes {
		if err := n.start(); err != nil {
			return err
		}
	}
	return c.waitServing(c.nodes...)
}

func (c *cluster) waitServing(nodes ...*node) error {
	for _, n := range nodes {
		err := until(c.ctx, healLimit, n.name+" serves", func() error {
			if !n.running() {
				return nil // it will not come back by itself
			}
			return n.serving()
		})
		if err == nil && !n.running() {
			err = violationf("%s ended instead of serving; its last line: %.400s", n.name, n.lastLine(0))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// findLeader gives the node that says it leads, in the highest term.
func (c *cluster) findLeader() (*node, error) {
	var leader *node
	var term uint64
	var seen []error
	for _, n := range c.nodes {
		s, err := n.status()
		if err != nil {
			seen = append(seen, err)
			continue
		}
		seen = append(seen, fmt.Errorf("%s is %s in term %d", n.name, s.Role, s.Term))
		if s.Role == "leader" && (leader == nil || s.Term > term) {
			leader, term = n, s.Term
		}
	}
	if leader == nil {
		return nil, fmt.Errorf("no node leads: %w", errors.Join(seen...))
	}
	return leader, nil
}

// leader waits for a leader other than those given.
func (c *cluster) leader(except ...*node) (leader *node, err error) {
	err = until(c.ctx, healLimit, "a leader", func() error {
		if leader, err = c.findLeader(); err != nil {
			return err
		}
		for _, n := range except {
			if leader == n {
				return fmt.Errorf("%s still leads", n.name)
			}
		}
		return nil
	})
	return leader, err
}

// allVote wants all nodes that there are to be voters, and each of them to list them so, and no other voter.
func (c *cluster) allVote() error {
	nodes := c.all()
	if err := c.waitServing(nodes...); err != nil {
		return err
	}
	for _, n := range nodes {
		err := until(c.ctx, healLimit, "member list on "+n.name, func() error {
			list, err := n.operate(c.ctx, "member", "list")
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

func (c *cluster) others(not ...*node) []*node {
	var others []*node
next:
	for _, n := range c.nodes {
		for _, x := range not {
			if n == x {
				continue next
			}
		}
		others = append(others, n)
	}
	return others
}

// heal gives back all that was taken, and starts what does not run.
func (c *cluster) heal() error {
	var errs []error
	for _, n := range c.nodes {
		errs = append(errs, n.heal())
	}
	for _, n := range c.nodes {
		errs = append(errs, n.start())
	}
	return errors.Join(errs...)
}

// killAll ends every process of ours at once.
func (c *cluster) killAll() error {
	var errs []error
	for _, n := range c.all() {
		if n.disk != nil {
			errs = append(errs, n.disk.heal()) // a process that waits for a frozen disk cannot be killed
		}
	}
	for _, n := range c.all() {
		errs = append(errs, n.kill(), n.untrace())
	}
	return errors.Join(errs...)
}

// close removes the cluster from the machine.
func (c *cluster) close() error {
	errs := []error{c.killAll()}
	for _, n := range c.all() {
		errs = append(errs, n.remove())
	}
	return errors.Join(errs...)
}
