package peer

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"
)

// The pauses before a claim that has ended, or was refused, is made again.
const (
	claimAgain        = 500 * time.Millisecond
	claimAgainAtStart = 100 * time.Millisecond
)

// Claim returns this process's claim at another node, by name. runs is closed once this process takes part; told is
// called with the outcome of each try.
func (n *Network) Claim(want string, runs <-chan struct{}, told func(error)) *Claim {
	return &Claim{
		Address: func() (string, error) { return n.Members.Address(want) },
		Self:    n.Self, Want: want, Runs: runs, Told: told, dialler: n.dialler(),
	}
}

// AskSelf asks at this node's own address whether another process is this server; nil: none answers there.
func (n *Network) AskSelf(ctx context.Context) *Other {
	address, err := n.Members.Address(n.Self.ServerID)
	if err != nil {
		return nil
	}
	return n.dialler().askSelf(ctx, address, n.Self)
}

// Claim tells one other node, until ctx ends, that this process is self; see claims.go.
type Claim struct {
	Address func() (string, error) // of the other node
	Self    Identity
	Want    string          // the other node's name
	Runs    <-chan struct{} // closed when this process has begun to take part
	// Told is called with each outcome: nil, the claim is held; a *Refusal with Other, another process is self.
	Told func(error)

	dialler dialler
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
	conn, _, err := c.dialler.dial(ctx, address, &hello{kind: KindClaim, from: c.Self, want: c.Want, runs: c.runs()})
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

// keep answers on a claim until it ends.
func (c *Claim) keep(ctx context.Context, conn net.Conn) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	say := func(b byte) {
		_ = conn.SetWriteDeadline(time.Now().Add(helloTimeout))
		if _, err := conn.Write([]byte{b}); err != nil {
			conn.Close() // with TLS nothing can be sent after that, and this process would seem to be silent
		}
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

// AskSelf asks at self's address, without encryption, whether another process is self; nil: none answers there. book
// finds the address; nil: it is resolved as the machine does.
func AskSelf(ctx context.Context, book *Book, address string, self Identity) *Other {
	return dialler{book: book}.askSelf(ctx, address, self)
}

func (d dialler) askSelf(ctx context.Context, address string, self Identity) *Other {
	conn, remote, err := d.dial(ctx, address, &hello{kind: KindClaim, from: self, want: self.ServerID})
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
	case remote.Nonce == "": // of the previous release, which knows no claims
		return &Other{Address: address, Runs: true}
	}
	return nil
}
