package server

import (
	"ciderd/internal/protocol"
	"ciderd/internal/protocol/resp"
	"ciderd/internal/redis"
	"ciderd/internal/session"
)

// respClient is a client of Redis' protocol. One goroutine serves it from beginning to end, in a loop as textClient's.
// What closes its connection does so without a reply, between two requests: the session's Reply sees to that.
type respClient struct {
	client
	reader *resp.Reader
	redis  *redis.Session
}

func newRESPClient(server *Server, k *socket, p port) *respClient {
	c := &respClient{}
	c.client.init(server, k, p)
	c.reader = resp.NewReader(c)
	c.in = c.reader
	c.redis = server.redis.Open(c, redis.Addresses{Remote: k.remote.String(), Local: k.conn.LocalAddr().String(), TLS: p.tls != nil}, &c.out, server.Counting.ports[p.name()].commands)
	c.session = c.redis.Session
	return c
}

// run serves the client until it ends.
func (c *respClient) run() {
	defer c.close()
	defer c.redis.Close()
	defer func() {
		if cause := recover(); cause != nil {
			c.logPanic(cause)
			w := resp.NewWriter(&c.out)
			w.Error("ERR internal error in this session; the outcome of its last commands is unknown")
			c.out.Flush()
			c.redis.Close()
			c.linger()
		}
	}()
	c.server.log.Debug("connection opened", "client", c.socket.address)
	if !c.secure() {
		return
	}
	for !c.ends() {
		args, event := c.reader.Next()
		if event == resp.None {
			c.fill()
			continue
		}
		c.rate.ended()
		if c.Ended() {
			c.finish(protocol.SessionEnded, session.Ended)
			break
		}
		c.request(args, event)
	}
	if why := c.socket.ending.Load(); why == endShutdown || why == endDrain {
		c.redis.Leave()
	}
	c.out.Flush()
	c.redis.Close() // a connection that only lingers has no session
	c.linger()
}

// request does what the reader has found.
func (c *respClient) request(args [][]byte, event resp.Event) {
	switch event {
	case resp.Request:
		if len(args) == 2 && redis.IsGet(args[0]) {
			c.ahead.look(c.in, c.session)
		}
		before := c.session.User()
		c.redis.Serve(args)
		if c.session.User() != before {
			c.reader.SetLimits(c.requestLimits())
		}
	case resp.TooLarge:
		c.tooLarge()
	case resp.Broken:
		c.redis.Broken(c.reader.Err())
		c.over = true
	case resp.Browser:
		c.hangUp()
	}
}

// tooLarge answers a request that was skipped.
func (c *respClient) tooLarge() {
	if !c.throttled {
		c.redis.TooLarge()
		return
	}
	// It would have been small enough at another time.
	c.throttled = false
	c.reader.SetLimits(c.requestLimits())
	c.redis.Busy()
}

// fill is called when no complete request is waiting: it completes the earlier ones, sends the answers, and blocks
// until there is more.
func (c *respClient) fill() {
	c.session.Work.Pause()
	defer c.session.Work.Begin()
	if c.session.Pending() {
		if c.more() {
			return
		}
		c.session.Wait() // replies that are ready do not wait for the writes
		if c.ends() {
			return
		}
	}
	c.out.Flush()
	c.redis.Idle()
	c.rest()
	if c.await() {
		if !c.throttled {
			c.reader.SetLimits(c.requestLimits())
		}
		c.charge()
	}
}

// requestLimits is what a request may be, by the current configuration.
func (c *respClient) requestLimits() resp.Limits {
	if c.session.User() == 0 {
		return resp.LoginLimits()
	}
	return resp.SessionLimits(c.server.config.Load().MaxValue)
}
