package membership

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"ciderd/internal/peer"
	"ciderd/internal/peerstate"
	"ciderd/internal/storage"
)

// Two processes on copies of one directory (a cloned machine) are one server to Raft: it votes twice in a term, and
// two nodes lead. The process that starts second ends. Before a process gives anything to Raft it claims its server
// at every other node, and asks at its own address whether another has claimed it; see package peer for which
// process is believed. A process that takes part never ends because of what another says.

// ErrCopy: another process is this server.
var ErrCopy = storage.ForPerson("this is a copy of a server that runs")

const (
	// claimsWithin is how long the others have to accept a claim. A node that is down does not answer.
	claimsWithin = 2 * time.Second
	// copyFor is how long another process must be seen: a process that has just ended may still have an open
	// connection.
	copyFor    = 2500 * time.Millisecond
	copyPoll   = 100 * time.Millisecond
	askSelfFor = time.Second
	// copyAtMost is how long to wait for another process that also starts, and ends if one of the two must.
	copyAtMost = 30 * time.Second
)

// claims is this process's claims on its server.
type claims struct {
	*base
	runs chan struct{} // closed when this process takes part
	// confirming bounds how many servers at a time are asked to confirm who they are.
	confirming chan struct{}

	mu    sync.Mutex // all below
	heard map[string]error
	said  time.Time // when it was last logged that another process is this server
}

func newClaims(b *base) *claims {
	return &claims{base: b, runs: make(chan struct{}), confirming: make(chan struct{}, confirming), heard: map[string]error{}}
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
	c.Log.Error("another process claims to be this server, and the node that reports this believes it: one of the two runs on a copy of the other's data directory",
		"server", c.self.ServerID, "other", refusal.Other.Address, "by", by)
}

func (c *claims) takesPart() bool {
	select {
	case <-c.runs:
		return true
	default:
		return false
	}
}

// soon waits a moment for this process to take part, so that the other node need not try again.
func (c *claims) soon() bool {
	select {
	case <-c.runs:
		return true
	case <-time.After(askSelfFor):
	case <-c.ctx.Done():
	}
	return c.takesPart()
}

// begin notes that this process takes part.
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

// yields reports whether this process is the one that ends: the other takes part, or has the smaller nonce.
func (c *claims) yields(other *peer.Other) bool {
	return other.Runs || other.Nonce == "" || c.self.Nonce > other.Nonce
}

func (c *claims) copyOf(other *peer.Other) error {
	return fmt.Errorf("%w: %s is another process, at %s, and this one has its data directory %s, or a copy; "+
		"nothing was changed; what to do: if this is the right one, stop the other; else give this node an empty data directory and its own name and address",
		ErrCopy, c.self.ServerID, other.Address, c.DataDir)
}

// other returns another process that is this server, as far as other nodes have said; all: all of them have
// answered.
func (c *claims) other(ctx context.Context) (other *peer.Other, all bool) {
	ctx, cancel := context.WithTimeout(ctx, askSelfFor)
	defer cancel()
	if other := c.Network.AskSelf(ctx); other != nil {
		return other, true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, err := range c.heard {
		var refusal *peer.Refusal
		if errors.As(err, &refusal) && refusal.Other != nil {
			return refusal.Other, true
		}
	}
	return nil, len(c.heard) == len(c.Network.Others())
}

// confirming bounds how many unknown servers are asked at a time.
const confirming = 4

// refuse returns why a connection of a member's process is refused: only servers of the configuration may send Raft
// messages and batches. A server that this node does not know yet, because it lags or is empty itself, must answer
// at the address of its name.
func (c *claims) refuse(kind peer.Kind, from peer.Identity) (refusal string) {
	switch {
	case kind == peer.KindClaim:
		return ""
	case !c.soon():
		return c.self.Node + " is starting"
	case kind == peer.KindQuery:
		return ""
	case c.Raft.Servers().Has(from.ServerID):
		return ""
	case kind == peer.KindRaft && c.confirms(from):
		return ""
	}
	return fmt.Sprintf("%s is not in the configuration of %s", from.ServerID, c.self.Node)
}

// confirms reports whether the process at the address of a name is the server that uses the name.
func (c *claims) confirms(from peer.Identity) bool {
	select {
	case c.confirming <- struct{}{}:
		defer func() { <-c.confirming }()
	default:
		return false
	}
	ctx, cancel := context.WithTimeout(c.ctx, peerstate.OneTimeout)
	defer cancel()
	conn, remote, err := c.Network.Dial(ctx, from.ServerID, peer.KindQuery)
	if err != nil {
		c.Log.Debug("a server that is not known here is not confirmed", "id", from.ServerID, "error", err)
		return false
	}
	conn.Close()
	return remote.Nonce == from.Nonce
}
