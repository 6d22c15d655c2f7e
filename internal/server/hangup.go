package server

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"ciderd/internal/session"
)

// watch returns a context that ends with session.ErrHungUp when the client resets the connection. It is for a
// command that affects only the client, so that a client that has gone does not keep a place in a queue. The
// connection's goroutine must stop it.
//
// Only a reset can be detected: an end of input may be a half-close, with the client waiting for the answers. Nor
// does it count as a reset while lines that came earlier are not done: a shell that writes to its socket and closes
// it, without reading the banner, resets the connection.
//
// It costs nothing until the context's Done is called: a login that need not wait is not slower.
func (k *socket) watch(ctx context.Context) *hangupWatch {
	w := &hangupWatch{socket: k, done: make(chan struct{})}
	w.Context, w.cancel = context.WithCancelCause(ctx)
	return w
}

type hangupWatch struct {
	context.Context
	cancel  context.CancelCauseFunc
	socket  *socket
	start   sync.Once
	started bool
	done    chan struct{} // closed when the watch has ended
	gone    bool          // the client has reset the connection; to be read when done is closed
}

func (w *hangupWatch) Done() <-chan struct{} {
	w.start.Do(func() {
		w.started = true
		w.socket.setReadDeadline(time.Time{})
		go w.run()
	})
	return w.Context.Done()
}

func (w *hangupWatch) run() {
	defer close(w.done)
	// An error is the deadline that ends the watch.
	_ = w.socket.raw.Read(func(fd uintptr) bool {
		reset := wasReset(fd)
		w.gone = reset && nothingToRead(fd, w.socket.encrypted)
		return reset
	})
	if w.gone {
		w.cancel(session.ErrHungUp)
	}
}

// stop ends the watch, and reports whether the client has reset the connection.
func (w *hangupWatch) stop() (gone bool) {
	if w.started {
		w.socket.setReadDeadline(time.Unix(1, 0))
		<-w.done
		w.socket.setReadDeadline(time.Time{})
		gone = w.gone
	}
	w.cancel(nil)
	return gone
}

// hungUp reports whether the client has reset the connection. Earlier lines may still have to be done.
func (k *socket) hungUp() bool {
	gone := false
	if k.raw != nil {
		_ = k.raw.Control(func(fd uintptr) { gone = wasReset(fd) })
	}
	return gone
}

// wasReset reports whether neither side can be reached any more. A half-close is not that.
func wasReset(fd uintptr) bool {
	fds := []unix.PollFd{{Fd: int32(fd)}}
	for {
		_, err := unix.Poll(fds, 0)
		if !errors.Is(err, unix.EINTR) {
			return err == nil && fds[0].Revents&(unix.POLLERR|unix.POLLHUP) != 0
		}
	}
}

// nothingToRead reports whether no line can have arrived.
func nothingToRead(fd uintptr, encrypted bool) bool {
	var peeked [2 * (recordHeader + alertBytes)]byte
	n, _, err := unix.Recvfrom(int(fd), peeked[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
	return err != nil || n <= 0 || encrypted && isAlert(peeked[:n])
}
