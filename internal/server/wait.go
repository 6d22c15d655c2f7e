package server

import (
	"errors"
	"os"
	"time"

	"ciderd/internal/protocol"
	"ciderd/internal/session"
)

// await blocks until the client has sent something, which it reports, or until a timeout, or until the session is
// ended.
func (c *client) await() bool {
	c.active = time.Now()
	c.keepRate(c.active)
	for now := c.active; ; now = time.Now() {
		c.arm(now)
		switch c.socket.ending.Load() {
		case endNone:
		case endUser:
			c.finish(protocol.SessionEnded, session.Ended)
			return false
		case endDrain:
			c.finish(protocol.ShuttingDown, session.Draining)
			return false
		default:
			c.finish(protocol.ShuttingDown, session.ShuttingDown)
			return false
		}
		err := c.in.Fill()
		switch {
		case err == nil:
			c.rate.paused()
			return true
		case !errors.Is(err, os.ErrDeadlineExceeded):
			c.hangUp()
			return false
		case c.expired(time.Now()):
			return false
		}
		c.in.Release()
		c.forget()
	}
}

// forget drops the last request, which lies in a buffer of the reader: it would keep all of that from the garbage
// collector.
func (c *client) forget() {
	clear(c.req.Words[:cap(c.req.Words)])
	c.req = protocol.Request{Words: c.req.Words[:0]}
}

// expired ends the session if its time is up.
func (c *client) expired(now time.Time) bool {
	cfg, loggedIn := c.server.config.Load(), c.session.User() != 0
	switch limit := c.limit(); {
	case limit.IsZero() || now.Before(limit) || c.socket.ending.Load() != endNone:
		return false
	case !loggedIn && now.Before(c.session.LoginBy()):
		c.finish(protocol.LoginTimeout, "that line came too slowly; connect again")
	case loggedIn && c.rate.on && !now.Before(c.rate.by):
		c.finish(protocol.IdleTimeout, "that line came too slowly; connect again")
	case !loggedIn:
		c.finish(protocol.LoginTimeout, session.LateLogin(cfg.LoginTimeout))
	default:
		c.finish(protocol.IdleTimeout, "nothing was sent for "+session.InWords(cfg.IdleTimeout)+"; connect again")
	}
	return true
}

// limit returns when the session ends if nothing arrives; zero: never. Before login it does not depend on what
// arrives: a client that sends a byte now and then must not hold a connection forever.
func (c *client) limit() time.Time {
	limit := c.session.LoginBy()
	if c.session.User() != 0 {
		limit = time.Time{}
		if idle := c.server.config.Load().IdleTimeout; idle > 0 {
			limit = c.active.Add(idle)
		}
	}
	if by := c.rate.by; c.rate.on && (limit.IsZero() || by.Before(limit)) {
		return by
	}
	return limit
}

// arm has a Read return in time: at the session's limit, or earlier to return a buffer (await then checks again).
func (c *client) arm(now time.Time) {
	until := c.limit()
	if (c.in.Size() > readerIdle || c.full) && c.in.Buffered() == 0 { // after a full one, Fill borrows a large buffer
		if hold := now.Add(burstHold); until.IsZero() || hold.Before(until) {
			until = hold
		}
	}
	c.socket.armRead(now, until)
}
