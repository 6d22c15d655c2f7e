package server

import (
	"errors"
	"net"
	"os"
	"syscall"
	"time"
)

// stallSteps is into how many steps the time is divided, at least, in which a client may take nothing; stallStep is
// the longest step. After each one Write checks whether the client has taken anything.
const (
	stallSteps = 4
	stallStep  = time.Second
)

// Write sends all of p, or fails for good: the connection is broken or disconnected, or the client has taken
// nothing for too long.
func (k *socket) Write(p []byte) (n int, err error) {
	// How long the client has taken nothing. If a step took longer than it should, only its length counts: this
	// process was paused.
	var idle time.Duration
	for n < len(p) {
		begun := time.Now()
		step := k.armWrite(begun)
		sent, err := k.send(p[n:])
		n += sent
		if idle += min(time.Since(begun), step); sent > 0 {
			idle = 0
		}
		late := errors.Is(err, os.ErrDeadlineExceeded) && !k.lastWrites && !k.disconnected.Load() && idle <= k.user.stallTimeout()
		if err != nil && !late {
			return n, err
		}
	}
	return n, nil
}

// armWrite gives the next send between half a step and a whole one, which saves setting the timer each time. A
// connection whose user must no longer be served, or that is closing, gets one last moment. It returns the longest time that the send
// may take.
func (k *socket) armWrite(now time.Time) (step time.Duration) {
	step = min(k.user.stallTimeout()/stallSteps, stallStep)
	ending := k.ending.Load()
	ended := ending == endUser || ending == endClosing
	switch {
	case ended && !k.lastWrites:
		k.lastWrites = true
		k.conn.SetWriteDeadline(now.Add(lingerTime))
	case ended || k.writeUntil.Sub(now) >= step/2:
	default:
		k.wake.Lock()
		defer k.wake.Unlock()
		if k.ending.Load() != endUser && !k.disconnected.Load() {
			k.writeUntil = now.Add(step)
			k.conn.SetWriteDeadline(k.writeUntil)
		}
	}
	return step
}

// send is conn's Write, and reports when it has to wait for the client.
func (k *socket) send(p []byte) (int, error) {
	if k.raw == nil {
		k.user.takesNothing()
		return k.conn.Write(p)
	}
	w := &k.sending
	if w.try == nil {
		w.try = k.write
	}
	w.rest, w.err = p, nil
	err := k.raw.Write(w.try)
	n := len(p) - len(w.rest)
	w.rest = nil
	if w.err != nil {
		err = w.err
	}
	return n, err
}

// sending is a Write with what is left to send; try is made once, as a closure costs memory.
type sending struct {
	rest []byte
	err  error
	try  func(fd uintptr) bool
}

func (k *socket) write(fd uintptr) bool {
	w := &k.sending
	for len(w.rest) > 0 {
		n, err := syscall.Write(int(fd), w.rest)
		switch {
		case n > 0:
			w.rest = w.rest[n:]
		case errors.Is(err, syscall.EINTR):
		case errors.Is(err, syscall.EAGAIN):
			k.user.takesNothing()
			return false
		default:
			w.err = &net.OpError{Op: "write", Err: err}
			return true
		}
	}
	return true
}
