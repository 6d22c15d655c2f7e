package text

import (
	"strings"
	"testing"

	"ciderd/internal/protocol"
)

// page is a Sink that keeps what it is given, and how.
type page struct {
	b       []byte
	sent    strings.Builder
	flushes int
	largest int // the buffer
	gone    bool
}

func (p *page) Buffer() []byte { return p.b }
func (p *page) Keep(b []byte)  { p.b = b; p.largest = max(p.largest, len(b)) }
func (p *page) Emit(b []byte)  { p.Keep(b) }
func (p *page) Gone() bool     { return p.gone }

func (p *page) Flush() {
	p.flushes++
	p.sent.Write(p.b)
	p.b = p.b[:0]
}

func (p *page) Send(b []byte) {
	p.Flush()
	p.sent.Write(b)
}

func (p *page) all() string {
	p.Flush()
	return p.sent.String()
}

var _ protocol.Reply = (*Writer)(nil)

func TestWriter(t *testing.T) {
	for _, crlf := range []bool{false, true} {
		p := &page{}
		w := NewWriter(p, crlf)
		for _, word := range []protocol.Word{
			protocol.OK, protocol.NotFound, protocol.Exists, protocol.NoTTL, protocol.True, protocol.False, protocol.Pong,
			protocol.Bye, protocol.SignedUp, protocol.LoggedIn, protocol.LoggedOut,
		} {
			w.Word(word)
		}
		w.Int(-5)
		w.Value(b("a\nb"))
		w.Key(b("a b"))
		w.Versioned(7, 0, b("v"))
		w.Versioned(7, 9, b("v"))
		w.Conflict(1 << 63)
		w.Begin(2)
		w.Key(b("k"))
		w.More(b("k k"))
		w.Begin(-1)
		w.Fact("name", "value")
		w.End()
		w.Error(protocol.Busy, "later")
		want := "OK NOT_FOUND EXISTS NONE true false PONG BYE|User created successfully|Login successful|LOGIN or SIGNUP|" +
			`-5|"a\nb"|"a b"|VALUE 7 - v|VALUE 7 9 v|CONFLICT 9223372036854775808|k|MORE "k k"|name value|END|ERR BUSY later|`
		want = strings.Replace(want, "OK NOT_FOUND EXISTS NONE true false PONG BYE|", "OK|NOT_FOUND|EXISTS|NONE|true|false|PONG|BYE|", 1)
		newline := "\n"
		if crlf {
			newline = "\r\n"
		}
		if got := p.all(); got != strings.ReplaceAll(want, "|", newline) {
			t.Errorf("got %q", got)
		}
	}
}

// A large value is never in the buffer as a whole.
func TestWriterSendsLargeValuesInPieces(t *testing.T) {
	for _, v := range []string{strings.Repeat("v", 300_000), strings.Repeat("\xff", 300_000), " " + strings.Repeat("\u00e9", 100_000)} {
		p := &page{}
		w := NewWriter(p, false)
		w.Word(protocol.OK)
		w.Value(b(v))
		w.Versioned(1, 2, b(v))
		printed := string(AppendValue(nil, b(v)))
		if got := p.all(); got != "OK\n"+printed+"\nVALUE 1 2 "+printed+"\n" {
			t.Errorf("got %d bytes: %.50q", len(got), got)
		}
		if p.largest > 2*pieceSize {
			t.Errorf("%d bytes were in the buffer", p.largest)
		}
	}
}

// Nothing is quoted for a client that is gone.
func TestWriterStopsWhenNothingArrives(t *testing.T) {
	p := &page{gone: true}
	w := NewWriter(p, false)
	w.Value(b(strings.Repeat("\xff", 300_000)))
	if p.flushes > 0 || p.largest > pieceSize {
		t.Errorf("%d flushes, %d bytes", p.flushes, p.largest)
	}
}

func TestPrompts(t *testing.T) {
	p := &page{}
	in := NewReader(strings.NewReader("\xff\xfd\x01\n"))
	w := NewWriter(p, true)
	prompts := NewPrompter(in, &w)
	prompts.Telnet() // to a client that has not said to be one: nothing
	prompts.Ask("Name: ", false)
	prompts.Ask("Password: ", true)
	prompts.Hidden()
	prompts.Mark()
	if err := in.Fill(); err != nil {
		t.Fatal(err)
	}
	in.takeReplies(nil)
	if got, want := p.all(), "Name: \xff\xfb\x01Password: \xff\xfc\x01\r\n\xff\xfc\x06"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestOpening(t *testing.T) {
	type step struct {
		line     string
		loggedIn bool
		rest     string
		browser  bool
	}
	for name, steps := range map[string][]step{
		"a client":            {{"PING", false, "PING", false}, {"GET / HTTP/1.1", false, "GET / HTTP/1.1", false}},
		"a browser":           {{"", false, "", false}, {"GET / HTTP/1.1", false, "GET / HTTP/1.1", true}},
		"a browser's host":    {{"PING", false, "PING", false}, {"host: x", false, "host: x", true}},
		"after the login":     {{"PING", false, "PING", false}, {"host: x", true, "host: x", false}},
		"an editor's mark":    {{"\xef\xbb\xbfPING", false, "PING", false}, {"\xef\xbb\xbfPING", false, "\xef\xbb\xbfPING", false}},
		"a mark of a browser": {{"\xef\xbb\xbfPOST /", false, "POST /", true}},
	} {
		var o Opening
		for _, s := range steps {
			if rest, browser := o.Line(b(s.line), s.loggedIn); string(rest) != s.rest || browser != s.browser {
				t.Errorf("%s: %q is %q, %v", name, s.line, rest, browser)
			}
		}
	}
	var o Opening
	if o.Begun(nil) || !o.Begun(b("POST /x")) || o.LongLine(b("x"), b("y"), false) || o.Begun(b("POST /x")) {
		t.Error("how a line begins is not told apart")
	}
}
