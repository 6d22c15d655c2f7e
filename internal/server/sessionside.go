package server

import (
	"context"

	"ciderd/internal/session"
)

// What a session needs of its connection: see session.Client.

// Address returns what counts as one client.
func (c *client) Address() string { return c.socket.address }

// End has the session end before its next request.
func (c *client) End() { c.socket.end(endUser) }

// Ended reports whether End is why the session is to end.
func (c *client) Ended() bool { return c.socket.ending.Load() == endUser }

// HungUp reports whether the client has reset the connection.
func (c *client) HungUp() bool {
	if !c.socket.hungUp() {
		return false
	}
	c.out.broken = session.ErrHungUp
	return true
}

// Watch returns a copy of ctx that ends when the client resets the connection.
func (c *client) Watch(ctx context.Context) (context.Context, func()) {
	if c.socket.raw == nil || c.in.Buffered() > 0 || c.tls != nil && c.full {
		return ctx, func() {}
	}
	w := c.socket.watch(ctx)
	return w, func() {
		if w.stop() {
			c.out.broken = session.ErrHungUp
		}
	}
}

// Take takes n bytes of the client's share of memory.
func (c *client) Take(n int64) bool { return c.server.memory.take(c.owner(), n) }

// Give returns them.
func (c *client) Give(n int64) { c.server.memory.give(c.owner(), n) }
