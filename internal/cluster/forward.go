package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"ciderd/internal/fsm"
	"ciderd/internal/peer"
)

// forwards puts other nodes' batches into the log.
type forwards struct {
	raft    *consensus
	network *peer.Network
	entries *entries
	time    *timekeeper
	counts  *counts
	ctx     context.Context // ends with the node
	log     hclog.Logger

	wg     sync.WaitGroup
	taking sync.RWMutex // held for reading while a batch is let into Raft's queue
}

// serve puts the batches of one other node into the log, while this node leads. Its only reply is the reason why it
// stops: the origin sends again, to the current leader.
func (f *forwards) serve(conn net.Conn, remote peer.Identity) {
	err := f.takeBatches(conn, remote)
	if !errors.Is(err, io.EOF) && f.ctx.Err() == nil {
		f.counts.rejected.Add(1)
	}
	f.log.Debug("a follower's way to us ends", "from", remote.ServerID, "reason", err)
	_ = conn.SetWriteDeadline(time.Now().Add(time.Second))
	fmt.Fprintln(conn, err)
}

func (f *forwards) takeBatches(conn net.Conn, remote peer.Identity) error {
	if err := mayLead(f.ctx, f.raft, f.time); err != nil {
		return err
	}
	p := f.entries.newProposer()
	defer p.close()
	in := f.network.Incoming(conn)
	defer in.Close()
	// A lost batch must end the connection even while nothing arrives on it.
	stop := make(chan struct{})
	defer close(stop)
	f.wg.Go(func() {
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
		h, err := fsm.ReadHeader(entry) // the rest is checked as it enters the log
		if err != nil {
			return err
		}
		if string(h.Origin) != remote.ServerID {
			return fmt.Errorf("a batch of %q from %q", h.Origin, remote.ServerID)
		}
		if err := f.checkIncarnation(h.Incarnation, remote); err != nil {
			f.log.Error("refused a batch", "from", remote.ServerID, "address", conn.RemoteAddr(), "reason", err)
			return err
		}
		future, err := f.enqueueOf(remote.ServerID, entry)
		if err != nil {
			return err
		}
		if err := p.await(future); err != nil {
			return err
		}
		f.counts.forwarded.Add(1)
	}
}

// maxStartsAhead is how often a server's process may have started since its last batch that was applied here.
const maxStartsAhead = 1_000_000

// checkIncarnation checks that a batch can be from the process that sends it: once applied, it would end the writes
// of all lower incarnations.
func (f *forwards) checkIncarnation(incarnation uint64, remote peer.Identity) error {
	last := f.raft.fsm.Incarnation(remote.ServerID)
	switch {
	case remote.Incarnation != 0 && incarnation != remote.Incarnation:
		return impossible("a batch of incarnation %d from a process of %d", incarnation, remote.Incarnation)
	case incarnation > last && incarnation-last > maxStartsAhead:
		return impossible("a batch of incarnation %d, where the last was of %d", incarnation, last)
	}
	return nil
}

// enqueueOf gives Raft a batch of a server that is in the configuration. The row that stops duplicates is removed
// soon after its server: no batch of it may enter after that (see lastBatches).
func (f *forwards) enqueueOf(server string, entry []byte) (raft.ApplyFuture, error) {
	f.taking.RLock()
	defer f.taking.RUnlock()
	if !f.raft.isServer(server) {
		return nil, fmt.Errorf("%s is not in the configuration", server)
	}
	return f.entries.enqueue(entry)
}

// lastBatches returns once no batch of a server that has left the configuration can enter this node's queue:
// entries queued from now on come after all of them.
func (f *forwards) lastBatches(server string) {
	f.taking.Lock() // waits for callers that have just found the server in the configuration
	defer f.taking.Unlock()
	f.log.Debug("no more batches are taken", "of", server)
}
