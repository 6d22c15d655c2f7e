package cluster

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"ciderd/internal/peer"
)

// When a leader's process ends its connections end too, and that shows at once, while its silence is noticed only
// after Timing.Heartbeat or twice that. So when a connection of the leader's ends and its port refuses another, a
// follower campaigns without waiting.
//
// A wrong suspicion does no harm: Raft's safety rests on votes and terms, not on which node campaigns when. The
// worst is an election that was not needed.
const (
	// suspectDial is how long each try to reach the port takes; it is tried every suspectAgain.
	suspectDial  = 300 * time.Millisecond
	suspectAgain = 10 * time.Millisecond
	// suspectStep keeps the followers from campaigning all at once and splitting the vote: each waits this long for
	// each voter before it in the order of ids. A vote takes a few milliseconds.
	suspectStep = 100 * time.Millisecond
)

// campaigner has this node campaign when the leader's process is gone.
type campaigner struct {
	raft     *consensus
	network  *peer.Network
	receiver *receiver
	header   func() raft.RPCHeader
	unfit    func() bool // this node would lead only for a moment: its disk is nearly full, or it is draining
	ctx      context.Context
	log      hclog.Logger

	wg         sync.WaitGroup
	suspecting atomic.Bool // of the leader
}

// connectionEnded is called when a connection of another server's Raft has ended.
func (c *campaigner) connectionEnded(id string) {
	if id != c.raft.Leader() || !c.suspecting.CompareAndSwap(false, true) {
		return
	}
	c.wg.Go(func() {
		defer c.suspecting.Store(false)
		if c.refuses(id) {
			c.campaign(id)
		}
	})
}

// refuses reports whether the server's machine answers and its process does not. A process that is ending may still
// hold its port while its connections are closed, so one try is not enough.
func (c *campaigner) refuses(id string) bool {
	if !c.network.Members.Has(peer.NodeName(id)) {
		return false
	}
	ctx, cancel := context.WithTimeout(c.ctx, suspectDial)
	defer cancel()
	for {
		conn, err := c.network.Connect(ctx, id)
		if errors.Is(err, syscall.ECONNREFUSED) {
			return true
		}
		if err == nil {
			conn.Close()
		}
		select {
		case <-time.After(suspectAgain):
		case <-ctx.Done():
			return false
		}
	}
}

// campaign makes this node a candidate, after the voters before it, unless another node leads by then.
func (c *campaigner) campaign(dead string) {
	others, selfVotes := c.raft.Voters()
	if !selfVotes || c.unfit() {
		return
	}
	before := 0
	for _, id := range others {
		if id != dead && id < c.raft.self {
			before++
		}
	}
	select {
	case <-time.After(time.Duration(before) * suspectStep):
	case <-c.raft.stopped:
		return
	}
	if leader := c.raft.Leader(); c.raft.State() != raft.Follower || leader != dead && leader != "" {
		return
	}
	c.log.Info("the leader's process is gone: campaigning", "leader", dead)
	// Raft has no call for it, except the message by which another server hands leadership over.
	response, err := c.receiver.give(raft.RPC{Command: &raft.TimeoutNowRequest{RPCHeader: c.header()}})
	if err = errors.Join(err, response.Error); err != nil {
		c.log.Debug("campaigning", "error", err)
	}
}

// header returns the header of Raft's own messages from this server.
func (c *consensus) header(t *raft.NetworkTransport) raft.RPCHeader {
	return raft.RPCHeader{
		ProtocolVersion: raft.ProtocolVersionMax, ID: []byte(c.self), Addr: t.EncodePeer(raft.ServerID(c.self), t.LocalAddr()),
	}
}
