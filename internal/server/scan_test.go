package server

import (
	"fmt"
	"strings"
	"testing"
)

func TestKeysInChunks(t *testing.T) {
	const chunk, keys = 500, 1010
	w := start(t, Config{})
	w.server.scanChunk = chunk
	c := w.user("u")
	var in strings.Builder
	for i := range keys {
		fmt.Fprintf(&in, "SET k%06d v\n", i)
	}
	c.send(in.String())
	for range keys {
		c.expect("OK")
	}
	c.send("KEYS k* LIMIT 1000000\nKEYS LIMIT 1001\nKEYS LIMIT 1010\nKEYS x*\n")
	all := func(n int) {
		for i := range n {
			c.expect(fmt.Sprintf("k%06d", i))
		}
	}
	all(keys)
	c.expect("END")
	all(1001)
	c.expect("MORE k001000")
	all(keys)
	c.expect("END", "END")
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
