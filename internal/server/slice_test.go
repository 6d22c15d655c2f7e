package server

import (
	"bytes"
	"context"
	"net"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// endless is a KEYS that would take long on a user's keys from startEndless, which end in a digit.
var endless = "KEYS *" + strings.Repeat("?", 500) + "x*\n"

// startEndless starts a server on which one scan may run at a time, with a user u that runs an endless one.
func startEndless(t *testing.T, cfg Config) (*world, *client) {
	t.Helper()
	w := start(t, cfg)
	w.server.scanSteps = 1 << 62
	w.server.scans = make(places, 1)
	w.fill("u", 10_000)
	c := w.user("u")
	c.send(endless)
	until(t, "the scan runs", func() bool { return len(w.server.scans) == 1 })
	return w, c
}

// fill signs a user up and gives it keys of 1,000 digits.
func (w *world) fill(user string, n int) {
	w.user(user).conn.Close()
	u, _ := w.node.fsm.Lookup([]byte(user))
	ks := w.node.fsm.Reader(u.ID).Keyspace()
	key := bytes.Repeat([]byte("0"), 1000)
	for i := range n {
		number := strconv.Itoa(i)
		copy(key[len(key)-len(number):], number)
		ks.Set(key, nil, 0)
	}
}

// running says whether u's scan is still going on.
func (w *world) running() bool {
	w.server.users.mu.Lock()
	defer w.server.users.mu.Unlock()
	u, _ := w.node.fsm.Lookup([]byte("u"))
	return len(w.server.users.accounts[u.ID].scan) == 1
}

func TestScansTakeTurns(t *testing.T) {
	w, _ := startEndless(t, Config{})
	w.user("v").talk("> SET k v\nOK\n> KEYS\nk\nEND\n> KEYS k*\nk\nEND")
	if !w.running() {
		t.Error("they had to wait for the end of a scan")
	}
}

func TestShutdownDoesNotWaitForAScan(t *testing.T) {
	w, c := startEndless(t, Config{})
	ended := make(chan error, 1)
	go func() { ended <- w.server.Shutdown(context.Background()) }()
	c.talk("!SHUTTING_DOWN\n.")
	c.conn.Close()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// One that waits for its turn again is not waited for either.
func TestShutdownDoesNotWaitForAScansTurn(t *testing.T) {
	w, c := startEndless(t, Config{})
	if err := w.server.scans.take(t.Context()); err != nil {
		t.Fatal(err)
	}
	go w.server.Shutdown(context.Background())
	c.talk("!SHUTTING_DOWN\n.")
}

func TestCloseStopsAScan(t *testing.T) {
	w := start(t, Config{})
	sl := slicer{session: newSession(w.server, w.dial().conn)}
	if !sl.next() || len(w.server.scans) != 1 {
		t.Error("it does not go on")
	}
	w.server.Close()
	if sl.next() {
		t.Error("it goes on")
	}
	sl.leave()
	if len(w.server.scans) != 0 {
		t.Error("it has kept its place")
	}
}

func TestScanEndsWithItsSession(t *testing.T) {
	w, c := startEndless(t, Config{})
	w.user("u").talk("> PASSWD pw-u new\nOK")
	c.talk("!SESSION_ENDED\n.")
	if w.running() || len(w.server.scans) > 0 {
		t.Error("it has kept a place")
	}
}

func TestScanEndsWithTheAccount(t *testing.T) {
	w, c := startEndless(t, Config{})
	w.user("u").talk("> UNREGISTER pw-u\nOK\n.")
	c.talk("!SESSION_ENDED\n.")
}

func TestResetStopsAScan(t *testing.T) {
	w := start(t, Config{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	w.addr = l.Addr().String()
	c := w.dial()
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	sl := slicer{session: newSession(w.server, conn)}
	defer sl.leave()
	c.conn.(*net.TCPConn).CloseWrite() // may be half of the connection only
	if !sl.next() {
		t.Error("a half-close has stopped it")
	}
	c.reset()
	until(t, "it is given up", func() bool { return !sl.next() })
	if sl.err != errHungUp || sl.placed != (len(w.server.scans) == 1) {
		t.Errorf("%v, %d places taken", sl.err, len(w.server.scans))
	}
}

// When the client resets the connection its scans are given up; what else it has sent is done.
func TestResetSparesWhatCameAfterAScan(t *testing.T) {
	w, c := startEndless(t, Config{})
	n := len(w.node.proposed())
	c.send(endless + endless + "SET a b\n")
	c.reset()
	until(t, "the session has ended", func() bool { return w.server.Sessions() == 0 })
	if w.running() {
		t.Error("it has kept its place")
	}
	if n = len(w.node.proposed()) - n; n != 1 {
		t.Errorf("%d writes were done", n)
	}
}

// What was answered before a scan does not wait for it.
func TestAnswersBeforeAScan(t *testing.T) {
	w := start(t, Config{WriteTimeout: time.Hour})
	c := w.user("u")
	for range cap(w.server.scans) {
		w.server.scans <- struct{}{}
	}
	c.send("GET a\nKEYS\n")
	c.expect("NOT_FOUND")
	w.server.scans.leave()
	c.expect("END")
}

func TestHardPatternIsRefused(t *testing.T) {
	w := start(t, Config{})
	w.server.scanSteps = 1 << 20
	w.fill("u", 100)
	c := w.user("u")
	c.send(endless)
	c.talk("!BUSY\n> KEYS *" + strings.Repeat("0", 990) + "x*\nEND\n> KEYS [0-9]*00007\n~ 0*7\nEND\n> KEYS *0?* LIMIT 1\n~ 0*\n~ MORE 0*")
	if len(w.server.scans) > 0 || w.running() {
		t.Error("it has kept a place")
	}
}

// Who waits for a place gets it in turn, and nobody who comes later gets in between.
func TestPlacesAreTakenInTurn(t *testing.T) {
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
			t.Errorf("who came last: %v", err)
		}
		p.leave()
		if a, b := <-order, <-order; a != 0 || b != 1 {
			t.Errorf("%d was before %d", a, b)
		}
	})
}
