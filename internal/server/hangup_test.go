package server

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"time"
)

// heldHasher is a hasher in which everybody waits until release is closed.
type heldHasher struct {
	Hasher
	waiting, passed atomic.Int64
	release         chan struct{}
}

func (h *heldHasher) wait(ctx context.Context) error {
	done := ctx.Done()
	h.waiting.Add(1)
	defer h.waiting.Add(-1)
	select {
	case <-h.release:
		h.passed.Add(1)
		return nil
	case <-done:
		return context.Cause(ctx)
	}
}

func (h *heldHasher) Hash(ctx context.Context, addr string, password []byte) ([]byte, error) {
	if err := h.wait(ctx); err != nil {
		return nil, err
	}
	return h.Hasher.Hash(ctx, addr, password)
}

func (h *heldHasher) Verify(ctx context.Context, addr, user string, hash, password []byte) error {
	if err := h.wait(ctx); err != nil {
		return err
	}
	return h.Hasher.Verify(ctx, addr, user, hash, password)
}

// startBusy starts a server that has a user u with the password x, and no turn for another.
func startBusy(t *testing.T) (*world, *heldHasher) {
	t.Helper()
	w := start(t, Config{})
	w.dial().talk("LOGIN or SIGNUP\n> SIGNUP u x\nUser created successfully\n> QUIT\nBYE\n.")
	until(t, "that session has ended", func() bool { return w.server.Sessions() == 0 })
	h := &heldHasher{Hasher: w.server.hasher, release: make(chan struct{})}
	w.server.hasher = h
	return w, h
}

// sendAndWait connects, sends text, and returns when the command in it waits for its turn.
func sendAndWait(w *world, h *heldHasher, text string) *client {
	w.t.Helper()
	c := w.dial()
	c.send(text)
	until(w.t, "it waits for its turn", func() bool { return h.waiting.Load() == 1 })
	return c
}

// reset closes the connection with a RST.
func (c *client) reset() {
	c.conn.(*net.TCPConn).SetLinger(0)
	c.conn.Close()
}

func TestResetLoginGivesUpItsTurn(t *testing.T) {
	w, h := startBusy(t)
	sendAndWait(w, h, "LOGIN u x\n").reset()
	until(t, "the session has ended", func() bool { return w.server.Sessions() == 0 })
	if h.passed.Load() != 0 {
		t.Error("it had its turn")
	}
}

func TestResetSparesWhatCameBefore(t *testing.T) {
	for name, tc := range map[string]struct{ first, then string }{
		"lines that came with the login": {"LOGIN u x\nSET k v\n", ""},
		"lines that came after it":       {"LOGIN u x\n", "SET k v\n"},
		"a signup":                       {"SIGNUP v x\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			w, h := startBusy(t)
			before := len(w.node.proposed())
			c := sendAndWait(w, h, tc.first)
			c.send(tc.then)
			c.reset()
			// Whether the reset is noticed shows in no way if all is well; if it is, it is soon.
			time.Sleep(50 * time.Millisecond)
			close(h.release)
			until(t, "the session has ended", func() bool { return w.server.Sessions() == 0 })
			if got := len(w.node.proposed()) - before; got != 1 {
				t.Errorf("%d commands were done", got)
			}
		})
	}
}

func TestHalfCloseIsNoHangup(t *testing.T) {
	w, h := startBusy(t)
	c := sendAndWait(w, h, "LOGIN u x\n")
	c.conn.(*net.TCPConn).CloseWrite()
	time.Sleep(50 * time.Millisecond) // as above
	close(h.release)
	c.talk("LOGIN or SIGNUP\nLogin successful\n.")
}

// The watch takes nothing of what comes meanwhile, and leaves the deadlines to the session.
func TestLoginThatWaitedGoesOn(t *testing.T) {
	w, h := startBusy(t)
	cfg := *w.server.config.Load()
	cfg.IdleTimeout = 50 * time.Millisecond
	w.server.SetConfig(cfg)
	c := sendAndWait(w, h, "LOGIN u x\n")
	c.send("SET k v\nGET k\n")
	close(h.release)
	c.talk("LOGIN or SIGNUP\nLogin successful\nOK\nv\n!IDLE_TIMEOUT\n.")
}

func TestShutdownEndsAWatchedLogin(t *testing.T) {
	w, h := startBusy(t)
	c := sendAndWait(w, h, "LOGIN u x\n")
	ended := make(chan error, 1)
	go func() { ended <- w.server.Shutdown(context.Background()) }()
	c.talk("LOGIN or SIGNUP\n!SHUTTING_DOWN\n.")
	c.conn.Close()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// Who does not wait is not watched: a login that is remembered costs no goroutine.
func TestNoWatchWithoutAWait(t *testing.T) {
	w := start(t, Config{})
	c := w.dial()
	s := newSession(w.server, c.conn)
	ctx, stop := s.untilHungUp(t.Context())
	if ctx.Err() != nil || ctx.(*hangupWatch).started {
		t.Error("the watch has begun")
	}
	stop()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("after its end: %v", err)
	}
}
