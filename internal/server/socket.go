package server

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Why a connection is to end, in a socket's ending. The first reason stays.
const (
	endNone     uint32 = iota
	endShutdown        // after what it has read
	endDrain           // the same: this node takes no clients for now
	endUser            // before its next request: the password was changed, or the account was locked or removed
	endClosing         // it is closing already
)

// lingerTime is for the last replies to reach the client.
const lingerTime = time.Second

// socket is the transport of one connection: its deadlines, and what to do about a client that takes nothing. Only
// it knows that a connection is TCP (or, in tests, a pipe). So only it sends the rest of a partial write:
// encryption sits above it, and must get complete writes or a final error.
//
// All of it belongs to the goroutine that serves the connection, except what wake protects.
type socket struct {
	conn    net.Conn
	raw     syscall.RawConn // of conn; nil if it has none: then nothing is polled
	remote  net.Addr        // of the client
	address string          // what counts as one client; see clientAddress
	user    socketUser
	poll    poll
	sending sending
	// Deadlines that are set on conn; see armRead and armWrite.
	readUntil, writeUntil time.Time
	lastWrites            bool        // the last write deadline was set
	polling               bool        // Read must not block
	encrypted             bool        // what it carries is TLS
	refused               bool        // it is only being refused
	counted               *portCounts // in which it is counted; nil: it is refused

	wake         sync.Mutex // makes "look at ending, set a deadline" one step
	ending       atomic.Uint32
	disconnected atomic.Bool // it holds too many unread replies
}

// socketUser is what a socket needs of its client.
type socketUser interface {
	// stallTimeout returns how long the client may take nothing.
	stallTimeout() time.Duration
	// takesNothing is called when the client takes nothing.
	takesNothing()
}

// newSocket returns the socket of a connection whose client is at an address.
func newSocket(conn net.Conn, addr net.Addr) *socket {
	k := &socket{conn: conn, remote: addr, address: clientAddress(addr)}
	if c, ok := conn.(syscall.Conn); ok {
		k.raw, _ = c.SyscallConn() // without one, nothing is polled
	}
	if k.raw != nil {
		_ = k.raw.Control(func(fd uintptr) {
			urgentInline(fd)
			boundUnsent(fd)
		})
	}
	return k
}

// urgentInline keeps telnet's Synch, IAC DM, together: one of the two is sent as urgent data, which the kernel
// would take out of the stream, and a DM without its IAC would begin the next line.
func urgentInline(fd uintptr) {
	_ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_OOBINLINE, 1)
}

// boundUnsent keeps the kernel from accepting megabytes of replies that the client does not read.
func boundUnsent(fd uintptr) {
	_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, maxUnsent)
}

// maxUnsent is how many bytes of unsent replies a connection keeps in the kernel; data in flight, which the
// receiver's window allows, comes in addition. It is more than a flush, so that sending continues while the next
// one is prepared.
const maxUnsent = 2 * outFlush

// block says whether Read may block; it does unless it is told not to.
func (k *socket) block(may bool) { k.polling = !may }

// close ends the connection at once.
func (k *socket) close() { k.conn.Close() }

// end tells the connection, from any goroutine, to end: at once if it is waiting for its client.
func (k *socket) end(reason uint32) {
	k.wake.Lock()
	defer k.wake.Unlock()
	if k.ending.CompareAndSwap(endNone, reason) {
		k.conn.SetReadDeadline(time.Unix(1, 0))
		if reason == endUser { // even while the client slowly takes a reply
			k.conn.SetWriteDeadline(time.Now().Add(lingerTime))
		}
	}
}

// disconnect closes the connection of a client that does not read, from any goroutine, even from within its own
// Write, for which a Close would wait.
func (k *socket) disconnect() {
	k.wake.Lock()
	defer k.wake.Unlock()
	k.disconnected.Store(true)
	k.conn.SetWriteDeadline(time.Unix(1, 0))
}

// setReadDeadline sets the deadline of the next Read, unless the connection is to end: then one is set already.
func (k *socket) setReadDeadline(to time.Time) {
	k.wake.Lock()
	defer k.wake.Unlock()
	if k.ending.Load() == endNone {
		k.conn.SetReadDeadline(to)
		k.readUntil = to
	}
}

// armRead has a Read return at until, or earlier by an eighth of the wait, which saves setting the timer at almost
// every Read. Zero means never.
func (k *socket) armRead(now, until time.Time) {
	early := until.Sub(k.readUntil)
	if until.Equal(k.readUntil) || !until.IsZero() && !k.readUntil.IsZero() && early >= 0 && early < until.Sub(now)/8 {
		return
	}
	k.readUntil = until
	k.wake.Lock()
	defer k.wake.Unlock()
	if k.ending.Load() == endNone {
		k.conn.SetReadDeadline(until)
	}
}

// linger half-closes the connection, if that makes sense, reads what still arrives, and closes it: closing with
// unread input would make the kernel drop replies that the client has not got yet. What arrives encrypted is not
// decrypted.
func (k *socket) linger(half bool, e *encryption) {
	k.wake.Lock()
	k.ending.Store(endClosing)
	k.conn.SetReadDeadline(time.Now().Add(lingerTime))
	k.wake.Unlock()
	if e != nil && e.conn.CloseWrite() != nil {
		half = false
	}
	c, ok := k.conn.(interface{ CloseWrite() error })
	if ok && half && c.CloseWrite() == nil {
		// Its error is the client's end of input or the deadline; either way we are done.
		_, _ = io.Copy(io.Discard, k.conn)
	}
	k.conn.Close()
}
