package peer

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
)

func as(nonce string) Identity {
	id := alice
	id.Nonce = nonce
	return id
}

// greet opens a connection and returns what it is answered.
func greet(t *testing.T, p *pipes, h *hello) (net.Conn, error) {
	t.Helper()
	conn := p.dial()
	if _, err := conn.Write(h.encode()); err != nil {
		t.Fatal(err)
	}
	_, err := readReply(readerOf(conn), h.old)
	return conn, err
}

// answering answers every question along a claim until the connection ends.
func answering(conn net.Conn) (asked *int, done chan struct{}) {
	asked, done = new(int), make(chan struct{})
	go func() {
		defer close(done)
		b := make([]byte, 1)
		for {
			if _, err := conn.Read(b); err != nil {
				return
			}
			*asked++
			_, _ = conn.Write([]byte{sayAlive})
		}
	}()
	return asked, done
}

// The process that has claimed a server is believed while it lives, and no other.
func TestClaimOfOneThatLives(t *testing.T) {
	inBubble(t, func(t *testing.T, p *pipes, _ *Listener) {
		first, err := greet(t, p, &hello{kind: KindClaim, from: as("a"), want: "bob", runs: true})
		if err != nil {
			t.Fatal(err)
		}
		asked, done := answering(first)
		for range 1000 {
			for _, h := range []*hello{
				{kind: KindClaim, from: as("b"), want: "bob"}, {kind: KindForward, from: as("b"), want: "bob"},
				{kind: KindForward, from: alice, want: "bob", old: true},
			} {
				conn, err := greet(t, p, h)
				conn.Close()
				var refusal *Refusal
				if !errors.As(err, &refusal) || !h.old && (refusal.Other == nil || refusal.Other.Nonce != "a" || !refusal.Other.Runs) {
					t.Fatalf("%+v: %v", h, err)
				}
			}
			time.Sleep(5 * time.Millisecond) // of the bubble's time: five seconds in all
		}
		if *asked > 10 {
			t.Errorf("it was asked %d times", *asked)
		}
		conn, err := greet(t, p, &hello{kind: KindForward, from: as("a"), want: "bob"})
		if err != nil {
			t.Error("the first is not believed any more:", err)
		}
		conn.Close()
		first.Close()
		<-done
		synctest.Wait()
		second, err := greet(t, p, &hello{kind: KindClaim, from: as("b"), want: "bob"})
		if err != nil {
			t.Error("after the end of the first:", err)
		}
		second.Close()
	})
}

// A claim of a machine that died looks open: nothing comes back along it.
func TestClaimOfOneThatDied(t *testing.T) {
	inBubble(t, func(t *testing.T, p *pipes, _ *Listener) {
		first, err := greet(t, p, &hello{kind: KindClaim, from: as("a"), want: "bob", runs: true})
		if err != nil {
			t.Fatal(err)
		}
		go func() { _, _ = io.Copy(io.Discard, first) }()
		time.Sleep(10 * time.Second)
		start := time.Now()
		second, err := greet(t, p, &hello{kind: KindClaim, from: as("b"), want: "bob"})
		if err != nil {
			t.Error(err)
		}
		if took := time.Since(start); took > claimPing {
			t.Errorf("it took %v", took)
		}
		second.Close()
	})
}

// What the release before holds open from another host counts as another process; from the same one it is what
// was there before.
func TestClaimBesideTheReleaseBefore(t *testing.T) {
	c := newClaims(hclog.NewNullLogger())
	at := func(address string) net.Addr { return &net.TCPAddr{IP: net.ParseIP(address), Port: 1} }
	forget := c.noteOld(alice.ServerID, &addressed{at("10.0.0.1")})
	if other := c.other(as("b"), at("10.0.0.1")); other != nil {
		t.Errorf("from the same host: %+v", other)
	}
	if other := c.other(as("b"), at("10.0.0.2")); other == nil || !other.Runs || other.Address != "10.0.0.1:1" {
		t.Errorf("from another host: %+v", other)
	}
	forget()
	if other := c.other(as("b"), at("10.0.0.2")); other != nil {
		t.Errorf("when it is gone: %+v", other)
	}
}

type addressed struct{ address net.Addr }

func (a *addressed) RemoteAddr() net.Addr             { return a.address }
func (*addressed) LocalAddr() net.Addr                { return nil }
func (*addressed) Read([]byte) (int, error)           { return 0, io.EOF }
func (*addressed) Write(p []byte) (int, error)        { return len(p), nil }
func (*addressed) Close() error                       { return nil }
func (*addressed) SetDeadline(time.Time) error        { return nil }
func (*addressed) SetReadDeadline(time.Time) error    { return nil }
func (*addressed) SetWriteDeadline(t time.Time) error { return nil }

// Held claims are made, kept, and made again; and what the other side is asked along them, it answers.
func TestHoldClaim(t *testing.T) {
	s := startServer(t, nil)
	told := make(chan error, 100)
	runs := make(chan struct{})
	var wg sync.WaitGroup
	for _, nonce := range []string{"a", "b"} {
		c := &Claim{
			Address: func() (string, error) { return s.address, nil }, Self: as(nonce), Want: "bob", Runs: runs,
			Told: func(err error) { told <- err },
		}
		wg.Go(func() { c.Hold(t.Context()) })
		if err := <-told; (err == nil) != (nonce == "a") {
			t.Errorf("%s: %v", nonce, err)
		}
	}
	close(runs)
	time.Sleep(claimFresh + 10*time.Millisecond)
	if !s.Claimed(alice.ServerID) {
		t.Error("it does not answer")
	}
	if other := AskSelf(t.Context(), nil, s.address, Identity{Cluster: "prod", Node: "bob", ServerID: "bob/22bb", Nonce: "x"}); other == nil {
		t.Error("bob is not at his address")
	}
	if other := AskSelf(t.Context(), nil, s.address, Identity{Cluster: "prod", Node: "bob", ServerID: "bob/other", Nonce: "x"}); other != nil {
		t.Errorf("another bob: %+v", other)
	}
}

// A node of the release before does not read the present hello, and is greeted as it knows.
func TestDialToTheReleaseBefore(t *testing.T) {
	address := listen(t, func(conn net.Conn) {
		r := readerOf(conn)
		head := make([]byte, len(magicOld)+1)
		_, _ = io.ReadFull(r, head)
		if !bytes.HasPrefix(head, []byte(magicOld)) {
			_, _ = conn.Write(encodeReply(bob, &Refusal{By: bob.ServerID, Reason: notOurs}, true))
			return
		}
		var cluster, node, id, want string
		_ = readFields(r, &cluster, &node, &id, &want)
		_, _ = conn.Write(encodeReply(bob, nil, true))
		_, _ = io.Copy(conn, r)
	})
	conn, remote, err := Dial(t.Context(), address, as("a"), "bob", KindForward)
	if err != nil || remote.ServerID != bob.ServerID || remote.Nonce != "" {
		t.Fatalf("%+v, %v", remote, err)
	}
	_, _ = conn.Write([]byte("x"))
	if _, err := io.ReadFull(conn, make([]byte, 1)); err != nil {
		t.Error(err)
	}
	conn.Close()
}

// When the memory of unfinished messages is used up, the oldest gives way.
func TestBudget(t *testing.T) {
	b := NewBudget(100)
	gone := map[string]bool{}
	open := func(name string, n int) *share {
		s := b.open(func() { gone[name] = true })
		if err := s.take(n); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		return s
	}
	first := open("first", 40)
	second := open("second", 40)
	third := open("third", 40)
	if !gone["first"] || gone["second"] {
		t.Errorf("gave way: %v", gone)
	}
	if err := first.take(1); !errors.Is(err, ErrGaveWay) {
		t.Errorf("the first takes more: %v", err)
	}
	first.close()
	second.close()
	third.close()
	if b.free != 100 || b.shares.Len() > 0 {
		t.Errorf("%d are free", b.free)
	}
	if err := b.open(nil).take(101); !errors.Is(err, ErrGaveWay) {
		t.Errorf("more than there is: %v", err)
	}
}

// A frame that has begun has as much memory as has come of it, and ends when it does not come on.
func TestUnfinishedFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here, there := net.Pipe()
		budget := NewBudget(MaxUnfinished)
		in := NewIncoming(here, budget)
		go func() { _, _ = there.Write(append(AppendFrame(nil, MaxFrame), make([]byte, 1000)...)) }()
		time.AfterFunc(MessageTime/2, func() {
			budget.mu.Lock()
			defer budget.mu.Unlock()
			if taken := MaxUnfinished - budget.free; taken > chunk {
				t.Errorf("1000 bytes take %d", taken)
			}
		})
		start := time.Now()
		if _, err := in.ReadFrame(); err == nil {
			t.Error("a frame that is not whole")
		}
		if took := time.Since(start); took != MessageTime {
			t.Errorf("it ended after %v", took)
		}
		in.Close()
		if budget.free != MaxUnfinished {
			t.Errorf("%d bytes are lost", MaxUnfinished-budget.free)
		}
	})
}

// mutes is a connection on which nothing can be sent any more, as one with TLS after a write that took too long.
type mutes struct{ net.Conn }

func (m mutes) Write([]byte) (int, error) { return 0, os.ErrDeadlineExceeded }

// A claim on which nothing can be said ends, to be made again: it would seem to be that of a process that is silent.
func TestClaimThatCannotSpeakEnds(t *testing.T) {
	here, there := net.Pipe()
	defer there.Close()
	runs := make(chan struct{})
	close(runs)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		(&Claim{Runs: runs}).keep(t.Context(), mutes{here})
	}()
	select {
	case <-ended:
	case <-time.After(helloTimeout):
		t.Error("it goes on")
	}
}
