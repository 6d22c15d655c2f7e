package config

import (
	"fmt"
	"strings"
	"text/tabwriter"
)

// Describe returns lines of text that say what this node would do and where each setting comes from. It ends in a
// newline.
func (c *Config) Describe() string {
	var b strings.Builder
	if c.Single {
		fmt.Fprintf(&b, "node %s, by itself: there is no cluster block\n\n", c.NodeName)
	} else {
		fmt.Fprintf(&b, "node %s of cluster %s\n\n", c.NodeName, c.ClusterName)
	}
	c.describeNodes(&b)
	c.describeSettings(&b)
	for _, w := range c.Warnings() {
		fmt.Fprintf(&b, "\nwarning: %s\n", w)
	}
	return b.String()
}

// Warnings returns what is not a mistake but may not be intended.
func (c *Config) Warnings() (all []string) {
	switch n := len(c.Nodes); {
	case c.Single:
	case n == 2:
		all = append(all, "with two nodes none may fail, as writes need both; three survive the loss of one")
	case n%2 == 0:
		all = append(all, fmt.Sprintf("%d nodes survive the loss of no more than %d do: writes need a majority", n, n-1))
	}
	if !c.Single && c.PeerMode() == PeerTLSPrefer {
		all = append(all, `peer_tls = "prefer" protects from nobody: plain connections are accepted; set it to "require" once all nodes speak TLS`)
	}
	return all
}

func (c *Config) describeNodes(b *strings.Builder) {
	if c.Single {
		return
	}
	w := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "  node\tpeers call\tclients call\n")
	for _, n := range c.Nodes {
		mark := " "
		if n.Name == c.NodeName {
			mark = "*"
		}
		fmt.Fprintf(w, "%s %s\t%s\t%s\n", mark, n.Name, n.PeerAddress, n.TextAddress)
	}
	w.Flush() // into memory: cannot fail
	b.WriteString("\n")
}

func (c *Config) describeSettings(b *strings.Builder) {
	w := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	for _, s := range settings {
		value, from := s.get(c), c.origins[s.key].String()
		switch {
		case c.Single && s.section() == clusterSection:
			continue
		case value == "":
			value, from = "nowhere", "a single node has no peers"
		case from == "":
			from = "default"
		}
		fmt.Fprintf(w, "  %s\t%s\t(%s)\n", s.key, value, from)
	}
	w.Flush() // into memory: cannot fail
}
