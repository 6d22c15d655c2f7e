package server

import (
	"io"
	"runtime/debug"
	"time"

	"ciderd/internal/protocol"
	"ciderd/internal/session"
)

const (
	lineMemory  = 256 << 20       // bytes, of all clients' long lines together
	readerIdle  = 1 << 10         // about what a protocol's reader holds without a pooled buffer
	readerBurst = 33 << 10        // and with its first pooled buffer
	burstHold   = 2 * time.Second // an idle client keeps that buffer for this long
	wordsKept   = 64              // longer slices of words are not kept for an idle client
	wordBytes   = 24 + 8          // of a word of a request, and where its answer is
)

// input is a protocol's reader, see text.Reader.
type input interface {
	Fill() error
	Release()
	SetMaxLine(n int)
	GetsAhead(keys [][]byte) [][]byte
	Buffered() int
	Partial() bool
	Size() int
}

// client is one client of any protocol: its connection, its session, and the time and memory that it may take. A
// protocol's own client embeds it and decides what is read and written.
type client struct {
	server  *Server
	port    port
	socket  *socket
	stream  io.ReadWriter // the socket, or the encryption between the two
	tls     *encryption   // nil: the client does not encrypt
	out     output
	in      input
	session *session.Session
	req     protocol.Request // what is being done

	full      bool      // the last Read, or one below it, filled its buffer: there is probably more
	eof       bool      // the client sends no more, so there is nothing to wait for
	over      bool      // nothing is left to do but close
	active    time.Time // when the client last had nothing to do
	rate      minimumRate
	incoming  taken // of server.memory, for what is being read
	throttled bool  // what is being read is dropped for lack of memory
	waiting   bool  // it is in server.backlog
	paused    bool  // its work is, as it takes nothing
	ahead     ahead
}

// init makes c the client of a connection.
func (c *client) init(server *Server, k *socket, p port) {
	c.server, c.socket, c.port = server, k, p
	k.user = c
	c.stream = k
	if p.tls != nil {
		c.tls = newEncryption(k)
		c.stream = c.tls
	}
	c.out = output{to: c.stream, after: c.sent}
}

// Read is for the protocol's reader.
func (c *client) Read(p []byte) (n int, err error) {
	n, err = c.stream.Read(p)
	c.full = n == len(p) || c.tls != nil && c.tls.full
	c.rate.came += n
	return n, err
}

// more reads what the client has sent meanwhile, without waiting for it: a burst that is longer than the reader's
// buffer then fills its groups, instead of waiting for each bufferful to be done. It only tries if the last Read
// filled the buffer: otherwise there is hardly anything.
func (c *client) more() bool {
	if !c.full || !c.socket.canPoll() {
		return false
	}
	c.socket.block(false)
	err := c.in.Fill()
	c.socket.block(true)
	if err == nil {
		c.charge()
	}
	return err == nil
}

// ends reports whether nothing is left to do but close.
func (c *client) ends() bool { return c.over || c.out.dead || c.session.Over() }

// finish ends the session with an error, after the answers to earlier commands.
func (c *client) finish(code protocol.Code, message string) {
	c.session.Refuse(code, message)
	c.over = true
}

// hangUp ends the session without a reply.
func (c *client) hangUp() { c.eof, c.over = true, true }

// rest releases everything that an idle client does not need; all replies must have been sent.
func (c *client) rest() {
	c.out.release()
	c.session.Rest()
	if c.in.Size() > readerBurst {
		c.in.Release()
		c.charge()
	}
}

// owner returns the owner that the client's memory is charged to.
func (c *client) owner() owner { return owner{user: c.session.User(), addr: c.socket.address} }

// holder returns the owner that unread replies are charged to: the user, or before login the address.
func (c *client) holder() owner {
	if id := c.session.User(); id != 0 {
		return owner{user: id}
	}
	return owner{addr: c.socket.address}
}

// charge accounts for the reader's memory beyond what every client may have. When that exceeds its owner's share,
// the line being read is dropped.
func (c *client) charge() {
	extra := max(0, int64(c.in.Size())-readerBurst)
	if extra == c.incoming.bytes {
		return
	}
	grown := extra > c.incoming.bytes
	if !c.incoming.set(c.server.memory, c.owner(), extra) && grown {
		c.throttled = true
		c.in.SetMaxLine(protocol.MaxLoginLine)
	}
}

// stallTimeout returns how long the client may take nothing.
func (c *client) stallTimeout() time.Duration { return c.server.config.Load().StallTimeout }

// takesNothing notes what is held for the client while it takes nothing: what is to be sent, and the request that it
// answers, with what has come behind that. Longer lines are charged to the shares of memory already.
func (c *client) takesNothing() {
	c.waiting = true
	c.paused = c.session.Work.Pause() || c.paused // others of its user need not wait for it
	request := wordBytes*int64(cap(c.req.Words)) + min(int64(c.in.Size()), readerBurst)
	if c.tls != nil {
		request += c.tls.memory()
	}
	c.server.backlog.waits(c, c.session.Held()+c.out.held()+request)
}

// disconnect closes the connection of a client that does not read, from any goroutine.
func (c *client) disconnect() {
	c.server.log.Debug("disconnecting a client that does not read its replies", "client", c.socket.address)
	c.socket.disconnect()
}

// sent notes that something has been sent, or that sending failed.
func (c *client) sent() {
	c.session.Sent(c.out.Gone(), c.out.dead)
	if c.waiting {
		c.waiting = false
		c.server.backlog.goesOn(c)
	}
	if c.paused {
		c.paused = false
		c.session.Work.Begin()
	}
	if c.socket.disconnected.Load() && c.out.broken != nil {
		c.out.dead = true
	}
}

// close releases what the client holds, even after a panic.
func (c *client) close() {
	c.socket.close()
	c.session.Close()
	c.incoming.set(c.server.memory, c.incoming.owner, 0)
	c.server.backlog.goesOn(c)
	c.server.log.Debug("connection closed", "client", c.socket.address)
}

// logPanic logs that a session's code has panicked. The panic's value may hold a client's bytes, so only the
// runtime's own errors are logged in full.
func (c *client) logPanic(cause any) {
	message := "not an error of the runtime"
	if err, ok := cause.(interface {
		error
		RuntimeError()
	}); ok {
		message = err.Error()
	}
	c.server.log.Error("a session panicked", "error", message, "stack", string(debug.Stack()))
}

// linger closes the connection once the last replies have had the time to arrive.
func (c *client) linger() {
	e := c.tls
	if c.out.broken != nil {
		e = nil
	}
	c.socket.linger(!c.eof && c.out.broken == nil, e)
}
