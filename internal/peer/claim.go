package peer

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"
)

// How often a claim that has ended, or was refused, is made again.
const (
	claimAgain        = 500 * time.Millisecond
	claimAgainAtStart = 100 * time.Millisecond
)

// Claim says to one other node, for as long as ctx lives, that this process is self; see claims.go.
type Claim struct {
	Address func() (string, error) // of the other node
	Book    *Book                  // where it is; nil: one that remembers nothing
	Self    Identity
	Want    string          // the other node's name
	Runs    <-chan struct{} // closed when this process has begun to take part
	// Told is told each time how that went: nil, it is heard; a *Refusal with Other, another process is self.
	Told func(error)
}

// Hold returns when ctx ends.
func (c *Claim) Hold(ctx context.Context) {
	for ctx.Err() == nil {
		conn, err := c.make(ctx)
		c.Told(err)
		if err == nil {
			c.keep(ctx, conn)
		}
		again := claimAgainAtStart
		if c.runs() {
			again = claimAgain
		}
		select {
		case <-time.After(again):
		case <-ctx.Done():
		}
	}
}

func (c *Claim) make(ctx context.Context) (net.Conn, error) {
	address, err := c.Address()
	if err != nil {
		return nil, err
	}
	conn, _, err := c.Book.dial(ctx, address, &hello{kind: KindClaim, from: c.Self, want: c.Want, runs: c.runs()})
	return conn, err
}

func (c *Claim) runs() bool {
	select {
	case <-c.Runs:
		return true
	default:
		return false
	}
}

// keep answers along a claim until it ends.
func (c *Claim) keep(ctx context.Context, conn net.Conn) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	say := func(b byte) {
		_ = conn.SetWriteDeadline(time.Now().Add(helloTimeout))
		_, _ = conn.Write([]byte{b}) // if that cannot be, reading ends as well
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		select {
		case <-c.Runs:
			say(sayRuns)
		case <-ctx.Done():
		}
	})
	defer wg.Wait()
	defer cancel()
	defer conn.Close()
	b := make([]byte, 1)
	for {
		if _, err := conn.Read(b); err != nil {
			return
		}
		say(sayAlive)
	}
}

// AskSelf asks at this node's own address whether another process is self; nil: none answers there.
func AskSelf(ctx context.Context, book *Book, address string, self Identity) *Other {
	conn, remote, err := book.dial(ctx, address, &hello{kind: KindClaim, from: self, want: self.ServerID})
	if conn != nil {
		conn.Close()
	}
	var refusal *Refusal
	switch {
	case !errors.As(err, &refusal) || refusal.By != self.ServerID:
		return nil
	case refusal.Other != nil:
		refusal.Other.Address = address
		return refusal.Other
	case remote.Nonce == "": // of the release before, which knows no claims
		return &Other{Address: address, Runs: true}
	}
	return nil
}
