package peer

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"
)

// dialler connects to other nodes' ports. Its zero value remembers no address and speaks plainly.
type dialler struct {
	book     *Book
	security *Security
}

// Dial connects to the peer port at address (host:port, resolved again at each call) and proves which process this
// is, without encryption. want is the server id that must answer, or only its name; any other process refuses. The
// error wraps ErrRefused if the other side refused.
func Dial(ctx context.Context, address string, self Identity, want string, kind Kind) (net.Conn, Identity, error) {
	return dialler{}.dial(ctx, address, &hello{kind: kind, from: self, want: want})
}

// dial connects as the mode says. With Prefer, what the node spoke last is tried first.
func (d dialler) dial(ctx context.Context, address string, h *hello) (net.Conn, Identity, error) {
	ctx, cancel := context.WithTimeout(ctx, helloTimeout)
	defer cancel()
	switch d.security.Mode() {
	case Off:
		return d.plain(ctx, address, h)
	case Require:
		return d.once(ctx, address, h, true)
	}
	if !d.security.plainLately(NodeName(h.want)) {
		conn, remote, err := d.once(ctx, address, h, true)
		if !errors.Is(err, errNotTLS) && !errors.Is(err, errUnanswered) {
			return conn, remote, err
		}
		return d.plainOf(ctx, address, h)
	}
	conn, remote, err := d.plainOf(ctx, address, h)
	if err != nil && (wantsTLS(err) || closedUnanswered(err)) {
		return d.once(ctx, address, h, true)
	}
	return conn, remote, err
}

// plain connects without encryption. It uses the previous release's hello where only that is understood.
func (d dialler) plain(ctx context.Context, address string, h *hello) (net.Conn, Identity, error) {
	conn, remote, err := d.once(ctx, address, h, false)
	if errors.Is(err, errOld) {
		old := *h
		old.old = true
		conn, remote, err = d.once(ctx, address, &old, false)
	}
	return conn, remote, err
}

// plainOf is plain, and remembers if the node speaks that.
func (d dialler) plainOf(ctx context.Context, address string, h *hello) (net.Conn, Identity, error) {
	conn, remote, err := d.plain(ctx, address, h)
	if err == nil || errors.Is(err, ErrRefused) && !wantsTLS(err) {
		d.security.notePlain(NodeName(h.want))
	}
	return conn, remote, err
}

// once connects once.
func (d dialler) once(ctx context.Context, address string, h *hello, encrypt bool) (net.Conn, Identity, error) {
	conn, err := d.book.Connect(ctx, address)
	if err != nil {
		return nil, Identity{}, err
	}
	// When the context ends the reads of the handshake must end too.
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	shaken, remote, err := d.shake(conn, h, encrypt)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	var opened net.Conn
	if err == nil {
		opened, err = d.security.track(shaken, NodeName(h.want), encrypt)
	}
	if err != nil {
		conn.Close()
		return nil, remote, err
	}
	remote.Cluster = h.from.Cluster
	d.book.note(address, conn)
	return opened, remote, nil
}

func (d dialler) shake(conn net.Conn, h *hello, encrypt bool) (net.Conn, Identity, error) {
	if !encrypt {
		return shake(conn, h)
	}
	node := NodeName(h.want)
	seen := &watched{Conn: conn}
	t := tls.Client(seen, d.security.dialConfig(node))
	if err := t.Handshake(); err != nil {
		return nil, Identity{}, seen.explain(err)
	}
	secured, remote, err := shake(secured{t}, h)
	if err == nil && (remote.Node != node || NodeName(remote.ServerID) != node) {
		err = fmt.Errorf("%s says that it is %s of %q", node, remote.ServerID, remote.Node)
	}
	return secured, remote, err
}

func shake(conn net.Conn, h *hello) (net.Conn, Identity, error) {
	if _, err := conn.Write(h.encode()); err != nil {
		return nil, Identity{}, err
	}
	r := bufio.NewReader(conn)
	remote, err := readReply(r, h.old)
	return &buffered{Conn: conn, r: r}, remote, err
}

// secured is a TLS connection. Closing it does not wait for the other side to take a last message, as crypto/tls
// would: no message here ends with its connection, so that none can be cut short unseen.
type secured struct{ *tls.Conn }

func (s secured) Close() error { return s.NetConn().Close() }

// errNotTLS: the other side answers, and not with TLS.
var errNotTLS = errors.New("what answers there does not speak TLS")

// errUnanswered: the other side closes the connection before it has said a word.
var errUnanswered = errors.New("no answer to a TLS handshake")

// watched is a connection whose other side may not speak TLS.
type watched struct {
	net.Conn
	answered bool
	first    byte // of the answer
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	if n > 0 && !w.answered {
		w.answered, w.first = true, p[0]
	}
	return n, err
}

// explain returns the error of a handshake that has failed. A node that answers with TLS and is not accepted, or does
// not accept this one, is never taken for one that speaks none.
func (w *watched) explain(err error) error {
	switch {
	case w.answered && !isTLS(w.first):
		return fmt.Errorf("%w (%w)", errNotTLS, err)
	case !w.answered && closedUnanswered(err):
		return fmt.Errorf("%w: %w", errUnanswered, err)
	}
	return fmt.Errorf("TLS: %w", err)
}

// isTLS reports whether a byte begins a TLS record: its content type (RFC 8446, 5.1).
func isTLS(first byte) bool { return first >= 20 && first <= 24 }

// closedUnanswered reports whether an error is that the other side closes the connection. Old releases read only the
// beginning of a handshake before they answer and close, and what they leave unread makes a reset of it, in which the
// answer can be lost.
func closedUnanswered(err error) bool {
	for _, closed := range []error{io.EOF, io.ErrUnexpectedEOF, syscall.ECONNRESET, syscall.EPIPE} {
		if errors.Is(err, closed) {
			return true
		}
	}
	return false
}

// plainFor is how long a node that spoke no TLS is expected to speak none. It is found sooner if it connects with TLS,
// or refuses to speak plainly.
const plainFor = time.Minute

func (s *Security) plainLately(node string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, plain := s.plain[node]
	return plain && time.Since(at) < plainFor
}

func (s *Security) notePlain(node string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.plain[node] = time.Now()
}

// wantsTLS reports whether an error is that the other side accepts encrypted connections only.
func wantsTLS(err error) bool {
	var refusal *Refusal
	return errors.As(err, &refusal) && refusal.Reason == refusalPlain
}
