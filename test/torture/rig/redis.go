package rig

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"

	"ciderd/test/harness"
	"ciderd/test/torture/judge"
)

// RedisConn is one connection of Redis' protocol (RESP2), for one goroutine. Any error but a *harness.ReplyError leaves it
// useless.
type RedisConn struct {
	net.Conn
	r *bufio.Reader
}

// A Request is the words of one command.
type Request []string

func (q Request) String() string { return strings.Join(q, " ") }

// redis is where the node listens for clients of Redis.
func (n *Node) redis() string { return n.Link.address() + ":6379" }

// DialRedis connects and logs in.
func (n *Node) DialRedis(user string) (*RedisConn, error) {
	raw, err := net.DialTimeout("tcp", n.redis(), harness.Limit)
	if err != nil {
		return nil, err
	}
	c := &RedisConn{Conn: raw, r: bufio.NewReader(raw)}
	answers, err := c.Pipeline(Request{"AUTH", user, Password})
	if err == nil {
		err = answers[0].Err
	}
	if err != nil {
		_ = c.Close()
		return nil, err
	}
	return c, nil
}

// Answer is one reply: an error, a text (of a number too), or a list.
type Answer struct {
	Text string // judge.Nothing if it is null
	List []Answer
	Err  error // a *harness.ReplyError
}

func (a Answer) String() string {
	switch {
	case a.Err != nil:
		return a.Err.Error()
	case a.List == nil:
		return a.Text
	}
	texts := make([]string, len(a.List))
	for i, one := range a.List {
		texts[i] = one.String()
	}
	return "[" + strings.Join(texts, " ") + "]"
}

// Pipeline sends all requests at once and gives an answer for each, errors as they are.
func (c *RedisConn) Pipeline(requests ...Request) ([]Answer, error) {
	var b strings.Builder
	for _, q := range requests {
		b.WriteString(harness.RESP(q...))
	}
	if err := c.SetDeadline(time.Now().Add(harness.Limit)); err != nil {
		return nil, err
	}
	if _, err := io.WriteString(c, b.String()); err != nil {
		return nil, err
	}
	answers := make([]Answer, 0, len(requests))
	for range requests {
		a, err := c.answer()
		if err != nil {
			return answers, err
		}
		answers = append(answers, a)
	}
	return answers, nil
}

func (c *RedisConn) answer() (a Answer, err error) {
	line, err := c.r.ReadString('\n')
	if err != nil {
		return a, err
	}
	text := strings.TrimSuffix(line[1:], "\r\n")
	switch line[0] {
	case '+', ':':
		return Answer{Text: text}, nil
	case '-':
		return Answer{Err: redisError(text)}, nil
	}
	size, err := strconv.Atoi(text)
	switch {
	case err != nil:
		return a, fmt.Errorf("a reply is %q", line)
	case size < 0:
		return Answer{Text: judge.Nothing}, nil
	case line[0] == '$':
		data := make([]byte, size+len("\r\n"))
		_, err := io.ReadFull(c.r, data)
		return Answer{Text: string(data[:size])}, err
	case line[0] != '*':
		return a, fmt.Errorf("a reply is %q", line)
	}
	a.List = make([]Answer, size)
	for i := range a.List {
		if a.List[i], err = c.answer(); err != nil {
			return a, err
		}
	}
	return a, nil
}

// Codes of what only clients of Redis are answered.
const (
	CodeRefused   = "EXECABORT" // a command of a transaction was refused, and so is EXEC
	CodeConflicts = "CONFLICTS" // others have changed what a script reads, in each of its tries; nothing was done
)

// redisError has the code that the text port gives for the same; for what that does not have, the reply's first word.
func redisError(text string) error {
	code, message, _ := strings.Cut(text, " ")
	switch {
	case strings.HasPrefix(text, "TRYAGAIN what the script reads "):
		code = CodeConflicts
	case code == "TRYAGAIN":
		code = "BUSY" // or NO_LEADER: nothing was done
	case code == "OOM":
		code = "MEMORY_FULL"
	case code == "WRONGPASS":
		code = "AUTH_FAILED"
	case strings.HasPrefix(text, "ERR internal error"):
		code = "INTERNAL"
	}
	return &harness.ReplyError{Code: code, Message: message}
}
