package cluster

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"ciderd/internal/certs"
	"ciderd/internal/fsm"
	"ciderd/internal/peer"
)

// proof is a node's certificate, and the authority that made all of them.
type proof struct {
	cert  *tls.Certificate
	roots *x509.CertPool
}

func (p *proof) Certificate() *tls.Certificate { return p.cert }
func (p *proof) Roots() *x509.CertPool         { return p.roots }

// encrypt gives each node a certificate, and a mode; before the first start.
func (c *testCluster) encrypt(mode peer.Mode) {
	c.t.Helper()
	now := time.Now()
	ca, err := certs.NewAuthority("test", now)
	if err != nil {
		c.t.Fatal(err)
	}
	dir := c.t.TempDir()
	if err := ca.Write(dir); err != nil {
		c.t.Fatal(err)
	}
	pool, err := certs.OpenPool(dir + "/" + certs.AuthorityFile)
	if err != nil {
		c.t.Fatal(err)
	}
	c.security = map[string]*peer.Security{}
	for _, m := range c.members {
		text, key, err := ca.Issue([]string{m.Name}, nil, now, 1)
		if err != nil {
			c.t.Fatal(err)
		}
		pair, err := tls.X509KeyPair(text, key)
		if err != nil {
			c.t.Fatal(err)
		}
		c.security[m.Name] = peer.NewSecurity(&proof{&pair, pool.Roots()}, mode)
	}
}

// others returns the names of the other nodes.
func (c *testCluster) others(name string) (others []string) {
	for _, m := range c.members {
		if m.Name != name {
			others = append(others, m.Name)
		}
	}
	return others
}

// A cluster goes from plain to encrypted and back, node by node, while clients write on all of them: no write fails, and
// no election is held.
func TestModeChangesUnderWrites(t *testing.T) {
	t.Parallel()
	c := newTestCluster(t, 3)
	c.encrypt(peer.Off)
	var said words
	c.raftLog = map[string]hclog.Logger{}
	for _, m := range c.members {
		c.raftLog[m.Name] = hclog.New(&hclog.LoggerOptions{Name: m.Name, Output: &said})
	}
	c.timing = quiet // on a busy machine there are elections for no reason of ours
	c.startAllQuiet()
	c.settle()
	term := c.leader().raft.CurrentTerm()
	stop := make(chan struct{})
	var wg sync.WaitGroup
	var written atomic.Int64
	for name, n := range c.nodes {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				set := &fsm.Command{Op: fsm.OpSet, User: c.uid, Key: fmt.Append(nil, name), Value: fmt.Append(nil, i)}
				if _, err := n.Propose(fsm.NewGroup(*set), patience).Wait(); err != nil {
					t.Errorf("on %s: %v", name, err)
					return
				}
				written.Add(1)
			}
		})
	}
	defer wg.Wait()
	defer close(stop)
	for _, mode := range []peer.Mode{peer.Prefer, peer.Require, peer.Prefer, peer.Off} {
		for _, m := range c.members {
			c.security[m.Name].SetMode(mode)
			time.Sleep(50 * time.Millisecond)
		}
		for _, m := range c.members {
			want := c.others(m.Name)
			if mode == peer.Off {
				want = nil
			}
			// One plain connection takes a node out of Encrypted; with Off the others are replaced after it.
			eventually(t, fmt.Sprintf("%v on %s: encrypted with %q", mode, m.Name, want), func() bool {
				counted := c.nodes[m.Name].Stats().Peers
				return slices.Equal(c.security[m.Name].Encrypted(), want) && (mode != peer.Off || counted.Encrypted == 0)
			})
		}
		before := written.Load()
		eventually(t, "writes", func() bool { return written.Load() > before+100 })
		if now := c.leader().raft.CurrentTerm(); now != term {
			t.Errorf("%v: term %d, was %d", mode, now, term)
			term = now
		}
	}
	if said.has(net.ErrClosed.Error()) {
		t.Errorf("Raft has seen that its connections are closed: %s", said.text.String())
	}
	eventually(t, "connections with the leader, all plain", func() bool {
		n := c.leader().Stats().Peers
		return n.Connections > 0 && n.Encrypted == 0
	})
}

// A vote is asked for again when the connection for it was closed as the encryption has changed, as when it was dead.
func TestDied(t *testing.T) {
	for err, want := range map[error]bool{
		&net.OpError{Op: "write", Err: net.ErrClosed}: true, io.EOF: true, &net.OpError{Op: "read", Err: syscall.ECONNRESET}: true,
		context.DeadlineExceeded: false, peer.ErrRefused: false,
	} {
		if died(err) != want {
			t.Errorf("%v: %v", err, !want)
		}
	}
}
