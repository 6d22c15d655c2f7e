package cluster

import (
	"fmt"
	"net"
	"time"

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
	// A batch that is lost must end the connection even while nothing comes in on it.
	stop := make(chan struct{})
	defer close(stop)
	n.wg.Go(func() {
		select {
		case <-p.failed:
			_ = conn.SetReadDeadline(time.Unix(1, 0))
		case <-stop:
		}
	})
	for {
		entry, err := peer.ReadFrame(conn)
		if err != nil {
			return err
		}
		h, _, err := fsm.ReadEntry(entry)
		if err != nil {
			return err
		}
		if string(h.Origin) != remote.ServerID {
			return fmt.Errorf("a batch of %q from %q", h.Origin, remote.ServerID)
		}
		// The row that stops duplicates goes soon after its server: no more of its batches then.
		if !n.isServer(remote.ServerID) {
			return fmt.Errorf("%s is not in the configuration", remote.ServerID)
		}
		if err := p.propose(entry); err != nil {
			return err
		}
	}
}
