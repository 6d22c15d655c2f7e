// Package peers is how servers that ciderd is compared with are spoken to by the engine of internal/bench, where that takes
// no client of theirs; and an echo server. It owns no process.
package peers

import (
	"bytes"
	"fmt"
	"net"
	"strconv"
	"strings"

	"ciderd/internal/bench"
)

// Memcached is the Dialect of memcached's text protocol.
type Memcached struct{}

func (Memcached) Hello(net.Conn) error { return nil }

func (Memcached) Template(o bench.Operation, c *bench.Contents, value []byte) (head, tail []byte) {
	switch o {
	case bench.Get, bench.Has:
		return []byte("get " + c.Prefix), []byte("\r\n")
	case bench.Delete:
		return []byte("delete " + c.Prefix), []byte("\r\n")
	}
	return []byte("set " + c.Prefix), fmt.Appendf(nil, " 0 0 %d\r\n%s\r\n", len(value), value)
}

// Answer reads VALUE key flags bytes, so many bytes, and END; or one line.
func (Memcached) Answer(_ bench.Operation, b []byte, seen int) (size int, end bench.Outcome, err string) {
	n := bytes.IndexByte(b[seen:], '\n')
	if n < 0 {
		return 0, bench.Unanswered, ""
	}
	size = seen + n + 1
	switch line := b[:size]; line[0] {
	case 'V':
		length, e := strconv.Atoi(string(bytes.TrimSpace(line[bytes.LastIndexByte(line, ' ')+1:])))
		if e != nil {
			return size, bench.Failed, string(bytes.TrimSpace(line))
		}
		return size + length + len("\r\nEND\r\n"), bench.Found, ""
	case 'E':
		if string(line) == "END\r\n" {
			return size, bench.Missed, ""
		}
	case 'S':
		if string(line) == "STORED\r\n" {
			return size, bench.Done, ""
		}
	case 'D', 'N':
		return size, bench.Done, ""
	}
	return size, bench.Failed, string(bytes.TrimSpace(b[:size]))
}

// Echo is the Dialect of a server that sends back each line: no server in Go that has a goroutine for each connection
// answers faster. A line is as long as an answer with a value of 32 bytes.
type Echo struct{}

func (Echo) Hello(net.Conn) error { return nil }

func (Echo) Template(_ bench.Operation, c *bench.Contents, _ []byte) (head, tail []byte) {
	return []byte("GET " + c.Prefix), []byte(strings.Repeat(".", 12) + "\n")
}

func (Echo) Answer(_ bench.Operation, b []byte, seen int) (size int, end bench.Outcome, err string) {
	n := bytes.IndexByte(b[seen:], '\n')
	if n < 0 {
		return 0, bench.Unanswered, ""
	}
	return seen + n + 1, bench.Found, ""
}

// ServeEcho sends back what it is sent.
func ServeEcho(address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	for {
		conn, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer conn.Close()
			// Not io.Copy: that would leave it to the kernel, and be no program any more.
			for buf := make([]byte, 64<<10); ; {
				n, err := conn.Read(buf)
				if err != nil {
					return
				}
				if _, err := conn.Write(buf[:n]); err != nil {
					return
				}
			}
		}()
	}
}
