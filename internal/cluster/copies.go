package cluster

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"ciderd/internal/peer"
	"ciderd/internal/storage"
)

// Two processes on copies of one directory (a cloned machine) are one server to Raft: it votes twice in a term, and
// two nodes lead. Who ends is the one that starts. Before a process gives anything to Raft it claims its server at
// every other node, and asks at its own address whether another has; see package peer for what is believed. A
// process that takes part never ends because of what somebody says.

// ErrCopy: another process is this server.
var ErrCopy = storage.ForPerson("this is a copy of a server that runs")

const (
	// claimsWithin is how long the others have for hearing a claim. Who is not there says nothing.
	claimsWithin = 2 * time.Second
	// copyFor is how long another process must be there: of one that has just ended, there may still be a
	// connection that has not.
	copyFor    = 2500 * time.Millisecond
	copyPoll   = 100 * time.Millisecond
	askSelfFor = time.Second
	// copyAtMost is how long another process that starts as well, and ends if one of the two must, is waited for.
	copyAtMost = 30 * time.Second
)

// claims is this process's claims on its server.
type claims struct {
	node *Node
	runs chan struct{} // closed when this process takes part

	mu    sync.Mutex // all below
	heard map[string]error
	said  time.Time // when it was last logged that another is this server
}

func newNonce() string { return rand.Text() }

func newClaims(n *Node) *claims {
	return &claims{node: n, runs: make(chan struct{}), heard: map[string]error{}}
}

// hold claims this server at every other node, until the node ends.
func (c *claims) hold() {
	n := c.node
	for _, m := range n.members.Others(n.self.Node) {
		claim := &peer.Claim{
			Book:    n.book,
			Address: func() (string, error) { return n.members.Address(m.Name) },
			Self:    n.self, Want: m.Name, Runs: c.runs, Told: func(err error) { c.told(m.Name, err) },
		}
		n.wg.Go(func() { claim.Hold(n.ctx) })
	}
}

func (c *claims) told(by string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.heard[by] = err
	var refusal *peer.Refusal
	if !errors.As(err, &refusal) || refusal.Other == nil || !c.takesPart() || time.Since(c.said) < copyFor*4 {
		return
	}
	c.said = time.Now()
	c.node.log.Error("another process says that it is this server, and is believed there: one of the two runs on a copy of the other's data directory",
		"server", c.node.self.ServerID, "other", refusal.Other.Address, "by", by)
}

func (c *claims) takesPart() bool {
	select {
	case <-c.runs:
		return true
	default:
		return false
	}
}

// soon waits a moment for this process to take part, rather than have somebody try again.
func (c *claims) soon() bool {
	select {
	case <-c.runs:
		return true
	case <-time.After(askSelfFor):
	case <-c.node.stopped:
	}
	return c.takesPart()
}

// begin says that this process takes part.
func (c *claims) begin() { close(c.runs) }

// alone returns nil once no other process is known to be this server, or ErrCopy.
func (c *claims) alone(ctx context.Context) error {
	var since time.Time
	for begun := time.Now(); ; {
		other, all := c.other(ctx)
		switch waited := time.Since(begun); {
		case other == nil && (all || waited >= claimsWithin):
			return nil
		case other == nil:
			since = time.Time{}
		case since.IsZero():
			since = time.Now()
		case time.Since(since) >= copyFor && (c.yields(other) || waited >= copyAtMost):
			return c.copyOf(other)
		}
		select {
		case <-time.After(copyPoll):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// yields tells whether this process is the one that ends: the other takes part, or has the smaller nonce.
func (c *claims) yields(other *peer.Other) bool {
	return other.Runs || other.Nonce == "" || c.node.self.Nonce > other.Nonce
}

func (c *claims) copyOf(other *peer.Other) error {
	n := c.node
	return fmt.Errorf("%w: %s is another process, at %s, and this one has its data directory %s, or a copy; "+
		"nothing was changed; the way on: stop the other one if this is the right one, else give this node an empty data directory, and a name and address of its own",
		ErrCopy, n.self.ServerID, other.Address, n.config.DataDir)
}

// other is another process that is this server, as far as anybody has said; all: everybody has.
func (c *claims) other(ctx context.Context) (other *peer.Other, all bool) {
	n := c.node
	if address, err := n.members.Address(n.self.ServerID); err == nil {
		ctx, cancel := context.WithTimeout(ctx, askSelfFor)
		defer cancel()
		if other := peer.AskSelf(ctx, n.book, address, n.self); other != nil {
			return other, true
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, err := range c.heard {
		var refusal *peer.Refusal
		if errors.As(err, &refusal) && refusal.Other != nil {
			return refusal.Other, true
		}
	}
	return nil, len(c.heard) == len(n.members)-1
}

// confirming bounds how many who are not known here are asked for at a time.
const confirming = 4

// door says why a connection of a member's process is not let in: Raft is heard from servers of the
// configuration, and batches are taken from them. A server that this node does not know of yet, because it is
// itself behind, or empty, must answer at the address of its name.
func (n *Node) door(kind peer.Kind, from peer.Identity) (refusal string) {
	switch {
	case kind == peer.KindClaim:
		return ""
	case !n.claims.soon():
		return n.self.Node + " is starting"
	case kind == peer.KindQuery:
		return ""
	case n.isServer(from.ServerID):
		return ""
	case kind == peer.KindRaft && n.confirms(from):
		return ""
	}
	return fmt.Sprintf("%s is not in the configuration of %s", from.ServerID, n.self.Node)
}

// confirms tells whether the process at the address of a name is the server that calls itself by it.
func (n *Node) confirms(from peer.Identity) bool {
	select {
	case n.confirming <- struct{}{}:
		defer func() { <-n.confirming }()
	default:
		return false
	}
	address, err := n.members.Address(from.ServerID)
	if err != nil {
		return false
	}
	ctx, cancel := context.WithTimeout(n.ctx, aliveTimeout)
	defer cancel()
	conn, remote, err := n.book.Dial(ctx, address, n.self, from.ServerID, peer.KindQuery)
	if err != nil {
		n.log.Debug("a server that is not known here is not confirmed", "id", from.ServerID, "error", err)
		return false
	}
	conn.Close()
	return remote.Nonce == from.Nonce
}
