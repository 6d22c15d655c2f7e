package resp

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"testing"
)

var record = flag.Bool("record", false, "write what redis-server answers to testdata/conversations.txt; its inputs stay")

// conversation is what a client sends in a version of the protocol, and what Redis 7.0.15 answers. In the file each is a
// line of four words: the version, both texts quoted as in Go, and whether Redis closes the connection.
type conversation struct {
	version int
	in, out string
	closed  bool
}

const conversationFile = "testdata/conversations.txt"

func conversations(t *testing.T) (all []conversation) {
	t.Helper()
	f, err := os.Open(conversationFile)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "#") || lines.Text() == "" {
			continue
		}
		var c conversation
		if _, err := fmt.Sscanf(lines.Text(), "%d %q %q %t", &c.version, &c.in, &c.out, &c.closed); err != nil {
			t.Fatalf("%s: %v", lines.Text(), err)
		}
		all = append(all, c)
	}
	if len(all) < 100 {
		t.Fatalf("only %d conversations", len(all))
	}
	return all
}

// serve is a server of what needs no data.
func serve(version int, in string) (c conversation) {
	p := &page{}
	w := NewWriter(p)
	w.SetProtocol(version)
	r := NewReader(strings.NewReader(in))
	r.SetLimits(SessionLimits(512 << 10))
	for !c.closed {
		switch args, event := r.Next(); event {
		case Request:
			serveOne(&w, args)
		case Broken:
			w.Error(r.Err().Error())
			c.closed = true
		case Browser:
			c.closed = true
		case None:
			if err := r.Fill(); err == io.EOF {
				return conversation{version, in, p.all(), false}
			}
		}
	}
	return conversation{version, in, p.all(), true}
}

func serveOne(w *Writer, args [][]byte) {
	c, err := Lookup(args)
	switch {
	case err != nil:
		w.Error(err.Error())
	case c.Name == "ping":
		w.Simple("PONG")
	case c.Name == "echo":
		w.Bulk(args[1])
	default:
		AnswerCommand(w, c, args)
	}
}

func TestConversationsAreThoseOfRedis(t *testing.T) {
	for _, want := range conversations(t) {
		if got := serve(want.version, want.in); got != want {
			t.Errorf("%q in RESP %d:\ngot  %q %v\nwant %q %v", want.in, want.version, got.out, got.closed, want.out, want.closed)
		}
	}
}

func TestConversationsAreAsRecorded(t *testing.T) {
	l := startLive(t)
	var file strings.Builder
	file.WriteString("# What a client sends, and what redis-server 7.0.15 answers: see conversation_test.go. go test -run Recorded -record\n")
	for _, want := range conversations(t) {
		got := l.converse(want.version, want.in)
		if got != want && !*record {
			t.Errorf("%q in RESP %d:\nrecorded %q %v\nRedis    %q %v", want.in, want.version, want.out, want.closed, got.out, got.closed)
		}
		fmt.Fprintf(&file, "%d %s %s %t\n", got.version, strconv.Quote(got.in), strconv.Quote(got.out), got.closed)
	}
	if *record {
		if err := os.WriteFile(conversationFile, []byte(file.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// converse sends in on a connection of its own, and returns what comes until Redis closes it, or waits for more.
func (l *live) converse(version int, in string) conversation {
	l.t.Helper()
	l.dial()
	l.do("HELLO", strconv.Itoa(version))
	l.send(in + bulks("ECHO", "the end") + bulks("QUIT"))
	raw, _ := io.ReadAll(l.in) // a reset is an end too
	out, open := strings.CutSuffix(string(raw), "$7\r\nthe end\r\n+OK\r\n")
	return conversation{version, in, out, !open}
}
