package cluster

import (
	"fmt"
	"net"
	"time"

	"github.com/hashicorp/raft"

	"ciderd/internal/fsm"
	"ciderd/internal/peer"
)

// serveForward takes the batches of one other node into the log, as long as this node leads. The
// only thing that it ever answers is why it stops: the origin sends again, wherever the leader is.
func (n *Node) serveForward(conn net.Conn, remote peer.Identity) {
	err := n.takeBatches(conn, remote)
	n.log.Debug("a follower's way to us ends", "from", remote.ServerID, "reason", err)
	_ = conn.SetWriteDeadline(time.Now().Add(time.Second))
	fmt.Fprintln(conn, err)
}

func (n *Node) takeBatches(conn net.Conn, remote peer.Identity) error {
	if err := n.mayLead(n.ctx); err != nil {
		return err
	}
	p := newProposer(n)
	defer p.close()
	in := peer.NewIncoming(conn, n.budget)
	defer in.Close()
	// A batch that is lost must end the connection even while nothing comes in on it.
	stop := make(chan struct{})
	defer close(stop)
	n.wg.Go(func() {
		select {
		case <-p.failed:
			in.Interrupt()
		case <-stop:
		}
	})
	for {
		entry, err := in.ReadFrame()
		if err != nil {
			return err
		}
		h, err := fsm.ReadHeader(entry) // all of it is checked as it enters the log
		if err != nil {
			return err
		}
		if string(h.Origin) != remote.ServerID {
			return fmt.Errorf("a batch of %q from %q", h.Origin, remote.ServerID)
		}
		if err := n.checkIncarnation(h.Incarnation, remote); err != nil {
			n.log.Error("refused a batch", "from", remote.ServerID, "address", conn.RemoteAddr(), "reason", err)
			return err
		}
		future, err := n.enqueueOf(remote.ServerID, p, entry)
		if err != nil {
			return err
		}
		if err := p.await(future); err != nil {
			return err
		}
	}
}

// maxStartsAhead is how many starts of a server's process there may have been since its last batch that was
// applied here.
const maxStartsAhead = 1_000_000

// checkIncarnation tells whether a batch can be of the process that sends it: in the state it would end the
// writes of all of lower ones.
func (n *Node) checkIncarnation(incarnation uint64, remote peer.Identity) error {
	last := n.fsm.Incarnation(remote.ServerID)
	switch {
	case remote.Incarnation != 0 && incarnation != remote.Incarnation:
		return impossible("a batch of incarnation %d from a process of %d", incarnation, remote.Incarnation)
	case incarnation > last && incarnation-last > maxStartsAhead:
		return impossible("a batch of incarnation %d, where the last was of %d", incarnation, last)
	}
	return nil
}

// enqueueOf gives Raft a batch of a server that is in the configuration. The row that stops duplicates
// goes soon after its server: no more of its batches then (see lastBatches).
func (n *Node) enqueueOf(server string, p *proposer, entry []byte) (raft.ApplyFuture, error) {
	n.taking.RLock()
	defer n.taking.RUnlock()
	if !n.isServer(server) {
		return nil, fmt.Errorf("%s is not in the configuration", server)
	}
	return p.enqueue(entry)
}

// lastBatches returns when no batch of a server that has left the configuration can come into this
// node's queue any more: what is put there from now on comes after all of them.
func (n *Node) lastBatches(server string) {
	n.taking.Lock() // waits for whoever has just found the server in the configuration
	defer n.taking.Unlock()
	n.log.Debug("no more batches are taken", "of", server)
}
