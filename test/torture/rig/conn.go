package rig

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"time"

	"ciderd/test/harness"
)

// Conn is one connection of the text protocol, for one goroutine. (harness.Client comes from
// loopback addresses, which no other namespace can answer.) Any error but a *harness.ReplyError
// leaves it useless.
type Conn struct {
	net.Conn
	r *bufio.Reader
}

// Dial connects and logs in.
func (n *Node) Dial(user string) (*Conn, error) {
	c, err := n.connect()
	if err != nil {
		return nil, err
	}
	if err := c.Expect("LOGIN "+user+" "+Password, "Login successful"); err != nil {
		_ = c.Close()
		return nil, err
	}
	return c, nil
}

// connect reads the banner.
func (n *Node) connect() (*Conn, error) {
	raw, err := net.DialTimeout("tcp", n.text(), harness.Limit)
	if err != nil {
		return nil, err
	}
	c := &Conn{Conn: raw, r: bufio.NewReader(raw)}
	line, err := c.reply()
	if err == nil && line != harness.Banner {
		err = fmt.Errorf("%s: banner is %q", n.Name, line)
	}
	if err != nil {
		_ = c.Close()
		return nil, err
	}
	return c, nil
}

// SignUp makes an account; one that is there already may be of an earlier try of unknown end.
func (n *Node) SignUp(user string) error {
	c, err := n.connect()
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	err = c.Expect("SIGNUP "+user+" "+Password, "User created successfully")
	if harness.Code(err) == "USER_EXISTS" {
		return nil
	}
	return err
}

// Expect sends a line and wants that reply.
func (c *Conn) Expect(line, want string) error {
	reply, err := c.Do(line)
	if err == nil && reply != want {
		verb, _, _ := strings.Cut(line, " ")
		return fmt.Errorf("%s: %q, want %q", verb, reply, want)
	}
	return err
}

// Do sends a line and gives its one-line reply; an ERR reply is an error.
func (c *Conn) Do(line string) (string, error) {
	if err := c.Send(line); err != nil {
		return "", err
	}
	return c.reply()
}

// Page sends a line whose reply ends in END, or in MORE and where to go on.
func (c *Conn) Page(line string) (lines []string, next string, err error) {
	if err := c.Send(line); err != nil {
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

// Pipeline sends all lines at once and gives a reply for each, ERR replies as they are.
func (c *Conn) Pipeline(lines ...string) ([]string, error) {
	if err := c.Send(lines...); err != nil {
		return nil, err
	}
	replies := make([]string, 0, len(lines))
	for range lines {
		reply, err := c.Line()
		if err != nil {
			return replies, err
		}
		replies = append(replies, reply)
	}
	return replies, nil
}

// Send sends lines and reads nothing.
func (c *Conn) Send(lines ...string) error {
	if err := c.SetWriteDeadline(time.Now().Add(harness.Limit)); err != nil {
		return err
	}
	_, err := c.Write([]byte(strings.Join(lines, "\n") + "\n"))
	return err
}

func (c *Conn) reply() (string, error) {
	line, err := c.Line()
	if err != nil {
		return "", err
	}
	return line, AsError(line)
}

// Line reads up to LF and takes that off.
func (c *Conn) Line() (string, error) {
	if err := c.SetReadDeadline(time.Now().Add(harness.Limit)); err != nil {
		return "", err
	}
	line, err := c.r.ReadString('\n')
	return strings.TrimSuffix(line, "\n"), err
}

// AsError gives an ERR reply as an error.
func AsError(reply string) error {
	rest, ok := strings.CutPrefix(reply, "ERR ")
	if !ok {
		return nil
	}
	code, message, _ := strings.Cut(rest, " ")
	return &harness.ReplyError{Code: code, Message: message}
}

// Password is of every user of a run; it must never be found in a log.
const Password = "torture-secret-4711"
