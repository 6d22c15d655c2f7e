package daemon

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
)

// The last lines are kept, as many as may be, also those that nobody has read.
func TestRecentLines(t *testing.T) {
	r := &recent{}
	for i := range recentLines + 5 {
		r.add(fmt.Appendln(nil, "line", i))
	}
	text := string(r.text())
	if n := strings.Count(text, "\n"); n != recentLines || !strings.HasPrefix(text, "line 5\n") || !strings.HasSuffix(text, fmt.Sprintf("line %d\n", recentLines+4)) {
		t.Errorf("%d lines, from %.20q", n, text)
	}
	long := bytes.Repeat([]byte("x"), recentBytes-3)
	r.add(long)
	r.add([]byte("end\n"))
	if text := r.text(); len(text) > recentBytes || !bytes.HasSuffix(text, []byte("end\n")) {
		t.Errorf("%d bytes are kept", len(text))
	}
	r.add(bytes.Repeat(long, 2))
	if n := len(r.text()); n != recentBytes {
		t.Errorf("%d bytes of one line are kept", n)
	}
}

func TestTheLogIsKept(t *testing.T) {
	l := newLogs(io.Discard, hclog.LoggerOptions{Name: "ciderd"})
	l.Main.Info("begins", "n", 1)
	l.Raft.Error("raft", "n", 2)
	l.Main.Debug("not at this level")
	l.Close()
	text := string(l.Recent())
	if strings.Count(text, "\n") != 2 || !strings.Contains(text, "begins: n=1") || !strings.Contains(text, "raft: n=2") {
		t.Errorf("kept: %q", text)
	}
}
