package session

import (
	"bytes"
	"context"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ciderd/internal/protocol"
)

var everyKey = protocol.Request{Verb: protocol.VerbKeys, Limit: 10}

// endless is a KEYS that would take long on a user's keys from fill, which end in a digit.
var endless = protocol.Request{Verb: protocol.VerbKeys, Limit: 10, Glob: b("*" + strings.Repeat("?", 500) + "x*")}

// fill gives a user keys of 1,000 digits.
func (w *world) fill(user string, n int) {
	u, _ := w.node.FSM().Lookup(b(user))
	ks := w.node.FSM().Reader(u.ID).Keyspace()
	key := bytes.Repeat([]byte("0"), 1000)
	for i := range n {
		number := strconv.Itoa(i)
		copy(key[len(key)-len(number):], number)
		ks.Set(key, nil, 0)
	}
}

// runEndless starts an endless scan; the channel gives what it is answered.
func runEndless(t *testing.T) (*world, *peer, chan []string) {
	w := start(t, Config{}, Bounds{Scans: 1, ScanSteps: 1 << 62})
	p := w.user("u")
	w.fill("u", 10_000)
	answered := make(chan []string, 1)
	p.said = nil
	go func() {
		p.Do(&endless)
		answered <- p.said
	}()
	until(t, "the scan runs", func() bool { return w.sessions.Stats().Scans == 1 })
	return w, p, answered
}

func expect(t *testing.T, answered chan []string, want ...string) {
	t.Helper()
	if got := <-answered; !slices.Equal(got, want) {
		t.Errorf("answered %q, want %q", got, want)
	}
}

func TestStopEndsAScan(t *testing.T) {
	w, p, answered := runEndless(t)
	w.sessions.Stop()
	expect(t, answered, "flush", "error SHUTTING_DOWN")
	if !p.Over() {
		t.Error("the session goes on")
	}
}

// One that waits for its place again is not waited for either.
func TestStopEndsAScanThatWaits(t *testing.T) {
	w, _, answered := runEndless(t)
	if err := w.sessions.scans.take(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.sessions.Stop()
	expect(t, answered, "flush", "error SHUTTING_DOWN")
	w.sessions.scans.leave()
}

func TestEndEndsAScan(t *testing.T) {
	w, p, answered := runEndless(t)
	p.End()
	expect(t, answered, "flush", "error SESSION_ENDED")
	if s := w.sessions.Stats(); s.Scans != 0 || s.Scanning != 0 {
		t.Errorf("it has kept a place: %+v", s)
	}
}

func TestResetEndsAScan(t *testing.T) {
	_, p, answered := runEndless(t)
	p.reset.Store(true)
	expect(t, answered, "flush")
	if p.Over() {
		t.Error("what came behind it is not done")
	}
	p.do(everyKey) // and no other scan is begun
}

// A user may run one KEYS at a time; when there is no place in time, that is BUSY.
func TestScansAreBounded(t *testing.T) {
	w := start(t, Config{WriteTimeout: 1}, Bounds{})
	p := w.user("u")
	p.login.user.scan <- struct{}{}
	p.do(everyKey, "flush", "error BUSY")
	p.login.user.scan.leave()
	for range cap(w.sessions.scans) {
		w.sessions.scans <- struct{}{}
	}
	p.do(everyKey, "flush", "error BUSY")
	if len(p.login.user.scan) != 0 {
		t.Error("the user's place is still taken")
	}
}

// What a KEYS answers with is taken from the client's share of memory, and given back.
func TestKeysTakeMemory(t *testing.T) {
	w := start(t, Config{}, Bounds{})
	p := w.user("u")
	w.fill("u", 100)
	req := protocol.Request{Verb: protocol.VerbKeys, Limit: 1000}
	p.Do(&req)
	if n := len(p.said); n != 1+1+1+100+1 || p.said[n-1] != "end" || p.taken != 0 { // signed up, flush, begin, …, end
		t.Errorf("%d answers, the last is %s, and %d bytes are taken", n, p.said[n-1], p.taken)
	}
	p.full, p.said = true, nil
	p.Do(&req)
	if n := len(p.said); n != 1+1+scanFree/1000+1 || !strings.HasPrefix(p.said[n-1], "more ") || p.taken != 0 {
		t.Errorf("%d answers, the last is %s, and %d bytes are taken", n, p.said[n-1], p.taken)
	}
}

// Places are given out in order, and nobody who comes later gets in between.
func TestPlacesAreTakenInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := make(places, 1)
		if err := p.take(t.Context()); err != nil {
			t.Fatal(err)
		}
		order := make(chan int, 3)
		for i := range 2 {
			go func() {
				p.take(t.Context())
				order <- i
			}()
			synctest.Wait()
		}
		p.leave()
		late, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := p.take(late); err != context.DeadlineExceeded {
			t.Errorf("the last to come: %v", err)
		}
		p.leave()
		if a, b := <-order, <-order; a != 0 || b != 1 {
			t.Errorf("%d was before %d", a, b)
		}
	})
}
