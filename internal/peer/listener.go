package peer

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
)

// Handler serves a connection of a node that has proved itself, until it is done with it. The
// connection is closed when Handler returns, and when the Listener closes.
type Handler func(conn net.Conn, remote Identity)

// Listener accepts connections of other nodes and hands them to the handler of their kind.
type Listener struct {
	listener net.Listener
	self     Identity
	member   func(node string) bool
	door     func(kind Kind, from Identity) (refusal string) // nil: all that are members come in
	known    func(serverID string) bool                      // nil: none is
	log      hclog.Logger
	handlers map[Kind]Handler
	outside  func(serverID string) uint64 // see TellOutsiders
	claims   *claims
	runs     atomic.Bool

	wg       sync.WaitGroup
	unproven places // of all that have yet to prove who they are
	proven   places // of each node
}

// NewListener returns a Listener on l that welcomes the nodes for which member is true.
func NewListener(l net.Listener, self Identity, member func(node string) bool, log hclog.Logger) *Listener {
	return &Listener{
		listener: l, self: self, member: member, log: log, handlers: map[Kind]Handler{}, claims: newClaims(log),
	}
}

// Door has each connection of a member asked for as well: it comes in if refusal is empty. It is called while the
// caller waits for its answer. Before Start.
func (l *Listener) Door(refusal func(kind Kind, from Identity) string) { l.door = refusal }

// Known tells which servers belong to the cluster: those that claim themselves have places of their own. Before
// Start.
func (l *Listener) Known(known func(serverID string) bool) { l.known = known }

// Runs says that this process takes part from now on: whoever says that it is this node as well is told so.
func (l *Listener) Runs() { l.runs.Store(true) }

// Handle sets the handler of a kind, before Start.
func (l *Listener) Handle(kind Kind, h Handler) { l.handlers[kind] = h }

// TellOutsiders has a node that is refused for its name be told up to where in the log its server is none of the
// cluster's; 0: that is not known. Before Start.
func (l *Listener) TellOutsiders(asOf func(serverID string) uint64) { l.outside = asOf }

// Start accepts until Close.
func (l *Listener) Start() { l.wg.Go(l.accept) }

// Claimed tells whether a process holds the claim of a server here, and lives: it is asked, if it has not been
// heard for a while.
func (l *Listener) Claimed(id string) bool {
	h := l.claims.holder(id)
	return h != nil && h.lives()
}

// Close closes the port and every connection, and waits for the handlers.
func (l *Listener) Close() error {
	l.unproven.close()
	l.proven.close()
	err := l.listener.Close()
	l.wg.Wait()
	return err
}

func (l *Listener) accept() {
	for delay := time.Duration(0); ; {
		conn, err := l.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // out of descriptors, say: the next try may work
			delay = min(max(2*delay, 5*time.Millisecond), time.Second)
			l.log.Warn("cannot accept a peer", "error", err, "again in", delay)
			time.Sleep(delay)
			continue
		}
		delay = 0
		if !l.unproven.take("", maxHandshakes, conn) {
			conn.Close()
			return
		}
		l.wg.Go(func() { l.serve(conn) })
	}
}

func (l *Listener) serve(conn net.Conn) {
	defer conn.Close()
	r := bufio.NewReaderSize(conn, readBuffer)
	h, err := l.welcome(conn, r)
	owner := ""
	if err == nil {
		owner = l.owner(h)
		if !l.proven.take(owner, maxConns, conn) {
			err = net.ErrClosed
		}
	}
	l.unproven.leave("", conn)
	if err != nil {
		l.log.Debug("refused a peer connection", "from", conn.RemoteAddr(), "reason", err)
		return
	}
	defer l.proven.leave(owner, conn)
	if h.old {
		defer l.claims.noteOld(h.from.ServerID, conn)()
	}
	_ = conn.SetDeadline(time.Time{})
	if h.kind == KindClaim {
		l.claims.serve(&buffered{Conn: conn, r: r}, h)
		return
	}
	l.handlers[h.kind](&buffered{Conn: conn, r: r}, h.from)
}

// welcome reads a hello and answers it; an error is why it is not welcome.
func (l *Listener) welcome(conn net.Conn, r *bufio.Reader) (*hello, error) {
	_ = conn.SetDeadline(time.Now().Add(helloTimeout))
	h, err := readHello(r)
	if err != nil {
		_, _ = conn.Write(encodeReply(l.self, &Refusal{Reason: err.Error()}, true))
		return nil, err
	}
	refusal := l.refusal(h, conn)
	_, err = conn.Write(encodeReply(l.self, refusal, h.old))
	if refusal != nil {
		return nil, refusal
	}
	return h, err
}

// owner is whose places a connection takes: a process that has proved which one it is has its own, which nobody
// takes by calling himself by its name.
func (l *Listener) owner(h *hello) string {
	if l.claims.proven(h.from) || h.kind == KindClaim && l.known != nil && l.known(h.from.ServerID) {
		return h.from.ServerID
	}
	return h.from.Node
}

// refusal says why h is not welcome; nil if it is.
func (l *Listener) refusal(h *hello, conn net.Conn) *Refusal {
	no := func(format string, args ...any) *Refusal {
		return &Refusal{By: l.self.ServerID, Reason: fmt.Sprintf(format, args...)}
	}
	switch {
	case h.from.Cluster != l.self.Cluster: // who does not know that learns nothing
		return &Refusal{Reason: fmt.Sprintf(refusalCluster+"%q", h.from.Cluster)}
	case h.want != l.self.ServerID && h.want != l.self.Node:
		return no(refusalNode+"%s, not %s", l.self.ServerID, h.want)
	case h.from.ServerID == l.self.ServerID:
		return l.refuseSelf(h, conn)
	case h.from.Node == l.self.Node || NodeName(h.from.ServerID) != h.from.Node:
		return no("%q of %q is no other node than this one", h.from.ServerID, h.from.Node)
	case !l.member(h.from.Node):
		return no("%s", l.refuseOutsider(h.from))
	case l.handlers[h.kind] == nil && h.kind != KindClaim:
		return no("unknown kind of connection")
	}
	if other := l.claims.other(h.from, conn.RemoteAddr()); other != nil {
		refusal := no("%s is another process, at %s", h.from.ServerID, other.Address)
		refusal.Other = other
		return refusal
	}
	if l.door != nil {
		if why := l.door(h.kind, h.from); why != "" {
			return no("%s", why)
		}
	}
	return nil
}

// refuseSelf refuses what says that it is this node: it is, or it runs on a copy of the directory.
func (l *Listener) refuseSelf(h *hello, conn net.Conn) *Refusal {
	if h.from.Nonce == l.self.Nonce && l.self.Nonce != "" {
		return &Refusal{By: l.self.ServerID, Reason: "this is this node itself"}
	}
	here := conn.LocalAddr().String()
	l.claims.say(h.from.ServerID, here, conn.RemoteAddr().String())
	return &Refusal{
		By: l.self.ServerID, Reason: fmt.Sprintf("%s is another process, at %s", l.self.ServerID, here),
		Other: &Other{Address: here, Nonce: l.self.Nonce, Runs: l.runs.Load()},
	}
}

func (l *Listener) refuseOutsider(from Identity) string {
	text := fmt.Sprintf(refusalMember+"%q in the configuration of %s", from.Node, l.self.Node)
	if l.outside != nil {
		if index := l.outside(from.ServerID); index > 0 {
			text += fmt.Sprintf(refusalOutside+"%d", index)
		}
	}
	return text
}
