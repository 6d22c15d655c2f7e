package server

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
)

// The output buffer of a connection.
const (
	outFlush = 64 << 10  // at this size it is sent even if more requests are waiting
	outKeep  = 128 << 10 // larger ones are not kept in the pool
)

// outBuffer is a pooled buffer of replies; idle connections have none.
type outBuffer struct{ b []byte }

var outBuffers = sync.Pool{New: func() any { return &outBuffer{b: make([]byte, 0, 2048)} }}

// output holds the replies in flight to a client. It never retries a write: that is the socket's task, and
// impossible where encryption goes in between.
type output struct {
	to     io.Writer
	after  func() // called when something was sent, or failed to be
	buffer *outBuffer
	broken error // why output is discarded from now on
	dead   bool  // the client is not served any more: it was disconnected, or has taken nothing for too long
}

// Buffer returns the buffer to which the next reply is appended; it must be returned with Emit or Keep.
func (o *output) Buffer() []byte {
	if o.buffer == nil {
		o.buffer = outBuffers.Get().(*outBuffer)
	}
	return o.buffer.b
}

// Keep takes the buffer back with a part of a reply in it.
func (o *output) Keep(b []byte) { o.buffer.b = b }

// Emit takes the buffer back with one more reply in it, and sends it if enough has gathered.
func (o *output) Emit(b []byte) {
	o.buffer.b = b
	if len(b) >= outFlush {
		o.Flush()
	}
}

// Flush sends what has been answered. After it has failed, answers are discarded: what the client had sent by then
// is still done, as after an EOF.
func (o *output) Flush() {
	if o.buffer == nil || len(o.buffer.b) == 0 {
		return
	}
	o.transmit(o.buffer.b)
	o.buffer.b = o.buffer.b[:0]
}

// Send sends what has been answered, and then b.
func (o *output) Send(b []byte) {
	o.Flush()
	o.transmit(b)
}

// Gone reports whether output is discarded.
func (o *output) Gone() bool { return o.broken != nil }

func (o *output) transmit(b []byte) {
	if o.broken == nil {
		if _, err := o.to.Write(b); err != nil {
			o.broken = err
			o.dead = o.dead || errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, net.ErrClosed)
		}
	}
	o.after()
}

// held returns how many bytes of memory the buffer takes.
func (o *output) held() int64 {
	if o.buffer == nil {
		return 0
	}
	return int64(cap(o.buffer.b))
}

// release returns the buffer to the pool; it must have been flushed.
func (o *output) release() {
	if o.buffer == nil {
		return
	}
	if cap(o.buffer.b) <= outKeep {
		o.buffer.b = o.buffer.b[:0]
		outBuffers.Put(o.buffer)
	}
	o.buffer = nil
}
