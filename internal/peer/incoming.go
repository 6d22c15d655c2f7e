package peer

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"time"
)

const (
	// MessageTime is how long a message that has begun may take to complete: longer than its sender waits for the
	// answer.
	MessageTime = 10 * time.Second
	// chunk is the memory that a message gets at first, a full batch and some more. After that it grows with the
	// bytes that arrive, not with the length that was announced.
	chunk      = 288 << 10
	readBuffer = 64 << 10
)

// Incoming reads one connection's messages. Between two it waits without a limit; one that has begun must continue,
// and has no more memory than bytes of it have arrived. Its methods are for one goroutine, except Interrupt.
type Incoming struct {
	conn   net.Conn
	r      *bufio.Reader
	budget *Budget
	share  *share        // of the message that has begun; nil: none
	until  time.Time     // when it must be complete; zero: no limit
	stall  time.Duration // how long a stream may stall; 0: not a stream

	mu          sync.Mutex
	interrupted bool
}

// NewIncoming takes over reading conn.
func NewIncoming(conn net.Conn, budget *Budget) *Incoming {
	in := &Incoming{conn: conn, budget: budget}
	in.r = bufio.NewReaderSize(deadlined{in}, readBuffer)
	return in
}

// deadlined is the connection with the current deadline set before each read.
type deadlined struct{ *Incoming }

func (d deadlined) Read(p []byte) (int, error) {
	until := d.until
	if d.stall > 0 {
		until = time.Now().Add(d.stall)
	}
	if err := d.setDeadline(until); err != nil {
		return 0, err
	}
	n, err := d.conn.Read(p)
	if errors.Is(err, os.ErrDeadlineExceeded) && (d.stall > 0 || !d.until.IsZero()) {
		d.conn.Close() // later bytes would be taken for the next message
		err = fmt.Errorf("a message that has begun does not come on: %w", err)
	}
	return n, err
}

func (in *Incoming) setDeadline(until time.Time) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.interrupted {
		return os.ErrDeadlineExceeded
	}
	return in.conn.SetReadDeadline(until)
}

// Interrupt ends reading, now and from now on.
func (in *Incoming) Interrupt() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.interrupted = true
	_ = in.conn.SetReadDeadline(time.Unix(1, 0))
}

// Begin waits for a message to begin, without a limit, and returns its first byte.
func (in *Incoming) Begin() (byte, error) {
	b, err := in.r.ReadByte()
	if err == nil {
		in.until = time.Now().Add(MessageTime)
		in.share = in.budget.open(func() { in.conn.Close() })
	}
	return b, err
}

// ReadByte reads one byte of the message that has begun.
func (in *Incoming) ReadByte() (byte, error) {
	b, err := in.r.ReadByte()
	return b, unfinished(err)
}

// Append appends the next n bytes of the message to dst, which must be nil or memory from an earlier Append for
// this message.
func (in *Incoming) Append(dst []byte, n int) ([]byte, error) {
	for n > 0 {
		step := min(n, max(chunk, len(dst))) // as much again as has arrived
		if grow := len(dst) + step - cap(dst); grow > 0 {
			if err := in.share.take(step); err != nil {
				return dst, err
			}
			dst = slices.Grow(dst, step)
		}
		end := len(dst)
		dst = dst[:end+step]
		if _, err := io.ReadFull(in.r, dst[end:]); err != nil {
			return dst[:end], unfinished(err)
		}
		n -= step
	}
	return dst, nil
}

// End notes that the message is complete.
func (in *Incoming) End() {
	in.share.close()
	in.share, in.until = nil, time.Time{}
}

// Stream reads n bytes that follow a message. It may be slow, but if it stalls for longer than stall it fails. It
// ends with EndStream.
func (in *Incoming) Stream(n int64, stall time.Duration) io.Reader {
	in.stall = stall
	return io.LimitReader(in.r, n)
}

// EndStream notes that the next bytes are a message again; without a stream it does nothing.
func (in *Incoming) EndStream() { in.stall = 0 }

// Close releases what an unfinished message holds.
func (in *Incoming) Close() {
	if in.share != nil {
		in.share.close()
	}
}

// unfinished returns the error for an end in the middle of a message.
func unfinished(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
