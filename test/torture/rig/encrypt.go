package rig

import (
	"fmt"
	"path/filepath"
	"strings"

	"ciderd/test/torture/judge"
)

// certificates is where `ciderd tls init` puts those of all nodes.
func (c *Cluster) certificates() string { return filepath.Join(c.dir, "tls") }

// certify makes an authority, and pairs for the nodes that the file names.
func (c *Cluster) certify() error {
	return Command(c.bin, "tls", "init", "-config", filepath.Join(c.dir, "cluster.hcl"), "-out", c.certificates())
}

// certifyGuest makes a pair for a node that is new in the file.
func (c *Cluster) certifyGuest(n *Node) error {
	return Command(c.bin, "tls", "renew", "-ca", c.certificates(), "-config", filepath.Join(c.dir, "cluster.hcl"), n.Name)
}

// pair are a node's lines in the file.
func (c *Cluster) pair(n *Node) string {
	return fmt.Sprintf("    cert_file = %q\n    key_file = %q\n",
		filepath.Join(c.certificates(), n.Name+".pem"), filepath.Join(c.certificates(), n.Name+"-key.pem"))
}

// Encrypted reports whether nodes accept nothing but TLS from each other.
func (c *Cluster) Encrypted() bool { return c.peerTLS == "require" }

// SetEncrypted has the nodes, which must run, encrypt what they say to each other, or not. They go there over
// peer_tls = prefer, as operators do, all of them at once.
func (c *Cluster) SetEncrypted(on bool) error {
	last := map[bool]string{true: "require", false: "off"}[on]
	if last == c.peerTLS {
		return nil
	}
	for _, mode := range []string{"prefer", last} {
		c.peerTLS = mode
		if err := c.reload(); err != nil {
			return err
		}
		for _, n := range c.Nodes {
			err := Until(c.ctx, HealLimit, n.Name+" has peer_tls = "+mode, func() error {
				s, err := n.Status()
				if err == nil && !strings.HasPrefix(s.PeerTLS, mode) {
					err = fmt.Errorf("it has %s", s.PeerTLS)
				}
				return err
			})
			if err != nil {
				return judge.Violationf("%v", err)
			}
		}
	}
	return nil
}
