package cluster

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-msgpack/v2/codec"
	"github.com/hashicorp/raft"

	"ciderd/internal/peer"
)

// receiver handles others' messages to this node's Raft. It replaces that half of the library's transport, which
// decodes without a bound and passes on whatever it decodes: here messages have a maximum length, and Raft gets
// none with impossible values (messages.go). A refused message is answered with the reason, and ends the
// connection.
type receiver struct {
	ctx      context.Context // of the node: its end ends every connection
	log      hclog.Logger
	own      func() progress
	network  *peer.Network
	ended    func(serverID string)            // called for each ended connection of another server
	answered func(term uint64, now time.Time) // called once Raft has answered a leader's message
	consumer chan raft.RPC
}

func newReceiver(ctx context.Context, log hclog.Logger, own func() progress, n *peer.Network, ended func(string)) *receiver {
	return &receiver{ctx: ctx, log: log, own: own, network: n, ended: ended, answered: func(uint64, time.Time) {}, consumer: make(chan raft.RPC)}
}

// What a message begins with.
const (
	typeAppendEntries  = 0
	typeRequestVote    = 1
	typeInstall        = 2
	typeTimeoutNow     = 3
	typeRequestPreVote = 4
)

// serve is a peer.Handler.
func (r *receiver) serve(conn net.Conn, remote peer.Identity) {
	stop := context.AfterFunc(r.ctx, func() { conn.Close() })
	defer stop()
	in := r.network.Incoming(conn)
	defer in.Close()
	w := bufio.NewWriter(conn)
	c := &exchange{receiver: r, conn: conn, in: in, from: remote.ServerID, w: w,
		enc: codec.NewEncoder(w, &codec.MsgpackHandle{}), dec: codec.NewDecoderBytes(nil, &codec.MsgpackHandle{})}
	err := c.next()
	for err == nil {
		err = c.next()
	}
	if errors.Is(err, errImpossible) || errors.Is(err, errShape) {
		r.log.Error("refused what another node's Raft says, and ended its connection", "from", remote.ServerID,
			"address", conn.RemoteAddr(), "reason", err)
	} else if !errors.Is(err, io.EOF) {
		r.log.Debug("a connection of another node's Raft ends", "from", remote.ServerID, "reason", err)
	}
	if r.ctx.Err() == nil {
		conn.Close() // before the campaigner checks whether the leader still runs
		r.ended(remote.ServerID)
	}
}

// exchange is one connection. The sender waits for the answer to one message before it sends the next.
type exchange struct {
	*receiver
	conn net.Conn
	in   *peer.Incoming
	from string
	w    *bufio.Writer
	enc  *codec.Encoder
	dec  *codec.Decoder
	buf  []byte
}

// keepBuffer is how much memory a connection keeps from one message to the next.
const keepBuffer = 1 << 20

// next reads one message and answers it; an error ends the connection.
func (c *exchange) next() error {
	kind, err := c.in.Begin()
	if err != nil {
		return err
	}
	command, err := c.read(kind)
	if err == nil {
		err = c.own().check(command, c.from)
	}
	if err != nil {
		_ = c.answer(raft.RPCResponse{Error: err})
		return err
	}
	c.network.Heard.Note(c.from)
	rpc := raft.RPC{Command: command}
	if install, ok := command.(*raft.InstallSnapshotRequest); ok {
		rpc.Reader = c.in.Stream(install.Size, stallLimit)
	}
	response, err := c.give(rpc)
	if err != nil {
		return err // Raft may still be reading
	}
	c.in.EndStream()
	if request, ok := command.(*raft.AppendEntriesRequest); ok && response.Error == nil {
		c.answered(request.Term, time.Now())
	}
	return c.answer(response)
}

// read reads and decodes the message that has begun.
func (c *exchange) read(kind byte) (command any, err error) {
	limit := maxOtherMessage
	switch kind {
	case typeAppendEntries:
		command, limit = &raft.AppendEntriesRequest{}, maxEntriesMessage
	case typeRequestVote:
		command = &raft.RequestVoteRequest{}
	case typeRequestPreVote:
		command = &raft.RequestPreVoteRequest{}
	case typeInstall:
		command = &raft.InstallSnapshotRequest{}
	case typeTimeoutNow:
		command = &raft.TimeoutNowRequest{}
	default:
		return nil, fmt.Errorf("%w: type %d", errShape, kind)
	}
	s := scan{in: c.in, buf: c.buf[:0], limit: limit}
	if err := s.message(); err != nil {
		return nil, err
	}
	c.in.End()
	if c.buf = s.buf; cap(c.buf) > keepBuffer {
		c.buf = nil
	}
	c.dec.ResetBytes(s.buf)
	if err := c.dec.Decode(command); err != nil {
		return nil, fmt.Errorf("%w: %w", errShape, err)
	}
	return command, nil
}

// give has Raft process a message.
func (r *receiver) give(rpc raft.RPC) (raft.RPCResponse, error) {
	answer := make(chan raft.RPCResponse, 1)
	rpc.RespChan = answer
	select {
	case r.consumer <- rpc:
	case <-r.ctx.Done():
		return raft.RPCResponse{}, raft.ErrTransportShutdown
	}
	select {
	case response := <-answer:
		return response, nil
	case <-r.ctx.Done():
		return raft.RPCResponse{}, raft.ErrTransportShutdown
	}
}

func (c *exchange) answer(response raft.RPCResponse) error {
	_ = c.conn.SetWriteDeadline(time.Now().Add(rpcTimeout))
	text := ""
	if response.Error != nil {
		text = response.Error.Error()
	}
	if err := c.enc.Encode(text); err != nil {
		return err
	}
	if err := c.enc.Encode(response.Response); err != nil {
		return err
	}
	return c.w.Flush()
}

// stallLimit is how long an incoming snapshot may stall. Raft's own goroutine reads it from its connection, and
// while it waits for more it neither votes nor campaigns: a leader that hangs in the middle of sending one would
// keep a live majority from electing another.
const stallLimit = 2 * time.Second
