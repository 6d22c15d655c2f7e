package daemon

import (
	"bytes"
	"net"
	"strings"
	"testing"
)

func TestGCPercent(t *testing.T) {
	for live, want := range map[uint64]int{0: gcMost, 1 << 20: gcMost, gcRoom: 100, gcRoom * 2: 50, 8 << 30: gcLeast} {
		if got := gcPercent(live); got != want {
			t.Errorf("%d bytes live: %d %%, want %d", live, got, want)
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
	listeners, err := listenText("localhost:0")
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
	if _, err := listenText("localhost:" + port); err == nil {
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
