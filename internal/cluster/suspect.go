package cluster

import (
	"context"
	"errors"
	"syscall"
	"time"

	"github.com/hashicorp/raft"
)

// A leader whose process ends takes its connections with it: that is heard at once, where its silence
// is noticed only after Timing.Heartbeat or twice that. So when a connection of the leader's ends
// and its port refuses another, a follower stands for election without waiting.
//
// It can be wrong about the leader's death and harm nothing: Raft's safety rests on votes and terms,
// not on who stands when, and the worst is an election that was not needed.
const (
	// suspectDial is how long the port is tried, every suspectAgain.
	suspectDial  = 300 * time.Millisecond
	suspectAgain = 10 * time.Millisecond
	// suspectStep keeps the followers from standing all at once and splitting the vote: each waits
	// so long for each voter before it in the order of ids. A vote takes a few milliseconds.
	suspectStep = 100 * time.Millisecond
)

// connectionEnded is told that a connection of another server's Raft has ended.
func (n *Node) connectionEnded(id string) {
	if id != n.leader() || !n.suspecting.CompareAndSwap(false, true) {
		return
	}
	n.wg.Go(func() {
		defer n.suspecting.Store(false)
		if n.refuses(id) {
			n.standFor(id)
		}
	})
}

// refuses tells whether the server's machine is there and its process is not. A process that is
// being ended may still hold its port while its connections are closed, so one try is not enough.
func (n *Node) refuses(id string) bool {
	address, err := n.members.Address(id)
	if err != nil {
		return false
	}
	ctx, cancel := context.WithTimeout(n.ctx, suspectDial)
	defer cancel()
	for {
		conn, err := n.book.Connect(ctx, address)
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

// standFor makes this node a candidate in its turn, unless somebody leads by then.
func (n *Node) standFor(dead string) {
	others, selfVotes := n.voters()
	if !selfVotes || n.space.low.Load() { // without room it would lead for a moment only
		return
	}
	before := 0
	for _, id := range others {
		if id != dead && id < n.self.ServerID {
			before++
		}
	}
	select {
	case <-time.After(time.Duration(before) * suspectStep):
	case <-n.stopped:
		return
	}
	if leader := n.leader(); n.raft.State() != raft.Follower || leader != dead && leader != "" {
		return
	}
	n.log.Info("the leader's process is gone: standing for election", "leader", dead)
	// Raft has no call for it, but what another server would send it to hand leadership over.
	response, err := n.receiver.give(raft.RPC{Command: &raft.TimeoutNowRequest{RPCHeader: n.rpcHeader()}})
	if err = errors.Join(err, response.Error); err != nil {
		n.log.Debug("standing for election", "error", err)
	}
}

// rpcHeader is what Raft's own messages from this server begin with.
func (n *Node) rpcHeader() raft.RPCHeader {
	return raft.RPCHeader{
		ProtocolVersion: raft.ProtocolVersionMax, ID: []byte(n.self.ServerID),
		Addr: n.transport.EncodePeer(raft.ServerID(n.self.ServerID), n.transport.LocalAddr()),
	}
}
