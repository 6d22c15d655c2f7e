package peer

import (
	"context"
	"errors"
	"net"
	"slices"
	"time"

	"github.com/hashicorp/go-hclog"
)

// connection is an open connection to or from a node that has proved itself.
type connection struct {
	node      string
	encrypted bool
	dialled   bool   // by this node
	close     func() // must not block
}

// errModeChanged: a connection was made while the mode changed, and does not fit the new one.
var errModeChanged = errors.New("the encryption between nodes has just been changed")

// add notes an open connection until it is removed. It is refused if it does not fit the mode.
func (s *Security) add(c *connection) error {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch mode := s.Mode(); {
	case mode == Off && c.encrypted, mode == Require && !c.encrypted:
		return errModeChanged
	case c.encrypted:
		delete(s.plain, c.node)
	}
	s.open[c] = struct{}{}
	return nil
}

func (s *Security) remove(c *connection) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, c)
}

// fits reports whether a connection need not be replaced. With Prefer a plain one that this node has dialled is, unless
// the other node speaks no TLS; of those that others have dialled they know more. mu is held.
func (s *Security) fits(c *connection) bool {
	switch s.Mode() {
	case Off:
		return !c.encrypted
	case Require:
		return c.encrypted
	}
	_, plain := s.plain[c.node]
	return c.encrypted || !c.dialled || plain
}

// Encrypted returns the names of the nodes with which there are connections now, all of them encrypted, in order.
func (s *Security) Encrypted() (nodes []string) {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	plain := map[string]bool{}
	for c := range s.open {
		plain[c.node] = plain[c.node] || !c.encrypted
	}
	for node, any := range plain {
		if !any {
			nodes = append(nodes, node)
		}
	}
	slices.Sort(nodes)
	return nodes
}

// encryptedCount returns how many of the accepted connections are encrypted.
func (s *Security) encryptedCount() (n int) {
	if s == nil {
		return 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.open {
		if c.encrypted && !c.dialled {
			n++
		}
	}
	return n
}

const (
	// replaceEvery is how often this node looks for connections that do not fit the mode.
	replaceEvery = 500 * time.Millisecond
	// replacePause is how long one node's new connections have to settle before the next node's are closed.
	replacePause = time.Second
	// replaceLimit is how long a node has to be connected again before the next node's turn.
	replaceLimit = 10 * time.Second
)

// replace closes connections that do not fit the mode, one node's after the other, until ctx ends: their owners make
// them anew, and most nodes are connected at any time.
func (s *Security) replace(ctx context.Context, log hclog.Logger) {
	tick := time.NewTicker(replaceEvery)
	defer tick.Stop()
	for last := ""; ; {
		select {
		case <-ctx.Done():
			return
		case <-s.changed:
		case <-tick.C:
		}
		node := s.misfit(last)
		if node == "" {
			last = ""
			continue
		}
		log.Info("replacing the connections with a node", "node", node, "peer_tls", s.Mode(), "closed", s.closeMisfits(node))
		s.settle(ctx, node)
		last = node
	}
}

// misfit returns the first node after another with connections that do not fit; empty: there is none.
func (s *Security) misfit(after string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := ""
	for c := range s.open {
		if c.node > after && (next == "" || c.node < next) && !s.fits(c) {
			next = c.node
		}
	}
	return next
}

// closeMisfits closes a node's connections that do not fit, and returns how many.
func (s *Security) closeMisfits(node string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.open {
		if c.node == node && !s.fits(c) {
			delete(s.open, c)
			c.close()
			n++
		}
	}
	return n
}

// settle returns when a node has been connected again for a while, or takes too long.
func (s *Security) settle(ctx context.Context, node string) {
	limit := time.After(replaceLimit)
	for connected := false; !connected; connected = s.connected(node) {
		select {
		case <-time.After(replacePause):
		case <-limit:
			return
		case <-ctx.Done():
			return
		}
	}
}

// connected reports whether there is a connection with a node that fits the mode.
func (s *Security) connected(node string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.open {
		if c.node == node && s.fits(c) {
			return true
		}
	}
	return false
}

// tracked is a connection that this node has dialled, noted until it is closed.
type tracked struct {
	net.Conn
	security *Security
	noted    *connection
}

// track notes a connection that this node has dialled.
func (s *Security) track(conn net.Conn, node string, encrypted bool) (net.Conn, error) {
	if s == nil {
		return conn, nil
	}
	t := &tracked{conn, s, &connection{node: node, encrypted: encrypted, dialled: true, close: func() { conn.Close() }}}
	return t, s.add(t.noted)
}

func (t *tracked) Close() error {
	t.security.remove(t.noted)
	return t.Conn.Close()
}
