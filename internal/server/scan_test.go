package server

import (
	"fmt"
	"strings"
	"testing"
)

func TestKeysAreBounded(t *testing.T) {
	const keys = 1010 // of 7 bytes
	w := start(t, Config{})
	w.server.scanBytes = 7 * 1001
	c := w.user("u")
	var in strings.Builder
	for i := range keys {
		fmt.Fprintf(&in, "SET k%06d v\n", i)
	}
	c.send(in.String())
	for range keys {
		c.expect("OK")
	}
	c.send("KEYS k* LIMIT 1000000\nKEYS LIMIT 1001\nKEYS LIMIT 3\nKEYS LIMIT 2000 AFTER k001000\nKEYS x*\n")
	page := func(from, to int, end string) {
		for i := from; i < to; i++ {
			c.expect(fmt.Sprintf("k%06d", i))
		}
		c.expect(end)
	}
	page(0, 1001, "MORE k001000") // by bytes
	page(0, 1001, "MORE k001000") // by LIMIT
	page(0, 3, "MORE k000002")
	page(1001, keys, "END")
	c.expect("END")
	if used := w.server.memory.inUse(); used != 0 {
		t.Errorf("%d bytes are still charged", used)
	}
	// When all sessions together have too much, a page is short, and says so.
	w.server.memory.limit, w.server.scanBytes = 0, 1<<20
	for i := range 300 {
		c.talk(fmt.Sprintf("> SET x%0999d v\nOK", i))
	}
	c.send("KEYS x*\n")
	for i := range scanFree / 1000 {
		c.expect(fmt.Sprintf("x%0999d", i))
	}
	c.expect(fmt.Sprintf("MORE x%0999d", scanFree/1000-1))
}

// A user may run one KEYS at a time; when there is no place in time, that is BUSY.
func TestScansAreBounded(t *testing.T) {
	w := start(t, Config{WriteTimeout: 1})
	c := w.user("u")
	c.talk("> SET k v\nOK")
	w.server.users.mu.Lock()
	u, _ := w.node.fsm.Lookup([]byte("u"))
	place := w.server.users.accounts[u.ID].scan
	w.server.users.mu.Unlock()
	place <- struct{}{}
	c.talk("> KEYS\n!BUSY\n> GET k\nv")
	<-place
	for range cap(w.server.scans) {
		w.server.scans <- struct{}{}
	}
	c.talk("> KEYS\n!BUSY")
	if len(place) != 0 {
		t.Error("the user's place is still taken")
	}
}
