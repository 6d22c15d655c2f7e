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

// receiver is where others' messages to this node's Raft come in. It takes the place of that half of the library's
// transport, which decodes without a bound and passes on whatever it has decoded: here no message is longer than
// any is, and Raft gets none that says what cannot be (messages.go). What is refused is answered with the reason,
// and ends the connection.
type receiver struct {
	ctx      context.Context // of the node: its end ends every connection
	log      hclog.Logger
	own      func() progress
	budget   *peer.Budget
	heard    *heard
	ended    func(serverID string) // told of each connection of another server's that ends
	consumer chan raft.RPC
}

func newReceiver(ctx context.Context, log hclog.Logger, own func() progress, budget *peer.Budget, h *heard, ended func(string)) *receiver {
	return &receiver{ctx: ctx, log: log, own: own, budget: budget, heard: h, ended: ended, consumer: make(chan raft.RPC)}
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
	in := peer.NewIncoming(conn, r.budget)
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
		conn.Close() // before anybody looks whether there is more of it
		r.ended(remote.ServerID)
	}
}

// exchange is one connection: whoever sends waits for the answer to one message before the next.
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

// next takes one message and answers it; an error ends the connection.
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
	c.heard.note(c.from)
	rpc := raft.RPC{Command: command}
	if install, ok := command.(*raft.InstallSnapshotRequest); ok {
		rpc.Reader = c.in.Stream(install.Size, stallLimit)
	}
	response, err := c.give(rpc)
	if err != nil {
		return err // Raft may be reading still
	}
	c.in.EndStream()
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

// give has Raft carry out a message.
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

// stallLimit is how long a snapshot that comes in may stand still. Raft's own goroutine reads it from its
// connection, and while it waits for more it neither votes nor stands: a leader that hangs in the middle of
// sending one would keep a majority that lives from electing another.
const stallLimit = 2 * time.Second
