package redis

import (
	"crypto/sha1"
	"encoding/hex"
)

// Config is what clients are told of the node and its cluster.
type Config struct {
	Cluster string // its name, under which clients in Sentinel mode ask for a node
	Nodes   []Node // of the cluster's file, this one first; empty: this node is alone
	// Now tells how the cluster is; it waits for nobody. nil: this node is alone.
	Now func() Now
	// Version is ciderd's.
	Version string
}

// Node is where clients reach a node.
type Node struct {
	Name           string
	Host           string
	Redis, TLSPort int // 0: it does not serve Redis' protocol in that way
}

// Now is how the cluster is, as far as this node has heard.
type Now struct {
	Applied uint64          // the log index that reads here see
	Voters  int             // servers of which a majority has each write that was acknowledged
	Silent  map[string]bool // nodes that do not answer, by name
}

func (c *Config) now() Now {
	if c.Now == nil {
		return Now{Voters: 1}
	}
	return c.Now()
}

// runID is what Redis would have made up when a node started: 40 hexadecimal digits.
func (c *Config) runID(node string) string {
	sum := sha1.Sum([]byte(c.Cluster + "/" + node))
	return hex.EncodeToString(sum[:])
}

// certain returns how many other nodes have each acknowledged write on their disks: those of the smallest majority, of
// which this node may be one.
func (n Now) certain() int64 { return int64(n.Voters / 2) }
