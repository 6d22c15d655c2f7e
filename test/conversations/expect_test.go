package conversations

import (
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"

	"ciderd/test/harness"
)

// readLine gives a line without its LF; a CR before it stays, to be seen.
func (c *conversation) readLine(s step, l *line) (string, error) {
	raw, err := l.r.ReadString('\n')
	c.note(s, "<", raw)
	if err != nil {
		return "", fmt.Errorf("reading a line: %w (after %s)", err, harness.Short(raw))
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
			err = harness.Mismatch(text, got)
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
			return harness.Mismatch("/"+re.String()+"/", got)
		}
	}
}

func (c *conversation) expectBytes(s step, l *line, want string) error {
	got := make([]byte, len(want))
	n, err := io.ReadFull(l.r, got)
	c.note(s, "<", string(got[:n]))
	if string(got[:n]) != want {
		return harness.Mismatch(want, string(got[:n]))
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
		return harness.Mismatch("the end", string(rest))
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
		return harness.Mismatch(want, got)
	}
	c.met.reply(got, s.want)
	return nil
}
