package server

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// errHungUp ends the wait of a login whose client is gone.
var errHungUp = errors.New("the client has reset its connection")

// untilHungUp returns ctx, ending with errHungUp when the client resets the connection; stop ends the
// watch and must be called, by the session's goroutine. It is for a command that has no effect but on
// the client, so that who has gone does not keep a place in a queue.
//
// Only a reset can be told: an end of input may be half of the connection, with somebody waiting for
// the answers. It is no reset either while lines that came before it have yet to be done: a shell that
// writes to its socket and closes it, without reading the banner, resets the connection.
//
// Nothing is done until somebody asks for ctx's Done: a login that need not wait costs no more.
func (s *session) untilHungUp(ctx context.Context) (watched context.Context, stop func()) {
	if s.raw == nil || s.in.Buffered() > 0 {
		return ctx, func() {}
	}
	w := &hangupWatch{session: s, done: make(chan struct{})}
	w.Context, w.cancel = context.WithCancelCause(ctx)
	return w, w.stop
}

type hangupWatch struct {
	context.Context
	cancel  context.CancelCauseFunc
	session *session
	start   sync.Once
	started bool
	done    chan struct{} // closed when the watch has ended
}

func (w *hangupWatch) Done() <-chan struct{} {
	w.start.Do(func() {
		w.started = true
		w.session.setReadDeadline(time.Time{})
		go w.run()
	})
	return w.Context.Done()
}

func (w *hangupWatch) run() {
	defer close(w.done)
	gone := false
	// An error is the deadline that ends the watch.
	_ = w.session.raw.Read(func(fd uintptr) bool {
		reset := wasReset(fd)
		gone = reset && nothingToRead(fd)
		return reset
	})
	if gone {
		w.cancel(errHungUp)
	}
}

func (w *hangupWatch) stop() {
	if w.started {
		w.session.setReadDeadline(time.Unix(1, 0))
		<-w.done
		w.session.setReadDeadline(time.Time{})
	}
	w.cancel(nil)
}

// setReadDeadline sets the deadline of the next Read, unless the session is to end: that has set one.
func (s *session) setReadDeadline(to time.Time) {
	s.wake.Lock()
	defer s.wake.Unlock()
	if s.ending.Load() == endNone {
		s.conn.SetReadDeadline(to)
		s.readUntil = to
	}
}

// wasReset says whether neither side can be reached any more. A half-close is not that.
func wasReset(fd uintptr) bool {
	fds := []unix.PollFd{{Fd: int32(fd)}}
	for {
		_, err := unix.Poll(fds, 0)
		if !errors.Is(err, unix.EINTR) {
			return err == nil && fds[0].Revents&(unix.POLLERR|unix.POLLHUP) != 0
		}
	}
}

func nothingToRead(fd uintptr) bool {
	n, _, err := unix.Recvfrom(int(fd), make([]byte, 1), unix.MSG_PEEK|unix.MSG_DONTWAIT)
	return err != nil || n <= 0
}
