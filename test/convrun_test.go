package test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"
	"time"

	"ciderd/internal/harness"
)

// A conversation runs the steps of one file. The first thing that is not as the
// file says ends it.
type conversation struct {
	nodes []*harness.Node // the first is the one under test
	met   *met
	vars  map[string]string
	conns map[string]*line
	said  []string // the transcript
}

// line is one open connection.
type line struct {
	net.Conn
	r     *bufio.Reader
	asked string // the verb that has had no reply yet
}

// transcriptTail is how many lines of the transcript a failure shows.
const transcriptTail = 12

// runConversation runs steps with the first of nodes under test; unique is what
// {u} stands for.
func runConversation(steps []step, nodes []*harness.Node, heard *met, unique string) error {
	c := &conversation{nodes: nodes, met: heard, vars: map[string]string{"u": unique}, conns: map[string]*line{}}
	defer func() {
		for _, l := range c.conns {
			_ = l.Close()
		}
	}()
	for _, s := range steps {
		if err := c.run(s); err != nil {
			tail := c.said[max(0, len(c.said)-transcriptTail):]
			return fmt.Errorf("line %d: %w\nbefore that:\n    %s", s.line, err, strings.Join(tail, "\n    "))
		}
	}
	return nil
}

func (c *conversation) run(s step) error {
	switch s.op {
	case opLogin:
		return c.login(s)
	case opAct:
		return c.act(s)
	case opCrowd:
		return c.crowd(s)
	case opReboot:
		return c.reboot(s)
	}
	l, err := c.open(s)
	if err != nil {
		return err
	}
	if err := l.SetDeadline(time.Now().Add(harness.Limit)); err != nil {
		return err
	}
	text := expand(s.text, c.vars)
	switch s.op {
	case opSend:
		return c.send(s, l, text+"\n")
	case opSendRaw:
		raw, err := unescape(text)
		if err != nil {
			return err
		}
		return c.send(s, l, raw)
	case opWaitUntil:
		return c.waitUntil(s, l, text)
	case opSignup:
		return c.signup(s, l, text)
	case opClose:
		delete(c.conns, s.conn)
		return l.Close()
	case opEOF:
		return l.Conn.(*net.TCPConn).CloseWrite()
	case opExpectClose, opExpectCut:
		return c.expectEnd(s, l)
	}
	return c.expect(s, l, text)
}

// node is the one that a step's connection is with.
func (c *conversation) node(s step) *harness.Node { return c.nodes[s.node%len(c.nodes)] }

// open gives the step's connection and dials where there is none.
func (c *conversation) open(s step) (*line, error) {
	if l := c.conns[s.conn]; l != nil {
		return l, nil
	}
	connect := func() (net.Conn, error) { return harness.Connect(c.node(s).Text) }
	if s.from != "" {
		connect = func() (net.Conn, error) { return harness.ConnectFrom(net.ParseIP(s.from), c.node(s).Text) }
	}
	conn, err := connect()
	if err != nil {
		return nil, err
	}
	l := &line{Conn: conn, r: bufio.NewReader(conn)}
	c.conns[s.conn] = l
	return l, nil
}

func (c *conversation) send(s step, l *line, raw string) error {
	c.note(s, ">", raw)
	if words := strings.Fields(raw); len(words) > 0 && l.asked == "" {
		l.asked = strings.ToUpper(words[0])
	}
	_, err := io.WriteString(l, raw)
	return err
}

func (c *conversation) note(s step, direction, raw string) {
	c.said = append(c.said, fmt.Sprintf("[%s] %s %s", s.conn, direction, short(raw)))
}

// readLine gives a line without its LF; a CR before it stays, to be seen.
func (c *conversation) readLine(s step, l *line) (string, error) {
	raw, err := l.r.ReadString('\n')
	c.note(s, "<", raw)
	if err != nil {
		return "", fmt.Errorf("reading a line: %w (after %s)", err, short(raw))
	}
	got := strings.TrimSuffix(raw, "\n")
	c.heard(l, got)
	return got, nil
}

// heard takes the start of a reply: a verb that is not answered with an error
// has been served.
func (c *conversation) heard(l *line, reply string) {
	if reply == harness.Banner {
		return
	}
	if l.asked != "" && !strings.HasPrefix(reply, "ERR ") {
		c.met.verb(l.asked)
	}
	l.asked = ""
}

// expect reads what the server says and compares.
func (c *conversation) expect(s step, l *line, text string) error {
	switch s.op {
	case opPrompt:
		return c.expectBytes(s, l, text)
	case opBytes:
		raw, err := unescape(text)
		if err != nil {
			return err
		}
		return c.expectBytes(s, l, raw)
	case opLine:
		got, err := c.readLine(s, l)
		if err == nil && got != text {
			err = mismatch(text, got)
		}
		if err == nil {
			c.met.reply(got, text)
		}
		return err
	}
	re, err := c.regexp(s.text)
	if err != nil {
		return err
	}
	for {
		got, err := c.readLine(s, l)
		if err != nil {
			return err
		}
		if m := re.FindStringSubmatch(got); m != nil {
			c.capture(re, m)
			c.met.reply(got, s.text)
			return nil
		}
		// END closes a block of lines, so a search does not go beyond it.
		if s.op == opRegexp || got == "END" {
			return mismatch("/"+re.String()+"/", got)
		}
	}
}

func (c *conversation) expectBytes(s step, l *line, want string) error {
	got := make([]byte, len(want))
	n, err := io.ReadFull(l.r, got)
	c.note(s, "<", string(got[:n]))
	if string(got[:n]) != want {
		return mismatch(want, string(got[:n]))
	}
	c.heard(l, want)
	return err
}

// regexp compiles a pattern for whole lines, variables filled in literally.
func (c *conversation) regexp(text string) (*regexp.Regexp, error) {
	quoted := make(map[string]string, len(c.vars))
	for name, value := range c.vars {
		quoted[name] = regexp.QuoteMeta(value)
	}
	return regexp.Compile(`^(?:` + expand(text, quoted) + `)$`)
}

func (c *conversation) capture(re *regexp.Regexp, m []string) {
	for i, name := range re.SubexpNames() {
		if name != "" {
			c.vars[name] = m[i]
		}
	}
}

// expectEnd wants the end of the connection and not a byte before it.
func (c *conversation) expectEnd(s step, l *line) error {
	rest, err := io.ReadAll(io.LimitReader(l.r, 4096))
	if len(rest) > 0 {
		c.note(s, "<", string(rest))
		return mismatch("the end", string(rest))
	}
	// A reset is what a client sees whose input was not all read.
	if err != nil && (s.op == opExpectClose || isTimeout(err)) {
		return fmt.Errorf("want the end, got %w", err)
	}
	delete(c.conns, s.conn)
	_ = l.Close() // the other end is gone
	return nil
}

func isTimeout(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}

// waitUntil asks again and again until the reply is the one wanted.
func (c *conversation) waitUntil(s step, l *line, text string) error {
	limit := max(s.max, harness.Limit)
	before := len(c.said)
	return harness.Until(limit, text, func() error {
		c.said = c.said[:before]
		if err := l.SetDeadline(time.Now().Add(limit)); err != nil {
			return err
		}
		if err := c.send(s, l, text+"\n"); err != nil {
			return err
		}
		got, err := c.readLine(s, l)
		if err != nil {
			return err
		}
		return c.wanted(s, got)
	})
}

// wanted compares a reply with a step's want.
func (c *conversation) wanted(s step, got string) error {
	want, same := expand(s.want, c.vars), false
	if !s.like {
		same = got == want
	} else if re, err := c.regexp(s.want); err != nil {
		return err
	} else {
		same = re.MatchString(got)
	}
	if !same {
		return mismatch(want, got)
	}
	c.met.reply(got, s.want)
	return nil
}

func (c *conversation) signup(s step, l *line, text string) error {
	for _, e := range []struct{ send, want string }{
		{"", harness.Banner}, {"SIGNUP " + text + "\n", "User created successfully"},
	} {
		if err := c.send(s, l, e.send); err != nil {
			return err
		}
		got, err := c.readLine(s, l)
		if err != nil {
			return err
		}
		if got != e.want {
			return mismatch(e.want, got)
		}
	}
	return nil
}

// login opens a connection that is logged in. It waits, on new connections, for
// an account that another node has just made and this one may not have yet.
func (c *conversation) login(s step) error {
	text := expand(s.text, c.vars)
	return harness.Until(harness.Limit, "LOGIN "+text, func() error {
		if old := c.conns[s.conn]; old != nil {
			_ = old.Close()
			delete(c.conns, s.conn)
		}
		l, err := c.open(s)
		if err != nil {
			return err
		}
		if err := l.SetDeadline(time.Now().Add(harness.Limit)); err != nil {
			return err
		}
		if err := c.send(s, l, "LOGIN "+text+"\n"); err != nil {
			return err
		}
		for _, want := range []string{harness.Banner, "Login successful"} {
			got, err := c.readLine(s, l)
			if err != nil {
				return err
			}
			if got != want {
				return mismatch(want, got)
			}
		}
		return nil
	})
}

// mismatch shows both sides, one above the other, and where they part.
func mismatch(want, got string) error {
	at := 0
	for at < min(len(want), len(got)) && want[at] == got[at] {
		at++
	}
	return fmt.Errorf("not the same from byte %d on\n    want %s\n    got  %s", at, short(want), short(got))
}

// short quotes text, and cuts it in the middle where it is long.
func short(text string) string {
	const most = 200
	if len(text) <= most {
		return fmt.Sprintf("%q", text)
	}
	return fmt.Sprintf("%q…%q (%d bytes)", text[:most/2], text[len(text)-most/4:], len(text))
}
