package bench

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// Text is the Dialect of ciderd's text port.
type Text struct{ User, Password string }

// Hello implements Dialect.
func (d Text) Hello(c net.Conn) error {
	_, err := d.login(c)
	return err
}

func (d Text) login(c net.Conn) (*bufio.Reader, error) {
	r := bufio.NewReader(c)
	if err := expect(r, "LOGIN or SIGNUP"); err != nil {
		return nil, err
	}
	if _, err := fmt.Fprintf(c, "LOGIN %s %s\n", d.User, Quoted(d.Password)); err != nil {
		return nil, err
	}
	return r, expect(r, "Login successful")
}

// Quoted is a password as a word of a line.
func Quoted(password string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(password) + `"`
}

// expect reads a line, and returns another one as an error.
func expect(r *bufio.Reader, want string) error {
	line, err := r.ReadString('\n')
	if line = strings.TrimRight(line, "\r\n"); line == want {
		return nil
	}
	if rest, refused := strings.CutPrefix(line, "ERR "); refused {
		return &Refused{rest}
	}
	if err != nil {
		return err
	}
	return fmt.Errorf("not the text port of a node: it says %.40q", line)
}

// Template implements Dialect.
func (Text) Template(o Operation, c *Contents, value []byte) (head, tail []byte) {
	verb, behind := "", ""
	switch o {
	case Get:
		verb = "GET"
	case Set:
		verb, behind = "SET", " "+string(value)
	case SetFor:
		verb, behind = "SETEX", fmt.Sprintf(" %dms %s", c.TTL.Milliseconds(), value)
	case Incr:
		verb = "INCR"
	case Delete, dropCounter:
		verb = "DEL"
	case Has:
		verb = "HAS"
	}
	return []byte(verb + " " + c.Prefix), []byte(behind + "\n")
}

var (
	errorLine = []byte("ERR ")
	notFound  = []byte("NOT_FOUND\n")
	falseLine = []byte("false\n")
)

// Answer implements Dialect: it is a line.
func (Text) Answer(o Operation, b []byte, seen int) (size int, end Outcome, err string) {
	n := bytes.IndexByte(b[seen:], '\n')
	if n < 0 {
		return 0, Unanswered, ""
	}
	size = seen + n + 1
	switch line := b[:size]; {
	case line[0] == 'E' && bytes.HasPrefix(line, errorLine):
		return size, Failed, string(bytes.TrimSpace(line[len(errorLine):]))
	case line[0] == 'N' && bytes.Equal(line, notFound), o == Has && bytes.Equal(line, falseLine):
		return size, Missed, ""
	case o == Get || o == Has || o == Delete:
		return size, Found, ""
	}
	return size, Done, ""
}

// SomeKey implements Keeper.
func (d Text) SomeKey(ctx context.Context, s *Stream, address, prefix string) (key string, err error) {
	err = aside(ctx, s, address, func(c net.Conn) error {
		if _, err := fmt.Fprintf(c, "KEYS %s* LIMIT 1\n", prefix); err != nil {
			return err
		}
		line, err := bufio.NewReader(c).ReadString('\n')
		switch line = strings.TrimRight(line, "\r\n"); {
		case strings.HasPrefix(line, "ERR "):
			return &Refused{strings.TrimPrefix(line, "ERR ")}
		case line != "END":
			key = line
		}
		return err
	})
	return key, err
}

// Room implements Keeper.
func (Text) Room(ctx context.Context, s *Stream, address string) (bytes int64, limited bool, err error) {
	err = aside(ctx, s, address, func(c net.Conn) error {
		if _, err := fmt.Fprint(c, "STATUS\n"); err != nil {
			return err
		}
		facts := map[string]string{}
		for r := bufio.NewReader(c); ; {
			line, err := r.ReadString('\n')
			line = strings.TrimRight(line, "\r\n")
			if err != nil || line == "END" {
				bytes, limited = room(facts["memory"], facts["memory_limit"])
				return err
			}
			name, value, _ := strings.Cut(line, " ")
			facts[name] = value
		}
	})
	return bytes, limited, err
}

// room is the difference between two numbers, if there are such: no limit is no number, or 0.
func room(used, limit string) (bytes int64, limited bool) {
	have, err := strconv.ParseInt(used, 10, 64)
	most, e := strconv.ParseInt(limit, 10, 64)
	if err != nil || e != nil || most == 0 {
		return 0, false
	}
	return max(most-have, 0), true
}

// aside does something on a connection that has logged in.
func aside(ctx context.Context, s *Stream, address string, do func(net.Conn) error) error {
	c, err := s.Dial(ctx, address)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	defer context.AfterFunc(ctx, func() { _ = c.Close() })()
	if err = c.SetDeadline(time.Now().Add(helloTimeout)); err == nil {
		err = do(c)
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return err
}
