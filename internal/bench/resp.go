package bench

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
)

// RESP is the Dialect of Redis, and of the port for its clients.
type RESP struct{ User, Password string } // no user: no login

// Hello implements Dialect.
func (d RESP) Hello(c net.Conn) error {
	if d.User == "" {
		return nil
	}
	if _, err := c.Write(words("AUTH", d.User, d.Password)); err != nil {
		return err
	}
	line, err := bufio.NewReader(c).ReadString('\n')
	switch line = strings.TrimRight(line, "\r\n"); {
	case line == "+OK":
		return nil
	case strings.HasPrefix(line, "-"):
		return &Refused{line[1:]}
	case err != nil:
		return err
	}
	return fmt.Errorf("not a port for clients of Redis: it says %.40q", line)
}

// words is a request.
func words(all ...string) []byte {
	b := fmt.Appendf(nil, "*%d\r\n", len(all))
	for _, w := range all {
		b = fmt.Appendf(b, "$%d\r\n%s\r\n", len(w), w)
	}
	return b
}

// Template implements Dialect.
func (RESP) Template(o Operation, c *Contents, value []byte) (head, tail []byte) {
	verb, behind := "", []string(nil)
	switch o {
	case Get:
		verb = "GET"
	case Set:
		verb, behind = "SET", []string{string(value)}
	case SetFor:
		verb, behind = "SET", []string{string(value), "PX", strconv.FormatInt(c.TTL.Milliseconds(), 10)}
	case Incr:
		verb = "INCR"
	case Delete, dropCounter:
		verb = "DEL"
	case Has:
		verb = "EXISTS"
	}
	whole := words(append([]string{verb, c.Prefix + strings.Repeat("#", KeyDigits)}, behind...)...)
	at := bytes.Index(whole, []byte(strings.Repeat("#", KeyDigits)))
	return whole[:at], whole[at+KeyDigits:]
}

// Answer implements Dialect: it is a line, and what the line says stands behind it.
func (RESP) Answer(o Operation, b []byte, seen int) (size int, end Outcome, err string) {
	n := bytes.IndexByte(b[seen:], '\n')
	if n < 0 {
		return 0, Unanswered, ""
	}
	size = seen + n + 1
	line := b[:size]
	switch line[0] {
	case '-':
		return size, Failed, string(bytes.TrimSpace(line[1:]))
	case '_':
		return size, Missed, ""
	case '$':
		length, e := strconv.Atoi(string(bytes.TrimSpace(line[1:])))
		if e != nil {
			return size, Failed, "BAD_REPLY " + string(bytes.TrimSpace(line))
		}
		if length < 0 {
			return size, Missed, ""
		}
		return size + length + len("\r\n"), Found, ""
	case ':':
		if o == Delete || o == Has {
			if line[1] == '0' {
				return size, Missed, ""
			}
			return size, Found, ""
		}
	case '+':
	default:
		return size, Failed, "BAD_REPLY " + string(bytes.TrimSpace(line))
	}
	return size, Done, ""
}

// SomeKey implements Keeper.
func (d RESP) SomeKey(ctx context.Context, s *Stream, address, prefix string) (key string, err error) {
	err = aside(ctx, s, address, func(c net.Conn) error {
		r := bufio.NewReader(c)
		for cursor := "0"; ; {
			if _, err := c.Write(words("SCAN", cursor, "MATCH", prefix+"*", "COUNT", "1000")); err != nil {
				return err
			}
			next, keys, err := scanned(r)
			if err != nil {
				return err
			}
			if len(keys) > 0 {
				key = keys[0]
			}
			if cursor = next; key != "" || cursor == "0" {
				return nil
			}
		}
	})
	return key, err
}

// Room implements Keeper.
func (RESP) Room(ctx context.Context, s *Stream, address string) (bytes int64, limited bool, err error) {
	err = aside(ctx, s, address, func(c net.Conn) error {
		if _, err := c.Write(words("INFO", "memory")); err != nil {
			return err
		}
		text, err := respBulk(bufio.NewReader(c))
		facts := map[string]string{}
		for line := range strings.Lines(text) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
			facts[name] = value
		}
		bytes, limited = room(facts["used_memory"], facts["maxmemory"])
		return err
	})
	return bytes, limited, err
}

// scanned reads a reply to SCAN.
func scanned(r *bufio.Reader) (cursor string, keys []string, err error) {
	if _, err = respLength(r, '*'); err != nil {
		return "", nil, err
	}
	if cursor, err = respBulk(r); err != nil {
		return "", nil, err
	}
	n, err := respLength(r, '*')
	for ; n > 0 && err == nil; n-- {
		var key string
		key, err = respBulk(r)
		keys = append(keys, key)
	}
	return cursor, keys, err
}

func respLength(r *bufio.Reader, kind byte) (int, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return 0, err
	}
	line = strings.TrimRight(line, "\r\n")
	if strings.HasPrefix(line, "-") {
		return 0, &Refused{line[1:]}
	}
	if line == "" || line[0] != kind {
		return 0, fmt.Errorf("an answer of another kind: %.40q", line)
	}
	return strconv.Atoi(line[1:])
}

func respBulk(r *bufio.Reader) (string, error) {
	n, err := respLength(r, '$')
	if err != nil {
		return "", err
	}
	b := make([]byte, max(n, 0)+len("\r\n"))
	_, err = io.ReadFull(r, b)
	return string(b[:len(b)-len("\r\n")]), err
}
