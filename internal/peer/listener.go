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

// Handler serves a connection of a node that has proved itself, until it returns. The connection is closed when
// Handler returns, and when the Listener closes.
type Handler func(conn net.Conn, remote Identity)

// Rules further restrict which connections are accepted. Each may be nil.
type Rules struct {
	// Refuse is called for each connection of a member, while the caller waits for its answer. The connection is
	// accepted if the refusal is empty.
	Refuse func(kind Kind, from Identity) (refusal string)
	// Known reports whether a server belongs to the cluster: those that claim themselves have connection slots of
	// their own.
	Known func(serverID string) bool
	// OutsideAsOf returns up to which log index a server is not in the cluster, for a node that is refused for its
	// name; 0: unknown.
	OutsideAsOf func(serverID string) uint64
}

// Listener accepts connections of other nodes and passes them to the handler of their kind.
type Listener struct {
	listener net.Listener
	self     Identity
	member   func(node string) bool
	rules    Rules
	log      hclog.Logger
	handlers map[Kind]Handler
	claims   *claims
	security *Security // nil: Off
	runs     atomic.Bool
	counts   counts
	warned   atomic.Int64 // when a certificate that is not accepted was last a warning, in Unix seconds

	wg       sync.WaitGroup
	unproven places // of all that have not proved who they are yet
	proven   places // of each node
}

// warnEvery is how long the log warns of no more certificates that are not accepted, in seconds.
const warnEvery = 10

// NewListener returns a Listener on l that accepts the nodes for which member is true.
func NewListener(l net.Listener, self Identity, member func(node string) bool, log hclog.Logger) *Listener {
	return &Listener{
		listener: l, self: self, member: member, log: log, handlers: map[Kind]Handler{}, claims: newClaims(log),
	}
}

// Runs notes that this process takes part from now on: another that says it is this node is told so.
func (l *Listener) Runs() { l.runs.Store(true) }

// Handle sets the handler of a kind, before Start.
func (l *Listener) Handle(kind Kind, h Handler) { l.handlers[kind] = h }

// Start accepts until Close.
func (l *Listener) Start() { l.wg.Go(l.accept) }

// Claimed reports whether a live process holds the claim of a server here. It asks that process if it has not been
// heard for a while.
func (l *Listener) Claimed(id string) bool {
	h := l.claims.holder(id)
	return h != nil && h.lives()
}

// Close closes the port and every connection, and waits for the handlers. It may be called again.
func (l *Listener) Close() error {
	l.unproven.close()
	l.proven.close()
	err := l.listener.Close()
	if errors.Is(err, net.ErrClosed) {
		err = nil // it was closed already
	}
	l.wg.Wait()
	return err
}

func (l *Listener) accept() {
	for delay := time.Duration(0); ; {
		conn, err := l.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // such as out of descriptors: the next try may work
			delay = min(max(2*delay, 5*time.Millisecond), time.Second)
			l.log.Warn("cannot accept a peer", "error", err, "again in", delay)
			time.Sleep(delay)
			continue
		}
		delay = 0
		if !l.unproven.take(strangers, maxHandshakes, conn) {
			conn.Close()
			return
		}
		l.wg.Go(func() { l.serve(conn) })
	}
}

func (l *Listener) serve(conn net.Conn) {
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(helloTimeout))
	guest := &guest{buffered: &buffered{Conn: conn, r: bufio.NewReaderSize(conn, readBuffer)}, tcp: conn, place: strangers}
	err := l.admit(guest)
	if err == nil {
		err = l.welcome(guest)
	}
	if guest.claim != nil {
		defer l.claims.drop(guest.hello.from.ServerID, guest.claim)
	}
	if err == nil && !l.proven.take(guest.owner, maxConns, conn) {
		err = net.ErrClosed
	}
	l.unproven.leave(guest.place, conn)
	if err == nil {
		defer l.proven.leave(guest.owner, conn)
		err = l.security.add(guest.connection())
		defer l.security.remove(guest.noted)
	}
	if err != nil {
		l.counts.rejected.Add(1)
		l.rejected(conn.RemoteAddr(), err)
		return
	}
	l.counts.accepted.Add(1)
	if guest.hello.old {
		defer l.claims.noteOld(guest.hello.from.ServerID, conn)()
	}
	_ = conn.SetDeadline(time.Time{})
	if guest.claim != nil {
		guest.claim.listen()
		return
	}
	l.handlers[guest.hello.kind](guest, guest.hello.from)
}

// rejected logs why a connection is refused. A certificate is worth a warning now and then: its owner is told no more
// than that it is bad.
func (l *Listener) rejected(from net.Addr, err error) {
	level := hclog.Debug
	var certificate *CertificateError
	if last := l.warned.Load(); errors.As(err, &certificate) && time.Now().Unix() >= last+warnEvery && l.warned.CompareAndSwap(last, time.Now().Unix()) {
		level = hclog.Warn
	}
	l.log.Log(level, "refused a peer connection", "from", from, "reason", err)
}

// welcome reads a hello and answers it; the error is why it was refused.
func (l *Listener) welcome(g *guest) error {
	h, err := readHello(g.r)
	if err != nil {
		_, _ = g.Write(encodeReply(l.self, &Refusal{Reason: err.Error()}, true))
		return err
	}
	g.hello, g.owner = h, l.owner(h)
	refusal := l.refusal(h, g)
	if refusal == nil && h.kind == KindClaim {
		var first *Other
		if g.claim, first = l.claims.take(g, h); g.claim == nil {
			refusal = l.refuseSecond(h, first)
		}
	}
	_, err = g.Write(encodeReply(l.self, refusal, h.old))
	if refusal != nil {
		return refusal
	}
	return err
}

// owner returns the owner of the slots that a connection takes. A process that has proved which one it is has its
// own, which no other takes by using its name.
func (l *Listener) owner(h *hello) string {
	if l.claims.proven(h.from) || h.kind == KindClaim && l.rules.Known != nil && l.rules.Known(h.from.ServerID) {
		return h.from.ServerID
	}
	return h.from.Node
}

// refusal returns why h is refused; nil if it is not.
func (l *Listener) refusal(h *hello, g *guest) *Refusal {
	no := func(format string, args ...any) *Refusal {
		return &Refusal{By: l.self.ServerID, Reason: fmt.Sprintf(format, args...)}
	}
	if h.from.Cluster != l.self.Cluster { // a caller that does not know the name learns nothing
		return &Refusal{Reason: fmt.Sprintf(refusalCluster+"%q", h.from.Cluster)}
	}
	if err := g.isOf(h.from); err != nil {
		return no(refusalCertificate+"%v", err)
	}
	switch {
	case h.want != l.self.ServerID && h.want != l.self.Node:
		return no(refusalNode+"%s, not %s", l.self.ServerID, h.want)
	case h.from.ServerID == l.self.ServerID:
		return l.refuseSelf(h, g)
	case h.from.Node == l.self.Node || NodeName(h.from.ServerID) != h.from.Node:
		return no("%q of %q is no other node than this one", h.from.ServerID, h.from.Node)
	case !l.member(h.from.Node):
		return no("%s", l.refuseOutsider(h.from))
	case l.handlers[h.kind] == nil && h.kind != KindClaim:
		return no("unknown kind of connection")
	}
	if other := l.claims.other(h.from, g.RemoteAddr()); other != nil {
		return l.refuseSecond(h, other)
	}
	if l.rules.Refuse != nil {
		if why := l.rules.Refuse(h.kind, h.from); why != "" {
			return no("%s", why)
		}
	}
	return nil
}

// refuseSecond refuses a process while another one is that server.
func (l *Listener) refuseSecond(h *hello, first *Other) *Refusal {
	return &Refusal{
		By: l.self.ServerID, Reason: fmt.Sprintf("%s is another process, at %s", h.from.ServerID, first.Address), Other: first,
	}
}

// refuseSelf refuses a process that says it is this node: it is, or it runs on a copy of the directory.
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
	if l.rules.OutsideAsOf != nil {
		if index := l.rules.OutsideAsOf(from.ServerID); index > 0 {
			text += fmt.Sprintf(refusalOutside+"%d", index)
		}
	}
	return text
}
