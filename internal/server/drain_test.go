package server

import (
	"strings"
	"testing"
)

// Out of traffic, what a session has sent is done, and then it is sent away; so is whoever comes. Back in it, all is as
// before.
func TestDrain(t *testing.T) {
	onEach(t, func(t *testing.T, start starter) {
		w := start(t, Config{})
		idle, busy, before := w.user("u"), w.user("u"), w.dial()
		before.expect("LOGIN or SIGNUP")
		w.node.Hold = make(chan struct{})
		n := len(w.node.Sizes())
		busy.send("SET a 1\nGET a\n")
		until(t, "the write is on its way", func() bool { return len(w.node.Sizes()) == n+1 })
		w.server.SetDraining(true)
		const away = "ERR SHUTTING_DOWN this node is draining; connect to another"
		for _, c := range []*testClient{idle, before} {
			c.expect(away)
			c.expectEnd()
			c.conn.Close()
		}
		late := w.dial()
		late.expect(away)
		late.expectEnd()
		late.conn.Close()
		until(t, "only the busy one is left", func() bool { return w.server.Connections() == 1 })
		close(w.node.Hold)
		busy.talk("OK\n1")
		busy.expect(away)
		busy.expectEnd()
		busy.conn.Close()
		until(t, "nobody is left", func() bool { return w.server.Connections() == 0 })
		w.server.SetDraining(false)
		w.user("u").talk("> GET a\n1")
	})
}

// A client that always has more to say is sent away all the same.
func TestDrainOfABusyClient(t *testing.T) {
	w := start(t, Config{})
	c := w.user("u")
	go func() {
		for {
			if _, err := c.conn.Write([]byte(strings.Repeat("SET k v\n", 1000))); err != nil {
				return
			}
		}
	}()
	c.expect("OK")
	w.server.SetDraining(true)
	for line := c.line(); ; line = c.line() {
		if line == "ERR SHUTTING_DOWN this node is draining; connect to another" {
			break
		}
		if line != "OK" {
			t.Fatalf("%q", line)
		}
	}
	c.conn.Close()
	until(t, "it is gone", func() bool { return w.server.Connections() == 0 })
}

// Clients of Redis are not told why: their connections end between two requests, and so do new ones. Those that have
// subscribed to it hear where to go.
func TestDrainOfClientsOfRedis(t *testing.T) {
	onEachRESP(t, func(t *testing.T, start starter) {
		w := start(t, Config{})
		idle, queued := w.respUser("u"), w.respUser("u")
		queued.talk("> MULTI\n+OK\n> SET k v\n+QUEUED")
		w.server.SetDraining(true)
		idle.talk(".")
		queued.talk(".")
		late := respTester{w.dial()}
		late.talk(".")
		for _, c := range []respTester{idle, queued, late} {
			c.conn.Close()
		}
		until(t, "nobody is left", func() bool { return w.server.Connections() == 0 })
		w.server.SetDraining(false)
		w.respUser("u").talk("> EXISTS k\n:0")
	})
}
