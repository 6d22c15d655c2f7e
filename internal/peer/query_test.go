package peer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
)

func client(t *testing.T, address string) *Client {
	c := NewClient(func() string { return address }, alice, "bob")
	t.Cleanup(c.Close)
	return c
}

func ask(ctx context.Context, c *Client, q string) (a string, err error) {
	err = c.Call(ctx, q, &a)
	return a, err
}

func TestCalls(t *testing.T) {
	s := startServer(t, func(q string) string { return "re: " + q })
	c := client(t, s.address)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 20 {
				q := fmt.Sprint(i, "/", j)
				if a, err := ask(t.Context(), c, q); err != nil || a != "re: "+q {
					t.Errorf("asked %s: %q, error %v", q, a, err)
				}
			}
		})
	}
	wg.Wait()
	if n := s.count(); n != 1 {
		t.Errorf("%d connections, want one", n)
	}
}

func TestClientReconnects(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	next := NewListener(l, bob, isMember, hclog.NewNullLogger())
	served := make(chan struct{}, 10)
	next.Handle(KindQuery, func(conn net.Conn, _ Identity) { // one answer, and no more
		defer func() { served <- struct{}{} }()
		var q string
		if readMessage(conn, &q) == nil {
			_ = writeMessage(conn, q)
		}
		conn.Close()
	})
	next.Start()
	defer next.Close()
	c := client(t, l.Addr().String())
	for i := range 4 {
		if a, err := ask(t.Context(), c, fmt.Sprint(i)); err != nil || a != fmt.Sprint(i) {
			t.Fatalf("call %d: %q, error %v", i, a, err)
		}
		<-served // so that the connection is known to be closed
	}
}

// A node that cannot be reached is an error, and a later call may succeed, at another address too.
func TestClientAsksForTheAddressAnew(t *testing.T) {
	gone, s := startServer(t, nil), startServer(t, strings.ToUpper)
	gone.Close() // once s has its port, which could be the same
	address := gone.address
	c := NewClient(func() string { return address }, alice, "bob")
	defer c.Close()
	if _, err := ask(t.Context(), c, "a"); err == nil || !strings.Contains(err.Error(), "asking bob") {
		t.Errorf("error %v", err)
	}
	address = s.address
	if a, err := ask(t.Context(), c, "a"); err != nil || a != "A" {
		t.Errorf("%q, error %v", a, err)
	}
}

func TestClientIsRefused(t *testing.T) {
	s := startServer(t, strings.ToUpper)
	c := NewClient(func() string { return s.address }, alice, "carol")
	defer c.Close()
	if _, err := ask(t.Context(), c, "a"); !errors.Is(err, ErrRefused) {
		t.Errorf("error %v", err)
	}
}

// slow answers a question only once it is told to.
func slow(t *testing.T) (s *server, asked <-chan string) {
	in, out := make(chan string, 10), make(chan struct{})
	s = startServer(t, func(q string) string {
		in <- q
		if q == "slow" {
			<-out
		}
		return q
	})
	t.Cleanup(func() { close(out) }) // before the server's Close, which waits
	return s, in
}

func TestContextEndsACall(t *testing.T) {
	s, asked := slow(t)
	c := client(t, s.address)
	why := errors.New("no longer wanted")
	ctx, cancel := context.WithCancelCause(t.Context())
	first, waiting := make(chan error, 1), make(chan error, 1)
	go func() { _, err := ask(ctx, c, "slow"); first <- err }()
	<-asked
	other, cancelOther := context.WithCancelCause(t.Context())
	go func() { _, err := ask(other, c, "its turn does not come"); waiting <- err }()
	cancelOther(why)
	if err := <-waiting; !errors.Is(err, why) {
		t.Errorf("of a call that waits for its turn: %v", err)
	}
	cancel(why)
	if err := <-first; !errors.Is(err, why) {
		t.Errorf("of a call that waits for its answer: %v", err)
	}
	// The late answer must not be taken for that of the next question.
	if a, err := ask(t.Context(), c, "next"); err != nil || a != "next" {
		t.Errorf("%q, error %v", a, err)
	}
}

func TestCloseEndsCalls(t *testing.T) {
	s, asked := slow(t)
	c := client(t, s.address)
	errs := make(chan error, 3)
	go func() { _, err := ask(context.Background(), c, "slow"); errs <- err }()
	<-asked
	for range 2 {
		go func() { _, err := ask(context.Background(), c, "waits"); errs <- err }()
	}
	c.Close()
	for range 3 {
		if err := <-errs; !errors.Is(err, net.ErrClosed) {
			t.Errorf("error %v", err)
		}
	}
	if _, err := ask(context.Background(), c, "late"); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a call after Close: %v", err)
	}
	c.Close() // again does no harm
}

func TestCloseEndsDialling(t *testing.T) {
	met := make(chan struct{})
	address := listen(t, func(conn net.Conn) {
		close(met)
		untilClosed(conn)
	})
	c := client(t, address)
	done := make(chan error)
	go func() { _, err := ask(context.Background(), c, "a"); done <- err }()
	<-met
	c.Close()
	if err := <-done; !errors.Is(err, net.ErrClosed) {
		t.Errorf("error %v", err)
	}
}

func TestMessageSizes(t *testing.T) {
	var b bytes.Buffer
	largest := strings.Repeat("x", maxMessage-2) // and the quotes
	if err := writeMessage(&b, largest); err != nil {
		t.Fatal(err)
	}
	var got string
	if err := readMessage(&b, &got); err != nil || got != largest {
		t.Errorf("%d bytes, error %v", len(got), err)
	}
	if err := writeMessage(&b, largest+"x"); err != nil {
		t.Fatal(err)
	}
	if err := readMessage(&b, &got); !errors.Is(err, ErrTooBig) {
		t.Errorf("one byte more: error %v", err)
	}
	s := startServer(t, func(string) string { return largest + "x" })
	if _, err := ask(t.Context(), client(t, s.address), "a"); !errors.Is(err, ErrTooBig) {
		t.Errorf("an answer of one byte more: error %v", err)
	}
}

func FuzzMessage(f *testing.F) {
	var b bytes.Buffer
	_ = writeMessage(&b, "hello") // to memory
	f.Add(b.Bytes())
	f.Add([]byte{0, 0, 0, 0})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 'x'})
	f.Add([]byte{2, 0, 0, 0, '{', '}', '?'})
	f.Fuzz(func(t *testing.T, b []byte) {
		var v any
		if readMessage(bytes.NewReader(b), &v) != nil {
			return
		}
		var again bytes.Buffer
		if err := writeMessage(&again, v); err != nil {
			t.Fatalf("%v was read and cannot be written: %v", v, err)
		}
	})
}

func TestFrames(t *testing.T) {
	var stream []byte
	sizes := []int{1, 2, 255, 256, 70_000}
	for _, n := range sizes {
		stream = append(AppendFrame(stream, n), bytes.Repeat([]byte{byte(n)}, n)...)
	}
	r := incoming(stream)
	for _, n := range sizes {
		if frame, err := r.ReadFrame(); err != nil || len(frame) != n || frame[n-1] != byte(n) {
			t.Errorf("%d bytes, want %d, error %v", len(frame), n, err)
		}
	}
	if _, err := r.ReadFrame(); err != io.EOF {
		t.Errorf("at the end: %v", err)
	}
	for _, n := range []int{0, MaxFrame + 1, 1<<32 - 1} {
		if _, err := incoming(AppendFrame(nil, n)).ReadFrame(); !errors.Is(err, ErrFrameSize) {
			t.Errorf("a frame of %d bytes: error %v", n, err)
		}
	}
	if _, err := incoming(AppendFrame(nil, MaxFrame)).ReadFrame(); errors.Is(err, ErrFrameSize) || err == nil {
		t.Errorf("the largest frame, cut short: error %v", err)
	}
}

// incoming reads bytes.
func incoming(b []byte) *Incoming {
	return NewIncoming(&bytesConn{r: bytes.NewReader(b)}, NewBudget(MaxUnfinished))
}

type bytesConn struct {
	net.Conn
	r io.Reader
}

func (c *bytesConn) Read(p []byte) (int, error)      { return c.r.Read(p) }
func (c *bytesConn) SetReadDeadline(time.Time) error { return nil }
func (c *bytesConn) Close() error                    { return nil }

func FuzzFrame(f *testing.F) {
	f.Add(append(AppendFrame(nil, 3), "abc"...))
	f.Add(append(AppendFrame(nil, 3), "ab"...))
	f.Add(AppendFrame(nil, 0))
	f.Add([]byte{1, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		frame, err := incoming(b).ReadFrame()
		if err != nil {
			return
		}
		if whole := append(AppendFrame(nil, len(frame)), frame...); !bytes.HasPrefix(b, whole) {
			t.Errorf("%q was read as %q", b, whole)
		}
	})
}
