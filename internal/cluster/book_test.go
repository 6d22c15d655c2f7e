package cluster

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ciderd/internal/peer"
)

// nameServer resolves every name to loopback until it is down.
type nameServer struct{ down, hangs atomic.Bool }

func (s *nameServer) lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	if s.hangs.Load() {
		<-ctx.Done()
	}
	if s.down.Load() {
		return nil, &net.DNSError{Err: "server misbehaving", Name: host}
	}
	return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
}

// byName has the nodes find each other by names.
func (c *testCluster) byName() *nameServer {
	var file peer.Members
	for _, m := range c.members {
		_, port, _ := net.SplitHostPort(m.Address)
		file = append(file, peer.Member{Name: m.Name, Address: net.JoinHostPort(m.Name+".example", port)})
	}
	c.membersFor = map[string]peer.Members{}
	for _, m := range c.members {
		c.membersFor[m.Name] = file
	}
	names := &nameServer{}
	c.lookup = names.lookup
	return names
}

// The leader dies while names do not resolve: the others elect another, and a node that is started then finds them.
func TestFailoverWithoutNames(t *testing.T) {
	t.Parallel()
	for _, hangs := range []bool{false, true} {
		c := newTestCluster(t, 3)
		c.pollOften()
		names := c.byName()
		c.startAll()
		c.set(c.leader(), "k", "v")
		c.settle()
		for _, n := range c.nodes {
			eventually(t, n.config.Node+" remembers the others", func() bool {
				met, err := n.storage.Notes().Met()
				return err == nil && len(met) == 2
			})
		}
		names.hangs.Store(hangs)
		names.down.Store(true)
		dead := c.leader().config.Node
		start := time.Now()
		c.stop(dead)
		c.set(c.leader(), "k", "w")
		t.Logf("names hang: %v: another leader after %v", hangs, time.Since(start))
		eventually(t, "it is back", c.start(dead).Ready)
		if got := c.get(c.nodes[dead], "k"); got != "w" {
			t.Errorf("k is %q", got)
		}
		c.stopAll()
	}
}

// A node that nobody has met yet is waited for, with the reason.
func TestFirstStartWithoutNames(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, 2)
	names := c.byName()
	names.down.Store(true)
	n := c.start("n1")
	eventually(t, "the reason", func() bool { return strings.Contains(n.Status().Waiting, "n2: its name n2.example does not resolve") })
	c.start("n2")
	names.down.Store(false)
	eventually(t, "ready", n.Ready)
}
