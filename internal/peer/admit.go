package peer

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// typeHandshake is the first byte of a connection that begins with TLS. A hello begins with a letter.
const typeHandshake = 22

// refusalPlain answers a plain connection where only encrypted ones are accepted. It does not say which node this is.
const refusalPlain = "this port takes encrypted connections only (peer_tls is require)"

// errPlain: a plain connection where only encrypted ones are accepted.
var errPlain = errors.New("not encrypted")

const (
	// drainTime and drainBytes bound what is still read of a connection whose TLS handshake has failed, so that the
	// reason arrives: a connection that is closed with bytes unread is reset, and the other side may lose it.
	drainTime  = time.Second
	drainBytes = 64 << 10
)

// admit takes the TLS handshake of a connection that begins with one; the error is why the connection is refused.
func (l *Listener) admit(g *guest) error {
	mode := l.security.Mode()
	if mode == Off {
		return nil
	}
	first, err := g.r.Peek(1)
	if err != nil {
		return err
	}
	if first[0] != typeHandshake {
		if mode == Require {
			// Old releases read no further than the reason.
			_, _ = g.Write(encodeReply(l.self, &Refusal{Reason: refusalPlain}, false))
			return errPlain
		}
		return nil
	}
	t := tls.Server(g.buffered, l.security.acceptConfig())
	if err := t.Handshake(); err != nil {
		drain(g)
		return fmt.Errorf("TLS: %w", err)
	}
	g.certificate = t.ConnectionState().PeerCertificates[0]
	g.buffered = &buffered{Conn: secured{t}, r: bufio.NewReader(t)}
	if !l.unproven.take(certified, maxHandshakes, g.tcp) {
		return net.ErrClosed
	}
	l.unproven.leave(strangers, g.tcp)
	g.place = certified
	return nil
}

func drain(g *guest) {
	if tcp, ok := g.tcp.(*net.TCPConn); ok {
		_ = tcp.CloseWrite()
		_ = tcp.SetReadDeadline(time.Now().Add(drainTime))
		_, _ = io.CopyN(io.Discard, tcp, drainBytes)
	}
}

// isOf returns an error if a connection is encrypted and its certificate is not that of the node that it says it is
// from.
func (g *guest) isOf(from Identity) error {
	if g.certificate == nil {
		return nil
	}
	return errors.Join(issuedTo(g.certificate, from.Node), issuedTo(g.certificate, NodeName(from.ServerID)))
}

// guest is a connection that was opened to this node.
type guest struct {
	*buffered
	tcp         net.Conn // below all of it
	place       string   // the owner of its place until it has proved which node it is from
	hello       *hello
	owner       string            // of the slot that it takes after that
	claim       *claim            // nil: it is of another kind
	certificate *x509.Certificate // verified; nil: it is not encrypted
	noted       *connection
}

// connection returns what is noted of a guest while it is open.
func (g *guest) connection() *connection {
	g.noted = &connection{node: g.hello.from.Node, encrypted: g.certificate != nil, close: func() { g.tcp.Close() }}
	return g.noted
}
