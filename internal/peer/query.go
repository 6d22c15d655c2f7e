package peer

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// A query is a length (four bytes, little endian) and that many bytes of JSON; so is the answer. There are a
// handful a second, so legibility and extensibility matter most.
const maxMessage = 64 << 10 // bytes

// ErrTooBig: a message's length is above the limit.
var ErrTooBig = errors.New("message over 64 KiB")

func writeMessage(w io.Writer, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = w.Write(append(binary.LittleEndian.AppendUint32(nil, uint32(len(body))), body...))
	return err
}

func readMessage(r io.Reader, v any) error {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return err
	}
	n := binary.LittleEndian.Uint32(head[:])
	if n > maxMessage {
		return ErrTooBig
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(r, body); err != nil {
		return err
	}
	return json.Unmarshal(body, v)
}

func (in *Incoming) readMessage(v any) error {
	n, err := in.head()
	if err != nil {
		return err
	}
	if n > maxMessage {
		return ErrTooBig
	}
	body, err := in.Append(nil, int(n))
	if err != nil {
		return err
	}
	in.End()
	return json.Unmarshal(body, v)
}

// ServeQueries answers the queries of one connection until it ends. answer gets each query's decoded Q and returns
// what to send back.
func ServeQueries[Q, A any](conn net.Conn, budget *Budget, answer func(Q) A) {
	in := NewIncoming(conn, budget)
	defer in.Close()
	for {
		var q Q
		if err := in.readMessage(&q); err != nil {
			return
		}
		_ = conn.SetWriteDeadline(time.Now().Add(helloTimeout))
		if err := writeMessage(conn, answer(q)); err != nil {
			return
		}
	}
}

// Client asks one node, over one connection that it keeps and reopens when needed. It asks one question at a time;
// other callers wait until it is free, or until their context ends.
type Client struct {
	address func() string
	self    Identity
	want    string
	dialler dialler
	sem     chan struct{} // holds a token while no question is in flight
	conn    net.Conn      // belongs to the holder of the token
	closed  context.Context
	close   context.CancelFunc
}

// NewClient returns a client of the node want (a name or a server id) at address().
func NewClient(address func() string, self Identity, want string) *Client {
	c := &Client{address: address, self: self, want: want, sem: make(chan struct{}, 1)}
	c.sem <- struct{}{}
	c.closed, c.close = context.WithCancel(context.Background())
	return c
}

// Call asks q and decodes the answer into a. After Close the error is net.ErrClosed.
func (c *Client) Call(ctx context.Context, q, a any) error {
	return c.call(ctx, context.Background(), q, a)
}

// call is Call, but gives up if wanted ends while other calls use the connection.
func (c *Client) call(ctx, wanted context.Context, q, a any) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(c.closed, func() { cancel(net.ErrClosed) })()
	select {
	case <-c.sem:
		defer func() { c.sem <- struct{}{} }()
	case <-wanted.Done():
		return context.Cause(wanted)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if c.closed.Err() != nil {
		return net.ErrClosed
	}
	fresh := c.conn == nil
	err := c.exchange(ctx, q, a)
	if err != nil && !fresh && ctx.Err() == nil {
		// The kept connection may have died long ago: that says nothing about the node.
		err = c.exchange(ctx, q, a)
	}
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return fmt.Errorf("asking %s: %w", c.want, err)
	}
	return nil
}

func (c *Client) exchange(ctx context.Context, q, a any) (err error) {
	if c.conn == nil {
		if c.conn, _, err = c.dialler.dial(ctx, c.address(), &hello{kind: KindQuery, from: c.self, want: c.want}); err != nil {
			c.conn = nil
			return err
		}
	}
	conn := c.conn
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	err = writeMessage(conn, q)
	if err == nil {
		err = readMessage(conn, a)
	}
	if !stop() || err != nil {
		// Either the connection is broken, or its deadline is set and an answer may be in flight.
		conn.Close()
		c.conn = nil
	}
	return err
}

// Close ends every call and the connection.
func (c *Client) Close() {
	c.close()
	<-c.sem // of the call that is ending
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
	c.sem <- struct{}{}
}
