package peer

import (
	"bufio"
	"context"
	"errors"
	"net"
	"time"
)

// Dial connects to the peer port at address (host:port, resolved anew at each call) and proves who
// we are. want is the server id that must answer, or only its name; anyone else refuses. The error
// wraps ErrRefused if the other side said no. Where a node was met is remembered.
func (b *Book) Dial(ctx context.Context, address string, self Identity, want string, kind Kind) (net.Conn, Identity, error) {
	return b.dial(ctx, address, &hello{kind: kind, from: self, want: want})
}

// Dial is a Book's that remembers nothing.
func Dial(ctx context.Context, address string, self Identity, want string, kind Kind) (net.Conn, Identity, error) {
	return (*Book)(nil).Dial(ctx, address, self, want, kind)
}

// dial asks in the words of the release before where only those are understood.
func (b *Book) dial(ctx context.Context, address string, h *hello) (net.Conn, Identity, error) {
	ctx, cancel := context.WithTimeout(ctx, helloTimeout)
	defer cancel()
	conn, remote, err := b.dialOnce(ctx, address, h)
	if errors.Is(err, errOld) {
		old := *h
		old.old = true
		conn, remote, err = b.dialOnce(ctx, address, &old)
	}
	return conn, remote, err
}

func (b *Book) dialOnce(ctx context.Context, address string, h *hello) (net.Conn, Identity, error) {
	conn, err := b.Connect(ctx, address)
	if err != nil {
		return nil, Identity{}, err
	}
	// A context that ends must end the reads of the handshake too.
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	remote, r, err := shake(conn, h)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		conn.Close()
		return nil, remote, err
	}
	remote.Cluster = h.from.Cluster
	b.note(address, conn)
	return &buffered{Conn: conn, r: r}, remote, nil
}

func shake(conn net.Conn, h *hello) (Identity, *bufio.Reader, error) {
	if _, err := conn.Write(h.encode()); err != nil {
		return Identity{}, nil, err
	}
	r := bufio.NewReader(conn)
	remote, err := readReply(r, h.old)
	return remote, r, err
}
