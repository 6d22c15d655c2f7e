package daemon

import (
	"bytes"
	"context"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestGCPercent(t *testing.T) {
	for live, want := range map[uint64]int{0: gcMost, 1 << 20: gcMost, gcGarbage: 100, gcGarbage * 2: 50, 8 << 30: gcLeast} {
		if got := gcPercent(live, 0); got != want {
			t.Errorf("%d bytes live: %d %%, want %d", live, got, want)
		}
	}
}

// With a limit there is less garbage, and a bound that leaves room below one and a half of the limit.
func TestMemoryFollowsTheLimit(t *testing.T) {
	const mib = 1 << 20
	if got := gcPercent(2<<30, 2<<30); got != gcLeastLimited {
		t.Errorf("%d %% of garbage", got)
	}
	for limit, most := range map[int64]int64{16 * mib: 124 * mib, 64 * mib: 196 * mib, 512 * mib: 768 * mib, 2048 * mib: 3072 * mib} {
		if got := softLimit(limit); got < limit+limit/4 || got > most {
			t.Errorf("with a limit of %d the runtime works harder from %d", limit, got)
		}
	}
	if softLimit(0) != ownLimit {
		t.Error("without a limit it is not the environment's")
	}
}

// What was freed is given back: much at once, and an eighth at least.
func TestFreedIsGivenBack(t *testing.T) {
	for _, c := range []struct {
		most, counted int64
		freed         bool
	}{{300 << 20, 1 << 20, true}, {2 << 30, 1700 << 20, true}, {2 << 30, 1900 << 20, false}, {100 << 20, 50 << 20, true}, {20 << 20, 10 << 20, false}} {
		if got := (&memoryTuner{most: c.most}).freed(c.counted); got != c.freed {
			t.Errorf("from %d to %d: %v", c.most, c.counted, got)
		}
	}
}

func TestClientsWithinFiles(t *testing.T) {
	for _, c := range []struct {
		want  int
		files uint64
		got   int
	}{{10000, 1 << 20, 10000}, {10000, 1024, 768}, {100, 1024, 100}, {10000, 64, 32}} {
		if got := clientsWithin(c.want, c.files); got != c.got {
			t.Errorf("%d wanted of %d files: %d, want %d", c.want, c.files, got, c.got)
		}
	}
}

// localhost is both of the machine's own addresses, on one port.
func TestListenLocalhost(t *testing.T) {
	listeners, err := listenClients("localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	defer closeAll(listeners)
	_, port, _ := net.SplitHostPort(listeners[0].Addr().String())
	for _, l := range listeners {
		if !strings.HasSuffix(l.Addr().String(), ":"+port) {
			t.Errorf("listening on %s, the other is on port %s", l.Addr(), port)
		}
	}
	if _, err := listenClients("localhost:" + port); err == nil {
		t.Error("a port that is taken was taken again")
	}
}

func TestUnwantedLines(t *testing.T) {
	if !unwanted(0, "got unexpected command", "command", "an entry with a value") {
		t.Error("a line that prints entries is let through")
	}
	if unwanted(0, "failed to decode incoming command", "error", "unexpected EOF") {
		t.Error("a real error is kept out")
	}
}

func TestJournalPriorities(t *testing.T) {
	for line, want := range map[string]string{"[ERROR] x\n": "<3>", "[WARN]  x\n": "<4>", "[INFO]  x [ERROR]\n": "<6>"} {
		var b bytes.Buffer
		if n, err := (journalWriter{&b}).Write([]byte(line)); n != len(line) || err != nil || b.String() != want+line {
			t.Errorf("%q became %q (%d, %v)", line, b.String(), n, err)
		}
	}
}

// Every collection is heard of, so that the percentage is never that of a heap of before.
func TestCollectionsAreHeardOf(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	collected := collections(ctx)
	for i := range 5 {
		runtime.GC()
		select {
		case <-collected:
		case <-time.After(2 * time.Minute):
			t.Fatalf("collection %d was not heard of", i)
		}
	}
	cancel()
}
