package peer

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

// maxHandshakes is how many connections may be proving who they are at a time; the next wait to be
// accepted. It keeps strangers from taking memory and descriptors.
const maxHandshakes = 64

// Handler serves a connection of a node that has proved itself, until it is done with it. The
// connection is closed when Handler returns, and when the Listener closes.
type Handler func(conn net.Conn, remote Identity)

// Listener accepts connections of other nodes and hands them to the handler of their kind.
type Listener struct {
	listener net.Listener
	self     Identity
	member   func(node string) bool
	log      hclog.Logger
	handlers map[Kind]Handler
	outside  func(serverID string) uint64 // see TellOutsiders

	slots chan struct{}
	wg    sync.WaitGroup
	mu    sync.Mutex // conns, closed
	conns map[net.Conn]struct{}
	// closed is set before the connections are closed, so that none is added behind.
	closed bool
}

// NewListener returns a Listener on l that welcomes the nodes for which member is true.
func NewListener(l net.Listener, self Identity, member func(node string) bool, log hclog.Logger) *Listener {
	return &Listener{
		listener: l, self: self, member: member, log: log, handlers: map[Kind]Handler{},
		slots: make(chan struct{}, maxHandshakes), conns: map[net.Conn]struct{}{},
	}
}

// Handle sets the handler of a kind, before Start.
func (l *Listener) Handle(kind Kind, h Handler) { l.handlers[kind] = h }

// TellOutsiders has a node that is refused for its name be told up to where in the log its server is none of the
// cluster's; 0: that is not known. Before Start.
func (l *Listener) TellOutsiders(asOf func(serverID string) uint64) { l.outside = asOf }

// Start accepts until Close.
func (l *Listener) Start() { l.wg.Go(l.accept) }

// Close closes the port and every connection, and waits for the handlers.
func (l *Listener) Close() error {
	l.mu.Lock()
	l.closed = true
	for c := range l.conns {
		c.Close()
	}
	l.mu.Unlock()
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
		l.slots <- struct{}{}
		if !l.track(conn) {
			conn.Close()
			<-l.slots
			return
		}
		l.wg.Go(func() { l.serve(conn) })
	}
}

func (l *Listener) track(conn net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		l.conns[conn] = struct{}{}
	}
	return !l.closed
}

func (l *Listener) serve(conn net.Conn) {
	defer func() {
		conn.Close()
		l.mu.Lock()
		delete(l.conns, conn)
		l.mu.Unlock()
	}()
	_ = conn.SetDeadline(time.Now().Add(helloTimeout))
	r := bufio.NewReaderSize(conn, 64<<10)
	h, err := readHello(r)
	refusal := ""
	switch {
	case err != nil:
		refusal = err.Error()
	default:
		refusal = l.refusal(h)
	}
	_, werr := conn.Write(encodeReply(l.self, refusal))
	<-l.slots
	if refusal != "" || werr != nil {
		l.log.Debug("refused a peer connection", "from", conn.RemoteAddr(), "reason", refusal)
		return
	}
	_ = conn.SetDeadline(time.Time{})
	l.handlers[h.kind](&buffered{Conn: conn, r: r}, h.from)
}

// refusal says why h is not welcome; empty if it is.
func (l *Listener) refusal(h *hello) string {
	switch {
	case h.from.Cluster != l.self.Cluster:
		return fmt.Sprintf(refusalCluster+"%q, not %q", l.self.Cluster, h.from.Cluster)
	case h.want != l.self.ServerID && h.want != l.self.Node:
		return fmt.Sprintf(refusalNode+"%s, not %s", l.self.ServerID, h.want)
	case !l.member(h.from.Node):
		return l.refuseOutsider(h.from)
	case l.handlers[h.kind] == nil:
		return "unknown kind of connection"
	}
	return ""
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
