package redis

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"

	"ciderd/internal/protocol/resp"
	"ciderd/internal/script"
)

// capture is what a Writer writes to that is no client's. What is more than captureMost is dropped.
type capture struct {
	b    []byte
	full bool // something was dropped
}

// captureMost is the longest reply to a command of a script, in bytes: what a script may allocate in all.
const captureMost = 32 << 20

func (c *capture) Buffer() []byte { return c.b }
func (c *capture) Emit(b []byte)  { c.Keep(b) }
func (c *capture) Flush()         {}

func (c *capture) Keep(b []byte) {
	if len(b) > captureMost {
		c.full = true
		b = nil
	}
	c.b = b
}

func (c *capture) Send(b []byte) {
	if len(c.b)+len(b) > captureMost {
		c.full = true
		return
	}
	c.b = append(c.b, b...)
}

// reset begins another reply.
func (c *capture) reset() { c.b, c.full = c.b[:0], false }

// reply returns the reply, or script.ErrMemory if it was too long.
func (c *capture) reply() (script.Reply, error) {
	if c.full {
		return script.Reply{}, script.ErrMemory
	}
	return parseReply(c.b)
}

// parseReply reads one reply of RESP2, of our own.
func parseReply(b []byte) (script.Reply, error) {
	return readReply(bufio.NewReaderSize(bytes.NewReader(b), 16))
}

func readReply(in *bufio.Reader) (p script.Reply, err error) {
	line, err := in.ReadBytes('\n')
	if err != nil || len(line) < 3 {
		return p, errors.Join(errNoReply, err)
	}
	text := string(line[1 : len(line)-2])
	switch line[0] {
	case '+':
		return script.Reply{Kind: script.Status, Text: text}, nil
	case '-':
		return script.Reply{Kind: script.Error, Text: text}, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	switch {
	case err != nil:
		return p, errors.Join(errNoReply, err)
	case line[0] == ':':
		return script.Reply{Kind: script.Integer, Int: n}, nil
	case n < 0:
		return script.Reply{}, nil
	case line[0] == '$':
		value := make([]byte, n+2)
		if _, err := io.ReadFull(in, value); err != nil {
			return p, errors.Join(errNoReply, err)
		}
		return script.Reply{Kind: script.Bulk, Text: string(value[:n])}, nil
	case line[0] != '*':
		return p, errNoReply
	}
	p.Kind, p.List = script.Array, make([]script.Reply, n)
	for i := range p.List {
		if p.List[i], err = readReply(in); err != nil {
			return p, err
		}
	}
	return p, nil
}

// errNoReply: a command has not answered as commands do, which is a bug.
var errNoReply = errors.New("a command has no reply")

// writeReply answers with what a script returns.
func writeReply(w *resp.Writer, p *script.Reply) {
	switch p.Kind {
	case script.Nil:
		w.Null()
	case script.Status:
		w.Simple(p.Text)
	case script.Error:
		w.Error(p.Text)
	case script.Integer:
		w.Int(p.Int)
	case script.Bulk:
		w.BulkString(p.Text)
	case script.Verbatim:
		w.Verbatim(p.Format, p.Text)
	case script.Double:
		w.Double(p.Float)
	case script.Boolean:
		w.Bool(p.Int != 0)
	case script.BigNumber:
		w.BigNumber(p.Text)
	default:
		writeList(w, p)
	}
}

func writeList(w *resp.Writer, p *script.Reply) {
	switch p.Kind {
	case script.Array:
		w.Array(len(p.List))
	case script.Map:
		w.Map(len(p.List) / 2)
	case script.Set:
		w.Set(len(p.List))
	default:
		panic(fmt.Sprintf("a reply of kind %d", p.Kind))
	}
	for i := range p.List {
		writeReply(w, &p.List[i])
	}
}
