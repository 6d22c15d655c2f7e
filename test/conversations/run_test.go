package conversations

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"ciderd/test/harness"
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
	conn, err := c.dial(s)
	if err != nil {
		return nil, err
	}
	l := &line{Conn: conn, r: bufio.NewReader(conn)}
	c.conns[s.conn] = l
	return l, nil
}

// dial connects as the step's connection does.
func (c *conversation) dial(s step) (net.Conn, error) {
	if s.from != "" {
		return harness.ConnectFrom(net.ParseIP(s.from), c.node(s).Text)
	}
	return harness.Connect(c.node(s).Text)
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
	c.said = append(c.said, fmt.Sprintf("[%s] %s %s", s.conn, direction, harness.Short(raw)))
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
			return harness.Mismatch(e.want, got)
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
				return harness.Mismatch(want, got)
			}
		}
		return nil
	})
}
