package server

import (
	"bytes"
	"context"
	"strconv"
	"strings"
	"testing"

	"ciderd/internal/session"
)

// endless is a KEYS that would take long on a user's keys from startEndless, which end in a digit.
var endless = "KEYS *" + strings.Repeat("?", 500) + "x*\n"

// startEndless starts a server on which one scan may run at a time, with a user u that runs an endless one.
func startEndless(t *testing.T, cfg Config) (*world, *testClient) {
	t.Helper()
	w := startBounded(t, cfg, session.Bounds{Scans: 1, ScanSteps: 1 << 62})
	w.fill("u", 10_000)
	c := w.user("u")
	c.send(endless)
	until(t, "the scan runs", func() bool { return w.scans().Scans == 1 })
	return w, c
}

// fill signs a user up and gives it keys of 1,000 digits.
func (w *world) fill(user string, n int) {
	w.user(user).conn.Close()
	u, _ := w.node.FSM().Lookup([]byte(user))
	ks := w.node.FSM().Reader(u.ID).Keyspace()
	key := bytes.Repeat([]byte("0"), 1000)
	for i := range n {
		number := strconv.Itoa(i)
		copy(key[len(key)-len(number):], number)
		ks.Set(key, nil, 0)
	}
}

// scans is about the scans that are going on.
func (w *world) scans() session.Stats { return w.server.Stats().Sessions }

func TestScansTakeTurns(t *testing.T) {
	w, _ := startEndless(t, Config{})
	w.user("v").talk("> SET k v\nOK\n> KEYS\nk\nEND\n> KEYS k*\nk\nEND")
	if w.scans().Scanning != 1 {
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

func TestScanEndsWithItsSession(t *testing.T) {
	w, c := startEndless(t, Config{})
	w.user("u").talk("> PASSWD pw-u new\nOK")
	c.talk("!SESSION_ENDED\n.")
	if w.scans().Scanning > 0 || w.scans().Scans > 0 {
		t.Error("it has kept a place")
	}
}

func TestScanEndsWithTheAccount(t *testing.T) {
	w, c := startEndless(t, Config{})
	w.user("u").talk("> UNREGISTER pw-u\nOK\n.")
	c.talk("!SESSION_ENDED\n.")
}

// When the client resets the connection its scans are given up; what else it has sent is done.
func TestResetSparesWhatCameAfterAScan(t *testing.T) {
	w, c := startEndless(t, Config{})
	n := len(w.node.Sizes())
	c.send(endless + endless + "SET a b\n")
	c.reset()
	until(t, "the session has ended", func() bool { return w.server.Stats().Connections == 0 })
	if w.scans().Scanning > 0 {
		t.Error("it has kept its place")
	}
	if n = len(w.node.Sizes()) - n; n != 1 {
		t.Errorf("%d writes were done", n)
	}
}

func TestHardPatternIsRefused(t *testing.T) {
	w := startBounded(t, Config{}, session.Bounds{ScanSteps: 1 << 20})
	w.fill("u", 100)
	c := w.user("u")
	c.send(endless)
	c.talk("!BUSY\n> KEYS *" + strings.Repeat("0", 990) + "x*\nEND\n> KEYS [0-9]*00007\n~ 0*7\nEND\n> KEYS *0?* LIMIT 1\n~ 0*\n~ MORE 0*")
	if w.scans().Scanning > 0 || w.scans().Scans > 0 {
		t.Error("it has kept a place")
	}
}
