package torture

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// healLimit is how long the cluster may take, on a loaded machine, until it works again after all
// that was broken has been given back.
const healLimit = 60 * time.Second

// cluster is all nodes, their disks and links.
type cluster struct {
	ctx   context.Context // of the run: nothing is waited for any more when it ends
	dir   string
	nodes []*node
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
	c := &cluster{ctx: ctx, dir: dir}
	var hcl strings.Builder
	hcl.WriteString("cluster \"torture\" {\n  insecure_peers = true\n")
	for i := 1; i <= size; i++ {
		name := fmt.Sprintf("n%d", i)
		n := &node{name: name, bin: bin, config: filepath.Join(dir, "cluster.hcl"),
			log: filepath.Join(dir, name+".log"), clock: filepath.Join(dir, name+".clock")}
		c.nodes = append(c.nodes, n)
		var err error
		if n.disk, err = newDisk(dir, name, lacks[needDisk] != nil); err != nil {
			return c, err
		}
		if n.link, err = newLink(i, lacks[needCut] != nil); err != nil {
			return c, err
		}
		fmt.Fprintf(&hcl, "  node %q {\n    address = %q\n    text = %q\n    peer = %q\n    admin = %q\n    data_dir = %q\n  }\n",
			name, n.link.address(), n.text(), n.peer(), n.link.address()+":8081", n.disk.data())
	}
	hcl.WriteString("}\n")
	fmt.Fprintf(&hcl, clusterConfig, filepath.Join(dir, "unused"))
	return c, os.WriteFile(filepath.Join(dir, "cluster.hcl"), []byte(hcl.String()), 0o600)
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
	for _, n := range c.nodes {
		if n.disk != nil {
			errs = append(errs, n.disk.heal()) // a process that waits for a frozen disk cannot be killed
		}
	}
	for _, n := range c.nodes {
		errs = append(errs, n.kill(), n.untrace())
	}
	return errors.Join(errs...)
}

// close removes the cluster from the machine.
func (c *cluster) close() error {
	errs := []error{c.killAll()}
	for _, n := range c.nodes {
		if n.disk != nil {
			errs = append(errs, n.disk.remove())
		}
		if n.link != nil {
			errs = append(errs, n.link.remove())
		}
	}
	return errors.Join(errs...)
}
