package server

import (
	"fmt"
	"strings"
	"testing"

	"ciderd/internal/session"
)

func TestKeysAreBounded(t *testing.T) {
	const keys = 1010 // of 7 bytes
	w := startBounded(t, Config{}, session.Bounds{ScanBytes: 7 * 1001})
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
	w = start(t, Config{})
	w.server.memory.limit = 0
	c = w.user("u")
	const scanFree = 64 << 10
	for i := range 300 {
		c.talk(fmt.Sprintf("> SET x%0999d v\nOK", i))
	}
	c.send("KEYS x*\n")
	for i := range scanFree / 1000 {
		c.expect(fmt.Sprintf("x%0999d", i))
	}
	c.expect(fmt.Sprintf("MORE x%0999d", scanFree/1000-1))
}
