package server

import (
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"time"

	"ciderd/internal/protocol"
	"ciderd/internal/session"
)

// encryption is TLS between a socket and its client. All of it belongs to the goroutine that serves the connection:
// others end the connection by the socket's functions only, as crypto/tls would wait for locks that a Write may hold,
// and its Close for up to five seconds for a client that takes nothing.
//
// A connection that ends without close_notify is treated as one that ends with it. Whoever can end it from outside can
// only drop what the client sent last: every record is checked as a whole, lines are done only when they are complete,
// and what is left of an incomplete one is never done. It is what a broken connection does without TLS, too.
type encryption struct {
	conn *tls.Conn
	ciphertext
}

// ciphertext is the socket as crypto/tls needs it. It ignores crypto/tls's deadlines, as the socket has its own: a
// Write sends all or fails for good, and only a Read may time out, which crypto/tls survives.
type ciphertext struct {
	socket *socket
	slot   *handshakeSlot // of the handshake; nil when that is done
	held   bool           // Read must only say that nothing has come
	came   int            // bytes of the handshake
	full   bool           // the last Read filled its buffer: there is probably more
	most   int            // bytes, of the largest Read; about what crypto/tls keeps as its buffer
}

// Of a record, see RFC 8446, section 5.
const (
	recordHeader = 5          // bytes; the last two are the length of the rest
	alertBytes   = 2 + 1 + 16 // of an alert in TLS 1.3, behind the header: itself, its type, and a tag
	recordAlert  = 21
	recordData   = 23
	maxRecord    = recordHeader + 16<<10 + 256 // bytes, encrypted
)

// maxHandshake is how many bytes of a handshake are waited for: enough for a chain of certificates. crypto/tls would
// keep 64 KiB, or 256 KiB of certificates, of each client that nobody knows yet.
const maxHandshake = 32 << 10

var (
	errNoCertificate = errors.New("there is no certificate for this port")
	errLongHandshake = errors.New("the client's part of the handshake is too long")
)

func newEncryption(k *socket) *encryption {
	k.encrypted = true
	return &encryption{ciphertext: ciphertext{socket: k}}
}

// handshake shakes hands, in slots of h, until a deadline or until stopped is closed.
func (e *encryption) handshake(config *tls.Config, h *handshakes, until time.Time, stopped <-chan struct{}) error {
	if config == nil {
		return errNoCertificate
	}
	e.slot = &handshakeSlot{of: h, address: e.socket.address, until: until, stopped: stopped}
	defer func() {
		e.slot.release()
		e.slot = nil
	}()
	e.socket.armRead(time.Now(), until)
	e.conn = tls.Server(&e.ciphertext, config)
	return e.conn.Handshake()
}

// Read returns what has arrived, of as many records as have been received already: lines that come in a record each
// are answered together, as lines that come in a packet each are without TLS.
func (e *encryption) Read(p []byte) (n int, err error) {
	n, err = e.conn.Read(p)
	e.held = true
	for n > 0 && n < len(p) && err == nil {
		var more int
		more, err = e.conn.Read(p[n:])
		n += more
	}
	e.held = false
	if n > 0 && errors.Is(err, os.ErrDeadlineExceeded) {
		err = nil
	}
	return n, err
}

// Write sends all of p, or fails for good.
func (e *encryption) Write(p []byte) (int, error) { return e.conn.Write(p) }

// memory returns about how many bytes are held for the connection while the client takes nothing: a record that is
// being sent, and the buffer of those that come.
func (e *encryption) memory() int64 { return int64(maxRecord + e.most) }

// Read returns what the client has sent. During the handshake it has a slot whenever it returns something, and none
// while it waits.
func (c *ciphertext) Read(p []byte) (n int, err error) {
	if c.held {
		return 0, os.ErrDeadlineExceeded
	}
	if c.slot != nil {
		return c.shake(p)
	}
	n, err = c.socket.Read(p)
	c.full, c.most = n == len(p), max(c.most, len(p))
	return n, err
}

// shake is a Read during the handshake.
func (c *ciphertext) shake(p []byte) (n int, err error) {
	c.slot.release()
	if c.came > maxHandshake {
		return 0, errLongHandshake
	}
	n, err = c.socket.Read(p)
	c.came, c.full, c.most = c.came+n, n == len(p), max(c.most, len(p))
	if err == nil {
		err = c.slot.acquire()
	}
	if err == nil && c.socket.hungUp() {
		err = session.ErrHungUp // while it waited: nothing is computed for it
	}
	return n, err
}

// Write sends all of p, or fails for good. During the handshake nothing is computed between a Write and the next Read.
func (c *ciphertext) Write(p []byte) (int, error) {
	if c.slot != nil {
		c.slot.release()
	}
	return c.socket.Write(p)
}

// Close is not used: see encryption.
func (c *ciphertext) Close() error { return c.socket.conn.Close() }

func (c *ciphertext) LocalAddr() net.Addr  { return c.socket.conn.LocalAddr() }
func (c *ciphertext) RemoteAddr() net.Addr { return c.socket.conn.RemoteAddr() }

func (c *ciphertext) SetDeadline(time.Time) error      { return nil }
func (c *ciphertext) SetReadDeadline(time.Time) error  { return nil }
func (c *ciphertext) SetWriteDeadline(time.Time) error { return nil }

// secure does the handshake, if the client's port has one, within the time for a login. It reports whether the client
// can be served; if not, it has been told what it can be told, and the connection is closed.
func (c *client) secure() bool {
	if c.tls == nil {
		return true
	}
	err := c.tls.handshake(c.port.tls(), c.server.shaking, c.session.LoginBy(), c.server.stopped)
	if err == nil {
		return true
	}
	c.server.log.Debug("handshake failed", "client", c.socket.address, "error", err)
	if looksPlain(err) {
		// crypto/tls has said nothing yet, and who does not speak TLS can read this. If it fails, nobody is there.
		_, _ = io.WriteString(c.socket, c.port.speaksTLS())
	}
	c.socket.linger(true, nil)
	return false
}

// speaksTLS is what a client is told that does not.
func (p port) speaksTLS() string {
	if p.resp {
		return "-ERR this port speaks TLS: connect with redis-cli --tls\r\n"
	}
	return "ERR " + string(protocol.Syntax) + " this port speaks TLS: connect with openssl s_client, ncat --ssl or socat OPENSSL\n"
}

// looksPlain reports whether a handshake has failed because what came is no TLS.
func looksPlain(err error) bool {
	var header tls.RecordHeaderError
	return errors.As(err, &header) && header.Conn != nil
}

// isAlert reports whether what has been received, as a whole, is one record that may be an alert, so that no line can
// be in it: TLS 1.3 hides the kind of a record, but not that there is hardly anything in it.
func isAlert(received []byte) bool {
	if len(received) < recordHeader || len(received) != recordHeader+int(binary.BigEndian.Uint16(received[3:])) {
		return false
	}
	return received[0] == recordAlert || received[0] == recordData && len(received) <= recordHeader+alertBytes
}
