package server

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"ciderd/internal/accounts"
)

// heldHasher is a hasher in which everybody waits until release is closed.
type heldHasher struct {
	accounts.Hasher
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
func startBusy(t *testing.T, start starter) (*world, *heldHasher) {
	t.Helper()
	w := start(t, Config{})
	w.dial().talk("LOGIN or SIGNUP\n> SIGNUP u x\nUser created successfully\n> QUIT\nBYE\n.")
	until(t, "that session has ended", func() bool { return w.server.Stats().Connections == 0 })
	h := &heldHasher{Hasher: w.hasher.Hasher, release: make(chan struct{})}
	w.hasher.Hasher = h
	return w, h
}

// sendAndWait connects, sends text, and returns when the command in it waits for its turn.
func sendAndWait(w *world, h *heldHasher, text string) *testClient {
	w.t.Helper()
	c := w.dial()
	c.send(text)
	until(w.t, "it waits for its turn", func() bool { return h.waiting.Load() == 1 })
	return c
}

// reset closes the connection with a RST.
func (c *testClient) reset() {
	c.tcp().SetLinger(0)
	c.tcp().Close()
}

func TestResetLoginGivesUpItsTurn(t *testing.T) {
	onEach(t, func(t *testing.T, start starter) {
		w, h := startBusy(t, start)
		sendAndWait(w, h, "LOGIN u x\n").reset()
		until(t, "the session has ended", func() bool { return w.server.Stats().Connections == 0 })
		if h.passed.Load() != 0 {
			t.Error("it had its turn")
		}
	})
}

func TestResetSparesWhatCameBefore(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, start starter) {
		for name, tc := range map[string]struct{ first, then string }{
			"lines that came with the login": {"LOGIN u x\nSET k v\n", ""},
			"lines that came after it":       {"LOGIN u x\n", "SET k v\n"},
			"a signup":                       {"SIGNUP v x\n", ""},
		} {
			t.Run(name, func(t *testing.T) {
				w, h := startBusy(t, start)
				before := len(w.node.Sizes())
				c := sendAndWait(w, h, tc.first)
				c.send(tc.then)
				c.reset()
				// Whether the reset is noticed shows in no way if all is well; if it is, it is soon.
				time.Sleep(50 * time.Millisecond)
				close(h.release)
				until(t, "the session has ended", func() bool { return w.server.Stats().Connections == 0 })
				if got := len(w.node.Sizes()) - before; got != 1 {
					t.Errorf("%d commands were done", got)
				}
			})
		}
	})
}

func TestHalfCloseIsNoHangup(t *testing.T) {
	onEach(t, func(t *testing.T, start starter) {
		w, h := startBusy(t, start)
		c := sendAndWait(w, h, "LOGIN u x\n")
		c.halfClose()
		time.Sleep(50 * time.Millisecond) // as above
		close(h.release)
		c.talk("LOGIN or SIGNUP\nLogin successful\n.")
	})
}

// The watch takes nothing of what comes meanwhile, and leaves the deadlines to the session.
func TestLoginThatWaitedGoesOn(t *testing.T) {
	onEach(t, func(t *testing.T, start starter) {
		w, h := startBusy(t, start)
		cfg := *w.server.config.Load()
		cfg.IdleTimeout = 50 * time.Millisecond
		w.server.SetConfig(cfg)
		c := sendAndWait(w, h, "LOGIN u x\n")
		c.send("SET k v\nGET k\n")
		close(h.release)
		c.talk("LOGIN or SIGNUP\nLogin successful\nOK\nv\n!IDLE_TIMEOUT\n.")
	})
}

func TestShutdownEndsAWatchedLogin(t *testing.T) {
	onEach(t, func(t *testing.T, start starter) {
		w, h := startBusy(t, start)
		c := sendAndWait(w, h, "LOGIN u x\n")
		ended := make(chan error, 1)
		go func() { ended <- w.server.Shutdown(context.Background()) }()
		c.talk("LOGIN or SIGNUP\n!SHUTTING_DOWN\n.")
		c.conn.Close()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// Nothing watches a login that does not wait: one that is remembered costs no goroutine.
func TestNoWatchWithoutAWait(t *testing.T) {
	w := start(t, Config{})
	watch := newSocket(w.dial().conn, fakeAddr("")).watch(t.Context())
	if watch.Err() != nil || watch.started {
		t.Error("the watch has begun")
	}
	watch.stop()
	if err := context.Cause(watch); !errors.Is(err, context.Canceled) {
		t.Errorf("after its end: %v", err)
	}
}

// A reset is told from a half-close, which may be half of the connection only.
func TestHungUp(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	w := &world{t: t, addr: l.Addr().String()}
	c := w.dial()
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	k := newSocket(conn, conn.RemoteAddr())
	c.halfClose()
	if k.hungUp() {
		t.Error("a half-close is taken for a reset")
	}
	c.reset()
	until(t, "the reset is seen", k.hungUp)
}
