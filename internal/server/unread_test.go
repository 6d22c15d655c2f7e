package server

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"ciderd/internal/protocol"
	"ciderd/test/norace"
)

// What clients that read nothing are counted with is about what they take, whatever they have asked for.
func TestUnreadIsCounted(t *testing.T) {
	norace.Memory(t)
	onEach(t, func(t *testing.T, start starter) {
		many := strings.Repeat(" k", protocol.MaxWords)
		for name, c := range map[string]struct {
			keys int    // of the user, beside k and large
			in   string // what each client sends
		}{
			"GET":               {0, strings.Repeat("GET large\n", 4)},
			"MGET of many":      {0, "MGET" + many + "\n"},
			"KEYS of many":      {100_000, strings.Repeat("KEYS LIMIT 1000000\n", 12)},
			"DELETE before GET": {0, "DELETE" + strings.ReplaceAll(many, " k", " x") + "\nGET large\n"},
		} {
			t.Run(name, func(t *testing.T) {
				const connections = 5
				w := start(t, Config{MaxOutput: 1 << 30})
				u := w.user("u")
				u.talk("> SET large \"" + quoted + "\"\nOK\n> SET k " + strings.Repeat("v", 600) + "\nOK")
				w.number("u", c.keys)
				u.talk("> DELETE" + strings.ReplaceAll(many, " k", " x") + "\n0") // the state keeps room for so many words
				before := heapInUse()
				for range connections {
					w.user("u").send(c.in)
				}
				until(t, "all of them wait for their clients", func() bool { return w.stuck() == connections })
				s := w.server.Stats()
				took, counted := (heapInUse()-before)/connections, (s.Unread+s.Incoming)/connections
				t.Logf("%d KiB each, counted as %d KiB", took>>10, counted>>10)
				if took > counted+counted/4+48<<10 { // beside it a stack and a small buffer, as every connection has
					t.Errorf("a connection takes %d KiB and is counted with %d KiB", took>>10, counted>>10)
				}
			})
		}
	})
}

func heapInUse() int64 {
	runtime.GC()
	runtime.GC() // what was in pools
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// number gives a user n short keys.
func (w *world) number(user string, n int) {
	u, _ := w.node.FSM().Lookup([]byte(user))
	ks := w.node.FSM().Reader(u.ID).Keyspace()
	for i := range n {
		ks.Set(fmt.Appendf(nil, "%06d", i), nil, 0)
	}
}
