package torture

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"time"

	"ciderd/internal/harness"
)

// conn is one connection of the text protocol, for one goroutine. (harness.Client comes from
// loopback addresses, which no other namespace can answer.) Any error but a *harness.ReplyError
// leaves it useless.
type conn struct {
	net.Conn
	r *bufio.Reader
}

// dial connects and logs in.
func (n *node) dial(user string) (*conn, error) {
	c, err := n.connect()
	if err != nil {
		return nil, err
	}
	if err := c.expect("LOGIN "+user+" "+password, "Login successful"); err != nil {
		_ = c.Close()
		return nil, err
	}
	return c, nil
}

// connect reads the banner.
func (n *node) connect() (*conn, error) {
	raw, err := net.DialTimeout("tcp", n.text(), harness.Limit)
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: raw, r: bufio.NewReader(raw)}
	line, err := c.reply()
	if err == nil && line != harness.Banner {
		err = fmt.Errorf("%s: banner is %q", n.name, line)
	}
	if err != nil {
		_ = c.Close()
		return nil, err
	}
	return c, nil
}

// signUp makes an account; one that is there already may be of an earlier try of unknown end.
func (n *node) signUp(user string) error {
	c, err := n.connect()
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	err = c.expect("SIGNUP "+user+" "+password, "User created successfully")
	if harness.Code(err) == "USER_EXISTS" {
		return nil
	}
	return err
}

func (c *conn) expect(line, want string) error {
	reply, err := c.do(line)
	if err == nil && reply != want {
		verb, _, _ := strings.Cut(line, " ")
		return fmt.Errorf("%s: %q, want %q", verb, reply, want)
	}
	return err
}

// do sends a line and gives its one-line reply; an ERR reply is an error.
func (c *conn) do(line string) (string, error) {
	if err := c.send(line); err != nil {
		return "", err
	}
	return c.reply()
}

// page sends a line whose reply ends in END, or in MORE and where to go on.
func (c *conn) page(line string) (lines []string, next string, err error) {
	if err := c.send(line); err != nil {
		return nil, "", err
	}
	for {
		reply, err := c.reply()
		if err != nil || reply == "END" {
			return lines, "", err
		}
		if after, ok := strings.CutPrefix(reply, "MORE "); ok {
			return lines, after, nil
		}
		lines = append(lines, reply)
	}
}

// pipeline sends all lines at once and gives a reply for each, ERR replies as they are.
func (c *conn) pipeline(lines ...string) ([]string, error) {
	if err := c.send(lines...); err != nil {
		return nil, err
	}
	replies := make([]string, 0, len(lines))
	for range lines {
		reply, err := c.line()
		if err != nil {
			return replies, err
		}
		replies = append(replies, reply)
	}
	return replies, nil
}

func (c *conn) send(lines ...string) error {
	if err := c.SetWriteDeadline(time.Now().Add(harness.Limit)); err != nil {
		return err
	}
	_, err := c.Write([]byte(strings.Join(lines, "\n") + "\n"))
	return err
}

func (c *conn) reply() (string, error) {
	line, err := c.line()
	if err != nil {
		return "", err
	}
	return line, asError(line)
}

func (c *conn) line() (string, error) {
	if err := c.SetReadDeadline(time.Now().Add(harness.Limit)); err != nil {
		return "", err
	}
	line, err := c.r.ReadString('\n')
	return strings.TrimSuffix(line, "\n"), err
}

// asError gives an ERR reply as an error.
func asError(reply string) error {
	rest, ok := strings.CutPrefix(reply, "ERR ")
	if !ok {
		return nil
	}
	code, message, _ := strings.Cut(rest, " ")
	return &harness.ReplyError{Code: code, Message: message}
}
