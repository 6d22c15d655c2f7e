package harness

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"time"
)

// Banner is the line that every connection starts with.
const Banner = "LOGIN or SIGNUP"

// Client is one connection of the text protocol. It is not safe for use by
// several goroutines. Any error but a *ReplyError leaves it useless.
type Client struct {
	Timeout time.Duration // for each call; Limit after Dial

	conn net.Conn
	r    *bufio.Reader
}

// Dial connects and reads the banner. A node at its limit of connections gives
// a *ReplyError.
func Dial(addr string) (*Client, error) {
	c, err := DialRaw(addr)
	if err != nil {
		return nil, err
	}
	line, err := c.ReadReply()
	if err == nil && line != Banner {
		err = fmt.Errorf("banner is %q", line)
	}
	if err != nil {
		_ = c.Close()
		return nil, err
	}
	return c, nil
}

// DialRaw connects and reads nothing.
func DialRaw(addr string) (*Client, error) {
	conn, err := Connect(addr)
	if err != nil {
		return nil, err
	}
	return &Client{Timeout: Limit, conn: conn, r: bufio.NewReader(conn)}, nil
}

// Connect opens a TCP connection from a loopback address of its own: a node slows
// down addresses that fail to log in, and one client's failures must not slow
// down another's test.
func Connect(addr string) (net.Conn, error) {
	return ConnectFrom(net.IPv4(127, byte(1+rand.N(254)), byte(rand.N(256)), byte(1+rand.N(254))), addr)
}

// ConnectFrom is Connect from the given loopback address, for what a node counts
// by address.
func ConnectFrom(from net.IP, addr string) (net.Conn, error) {
	d := net.Dialer{Timeout: Limit, LocalAddr: &net.TCPAddr{IP: from}}
	return d.Dial("tcp", addr)
}

// Close closes the connection.
func (c *Client) Close() error { return c.conn.Close() }

// CloseWrite sends EOF and leaves the other direction open.
func (c *Client) CloseWrite() error { return c.conn.(*net.TCPConn).CloseWrite() }

// Login logs in with the one-line form.
func (c *Client) Login(user, password string) error {
	return c.expect("LOGIN "+user+" "+password, "Login successful")
}

// Signup makes an account, and is logged in after it.
func (c *Client) Signup(user, password string) error {
	return c.expect("SIGNUP "+user+" "+password, "User created successfully")
}

func (c *Client) expect(line, want string) error {
	reply, err := c.Do(line)
	if err == nil && reply != want {
		verb, _, _ := strings.Cut(line, " ")
		return fmt.Errorf("%s: %q, want %q", verb, reply, want)
	}
	return err
}

// Do sends a line and gives its one-line reply; an ERR reply is a *ReplyError.
func (c *Client) Do(line string) (string, error) {
	if err := c.Send([]byte(line + "\n")); err != nil {
		return "", err
	}
	return c.ReadReply()
}

// DoLines sends a line whose reply has many lines and gives those before END.
// It fails on a reply that is cut with MORE.
func (c *Client) DoLines(line string) ([]string, error) {
	lines, next, err := c.DoPage(line)
	if err == nil && next != "" {
		err = fmt.Errorf("%s: cut at %q", line, next)
	}
	return lines, err
}

// DoPage is DoLines for replies that end in END or in `MORE next`.
func (c *Client) DoPage(line string) (lines []string, next string, err error) {
	if err := c.Send([]byte(line + "\n")); err != nil {
		return nil, "", err
	}
	for {
		reply, err := c.ReadReply()
		if err != nil {
			return lines, "", err
		}
		if reply == "END" {
			return lines, "", nil
		}
		if after, ok := strings.CutPrefix(reply, "MORE "); ok {
			return lines, after, nil
		}
		lines = append(lines, reply)
	}
}

// Pipeline sends all lines at once and then reads one reply line for each; an
// ERR reply is given as it is.
func (c *Client) Pipeline(lines ...string) ([]string, error) {
	if err := c.Send([]byte(strings.Join(lines, "\n") + "\n")); err != nil {
		return nil, err
	}
	replies := make([]string, 0, len(lines))
	for range lines {
		reply, err := c.ReadLine()
		if err != nil {
			return replies, err
		}
		replies = append(replies, reply)
	}
	return replies, nil
}

// Send writes raw bytes.
func (c *Client) Send(raw []byte) error {
	if err := c.conn.SetWriteDeadline(time.Now().Add(c.Timeout)); err != nil {
		return err
	}
	_, err := c.conn.Write(raw)
	return err
}

// ReadReply reads one line; an ERR line is a *ReplyError.
func (c *Client) ReadReply() (string, error) {
	line, err := c.ReadLine()
	if err != nil {
		return "", err
	}
	if rest, ok := strings.CutPrefix(line, "ERR "); ok {
		code, message, _ := strings.Cut(rest, " ")
		return "", &ReplyError{Code: code, Message: message}
	}
	return line, nil
}

// ReadLine reads up to LF and takes that off. What came before an early end is
// given with the error.
func (c *Client) ReadLine() (string, error) {
	if err := c.conn.SetReadDeadline(time.Now().Add(c.Timeout)); err != nil {
		return "", err
	}
	line, err := c.r.ReadString('\n')
	return strings.TrimSuffix(line, "\n"), err
}

// Read reads raw bytes, at least one, as io.Reader.
func (c *Client) Read(p []byte) (int, error) {
	if err := c.conn.SetReadDeadline(time.Now().Add(c.Timeout)); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// ReplyError is an `ERR CODE message` reply.
type ReplyError struct {
	Code    string
	Message string
}

func (e *ReplyError) Error() string { return "ERR " + e.Code + " " + e.Message }

// Code gives the code of an ERR reply, and "" for any other error or none.
func Code(err error) string {
	var reply *ReplyError
	if errors.As(err, &reply) {
		return reply.Code
	}
	return ""
}

// Outcome is one of the three ends of a write.
type Outcome int

// The ends of a write, as interface 1.4 has them.
const (
	Done    Outcome = iota // the reply has come
	NotDone                // and never will be
	Unknown                // TIMEOUT, INTERNAL or a cut connection
)

// OutcomeOf tells how a write ended whose Do gave err.
func OutcomeOf(err error) Outcome {
	if err == nil {
		return Done
	}
	switch Code(err) {
	case "", "TIMEOUT", "INTERNAL":
		return Unknown
	}
	return NotDone
}
