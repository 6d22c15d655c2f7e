package bench

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"time"
)

// Driver speaks to servers of one kind.
type Driver interface {
	// Connect connects, and logs in where that is needed. An error that the server has sent is a *Refused.
	Connect(ctx context.Context, address string) (Conn, error)
	// Prepare is called once, before any Connect.
	Prepare(c *Contents)
}

// Conn is one connection. Only Interrupt may be called beside another method.
type Conn interface {
	// Do sends a burst, and calls answered each time that the outcomes of requests from up to but not including to are
	// known, in order. After an error the connection is of no more use.
	Do(b *Burst, answered func(from, to int)) error
	// Interrupt ends a Do that waits, now or after that time.
	Interrupt(after time.Duration)
	Close()
}

// Refused is what a server has answered to a login.
type Refused struct{ Line string }

// Error implements error.
func (r *Refused) Error() string { return r.Line }

// Dialect is how the requests of a protocol are written, and answers read, where bytes come in the order of requests.
type Dialect interface {
	// Hello logs in. The connection has a deadline.
	Hello(c net.Conn) error
	// Template returns what stands before the digits of a key in a request, and behind.
	Template(o Operation, c *Contents, value []byte) (head, tail []byte)
	// Answer reads the answer at the beginning of b, of which it has seen some bytes before. size is how long it is, also
	// where b ends before it, and 0 if that is not known yet. The error is what a Failed one says.
	Answer(o Operation, b []byte, seen int) (size int, end Outcome, err string)
}

// Keeper is what else can be asked of a node, so that nobody's data is lost by a load. The Dialects of ciderd are that.
type Keeper interface {
	// SomeKey returns a key that begins with the prefix, which has no special character; empty: there is none.
	SomeKey(ctx context.Context, s *Stream, address, prefix string) (string, error)
	// Room returns how many bytes can be stored before a limit on all memory is reached, and whether there is one.
	Room(ctx context.Context, s *Stream, address string) (bytes int64, limited bool, err error)
}

// Stream is a Driver for servers with a Dialect.
type Stream struct {
	Dialect Dialect
	TLS     *tls.Config // nil: plain
	// ReadsUpTo is how large the answers to a burst may be that one read takes, in bytes; 0: 64 KiB.
	ReadsUpTo int

	templates [operations][]template // by size
}

type template struct{ head, tail []byte }

const (
	dialTimeout = 5 * time.Second
	// helloTimeout: a login may have to wait for its turn.
	helloTimeout = time.Minute
	readsUpTo    = 64 << 10
	readsAtLeast = 512
)

// Prepare implements Driver.
func (s *Stream) Prepare(c *Contents) {
	for o := range operations {
		s.templates[o] = nil
		for _, size := range c.Sizes.steps() {
			head, tail := s.Dialect.Template(o, c, c.Value[:size])
			s.templates[o] = append(s.templates[o], template{head, tail})
		}
	}
}

// Dial connects and logs in.
func (s *Stream) Dial(ctx context.Context, address string) (net.Conn, error) {
	d := net.Dialer{Timeout: dialTimeout}
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	if s.TLS != nil {
		config := s.TLS
		if config.ServerName == "" {
			config = config.Clone()
			config.ServerName, _, _ = net.SplitHostPort(address)
		}
		conn = tls.Client(conn, config)
	}
	if err = conn.SetDeadline(time.Now().Add(helloTimeout)); err == nil {
		err = s.Dialect.Hello(conn)
	}
	if err == nil {
		err = conn.SetDeadline(time.Time{})
	}
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return conn, nil
}

// Connect implements Driver.
func (s *Stream) Connect(ctx context.Context, address string) (Conn, error) {
	conn, err := s.Dial(ctx, address)
	if err != nil {
		return nil, err
	}
	most := s.ReadsUpTo
	if most == 0 {
		most = readsUpTo
	}
	return &streamConn{stream: s, conn: conn, in: make([]byte, min(readsAtLeast, most)), most: most}, nil
}

// streamConn is a connection of a Stream.
type streamConn struct {
	stream *Stream
	conn   net.Conn
	out    []byte
	in     []byte
	most   int // in may grow to, for its answers to come with few reads
}

// Do implements Conn.
func (c *streamConn) Do(b *Burst, answered func(from, to int)) error {
	c.out = c.out[:0]
	for _, r := range b.Requests {
		t := &c.stream.templates[r.Operation][r.Size]
		c.out = append(c.out, t.head...)
		c.out = appendKey(c.out, r.Key, r.Operation == Incr || r.Operation == dropCounter)
		c.out = append(c.out, t.tail...)
	}
	if len(c.out) <= c.most {
		if _, err := c.conn.Write(c.out); err != nil {
			return err
		}
		return c.read(b, answered)
	}
	// A server that does not read on until its answers are taken must not wait for us while we wait for it.
	sent := make(chan error, 1)
	go func() {
		_, err := c.conn.Write(c.out)
		sent <- err
	}()
	if err := c.read(b, answered); err != nil {
		_ = c.conn.Close()
		<-sent
		return err
	}
	return <-sent
}

// read reads the answers.
func (c *streamConn) read(b *Burst, answered func(from, to int)) error {
	have, seen, skip := 0, 0, 0 // bytes of in; of them those that are looked at; that are still to come of an answer whose end is known
	for next := 0; next < len(b.Requests); {
		n, err := c.conn.Read(c.in[have:])
		if n == 0 && err != nil {
			return err
		}
		if n == len(c.in)-have && len(c.in) < c.most {
			c.in = slices.Grow(c.in, len(c.in))[:min(2*len(c.in), c.most)]
		}
		have += n
		first, at := next, 0
		for next < len(b.Requests) && at < have {
			if skip > 0 {
				took := min(skip, have-at)
				at, skip = at+took, skip-took
				if skip == 0 {
					next++
				}
				continue
			}
			size, end, failed := c.stream.Dialect.Answer(b.Requests[next].Operation, c.in[at:have], seen)
			if size == 0 {
				break
			}
			seen, b.Outcomes[next] = 0, end
			if failed != "" {
				b.Errors = append(b.Errors, failed)
			}
			if skip = max(size-(have-at), 0); skip > 0 {
				at = have
				break
			}
			at += size
			next++
		}
		if have = copy(c.in, c.in[at:have]); skip == 0 {
			seen = have
		}
		if have == len(c.in) { // one answer is larger than all that there is room for
			c.in = append(c.in, make([]byte, len(c.in))...)
		}
		if next > first {
			answered(first, next)
		}
		if next == len(b.Requests) && have > 0 {
			return fmt.Errorf("%w: %.40q", errSurplus, c.in[:have])
		}
		if err != nil && next < len(b.Requests) {
			return err
		}
	}
	return nil
}

var errSurplus = errors.New("an answer that nobody has asked for")

// Interrupt implements Conn.
func (c *streamConn) Interrupt(after time.Duration) { _ = c.conn.SetDeadline(time.Now().Add(after)) }

// Close implements Conn.
func (c *streamConn) Close() { _ = c.conn.Close() }

// Names of errors that are no server's answer.
const (
	lostConnection = "CONNECTION_LOST"
	noReply        = "NO_REPLY"
	notConnected   = "CONNECT"
	badReply       = "BAD_REPLY"
)

// nameOf returns the name of an error of a connection.
func nameOf(err error) string {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return noReply
	case errors.Is(err, errSurplus):
		return badReply
	}
	return lostConnection
}
