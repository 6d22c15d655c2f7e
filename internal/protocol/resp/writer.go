package resp

import (
	"math"
	"strconv"
	"strings"
)

// pieceSize is from where on a value is not copied into the buffer, in bytes: what a client that does not read holds
// is then not many times its values.
const pieceSize = 16 << 10

// Sink is the way to a client: a buffer, and what sends it.
type Sink interface {
	// Buffer returns the buffer to append to. It is to be given back with Emit or Keep.
	Buffer() []byte
	// Emit takes the buffer with one more reply in it, and sends it if enough has gathered.
	Emit(b []byte)
	// Keep takes the buffer with a part of a reply in it, and sends nothing.
	Keep(b []byte)
	// Flush sends the buffer. It may block until the client takes something.
	Flush()
	// Send sends the buffer, and then b.
	Send(b []byte)
}

// Writer writes replies, for one goroutine. It keeps none of the slices that it is given, and must not be copied once it
// is in use. A new one speaks RESP 2, where types that this version lacks are written as those that it has.
//
// A reply is one element: what Array, Map, Set and Push begin is complete after as many more elements as they say.
//
// It is no protocol.Reply, as a session's words do not say what a reply is here: what is missing is a null to a GET,
// and 0 to an EXPIRE. What serves a command writes its reply with the types that Redis gives that command.
type Writer struct {
	out     Sink // to, or what drops all
	to      Sink
	dropped dropped
	resp3   bool
	// Failed is set when an error is written, be it within a collection. Who looks at it clears it.
	Failed bool
}

// NewWriter returns a Writer to out.
func NewWriter(out Sink) Writer { return Writer{out: out, to: out} }

// SetProtocol makes version, 2 or 3, the one of what is written from now on.
func (w *Writer) SetProtocol(version int) { w.resp3 = version == 3 }

// Protocol returns the version, 2 or 3.
func (w *Writer) Protocol() int {
	if w.resp3 {
		return 3
	}
	return 2
}

// Drop has what is written go nowhere, until it is called with false: the replies after CLIENT REPLY OFF and SKIP. A
// push message is sent nevertheless, so it is to be written with dropping off. It returns what it was before.
func (w *Writer) Drop(on bool) (before bool) {
	before = w.out == Sink(&w.dropped)
	w.out = w.to
	if on {
		w.out = &w.dropped
	}
	return before
}

// line gives the buffer back with an element in it that lacks its end.
func (w *Writer) line(b []byte) { w.out.Emit(append(b, "\r\n"...)) }

// head gives back the buffer with a type and a number in it, where the element goes on.
func (w *Writer) head(kind byte, n int) { w.out.Keep(appendHead(w.out.Buffer(), kind, n)) }

func appendHead(b []byte, kind byte, n int) []byte {
	return append(strconv.AppendInt(append(b, kind), int64(n), 10), "\r\n"...)
}

// Simple writes a string of the node's own: one line of printable characters, such as OK.
func (w *Writer) Simple(s string) { w.line(appendLine(append(w.out.Buffer(), '+'), s)) }

// OK writes what most writes are answered with.
func (w *Writer) OK() { w.out.Emit(append(w.out.Buffer(), "+OK\r\n"...)) }

// Error writes an error: a code, a blank, and a message. A line end in it becomes a blank, as in Redis.
func (w *Writer) Error(reply string) {
	w.Failed = true
	w.line(appendLine(append(w.out.Buffer(), '-'), reply))
}

// appendLine appends s without line ends.
func appendLine(b []byte, s string) []byte {
	s = strings.TrimRight(s, "\r\n")
	from := len(b)
	b = append(b, s...)
	for i := from; i < len(b); i++ {
		if b[i] == '\r' || b[i] == '\n' {
			b[i] = ' '
		}
	}
	return b
}

// Int writes a number.
func (w *Writer) Int(n int64) { w.line(strconv.AppendInt(append(w.out.Buffer(), ':'), n, 10)) }

// Bulk writes a string of bytes: a value or a key.
func (w *Writer) Bulk(v []byte) {
	if len(v) > pieceSize {
		w.head('$', len(v))
		w.out.Send(v)
		w.line(w.out.Buffer())
		return
	}
	w.line(append(appendHead(w.out.Buffer(), '$', len(v)), v...))
}

// BulkString writes a string of the node's own. It is copied, however long.
func (w *Writer) BulkString(s string) {
	w.line(append(appendHead(w.out.Buffer(), '$', len(s)), s...))
}

// Verbatim writes a text for people; kind has three letters, such as txt.
func (w *Writer) Verbatim(kind, s string) {
	if !w.resp3 {
		w.BulkString(s)
		return
	}
	b := append(appendHead(w.out.Buffer(), '=', len(s)+len("txt:")), kind...)
	w.line(append(append(b, ':'), s...))
}

// BigNumber writes an integer of any size, given as its digits.
func (w *Writer) BigNumber(digits string) {
	if !w.resp3 {
		w.BulkString(digits)
		return
	}
	w.line(appendLine(append(w.out.Buffer(), '('), digits))
}

// Null writes that there is nothing where a string, a number or a boolean would be.
func (w *Writer) Null() { w.null("$-1") }

// NullArray writes that there is nothing where an array would be: an EXEC that was not done.
func (w *Writer) NullArray() { w.null("*-1") }

func (w *Writer) null(resp2 string) {
	if w.resp3 {
		resp2 = "_"
	}
	w.line(append(w.out.Buffer(), resp2...))
}

// Array begins an array of n elements.
func (w *Writer) Array(n int) { w.collection('*', n, 1) }

// Map begins a map of n pairs, each two elements. In RESP 2 it is an array of all of them.
func (w *Writer) Map(n int) { w.collection('%', n, 2) }

// Set begins a set of n elements. In RESP 2 it is an array.
func (w *Writer) Set(n int) { w.collection('~', n, 1) }

// Push begins a message that no request asked for, of n elements. In RESP 2 it is an array.
func (w *Writer) Push(n int) { w.collection('>', n, 1) }

// collection begins n times size elements. An empty one is complete.
func (w *Writer) collection(kind byte, n, size int) {
	if !w.resp3 {
		kind, n = '*', n*size
	}
	if n == 0 {
		w.out.Emit(appendHead(w.out.Buffer(), kind, 0))
		return
	}
	w.head(kind, n)
}

// Bool writes a truth value. In RESP 2 it is 1 or 0.
func (w *Writer) Bool(v bool) {
	s := ":0"
	switch {
	case w.resp3 && v:
		s = "#t"
	case w.resp3:
		s = "#f"
	case v:
		s = ":1"
	}
	w.line(append(w.out.Buffer(), s...))
}

// Double writes a number with a fraction. In RESP 2 it is a string.
func (w *Writer) Double(v float64) {
	var digits [32]byte
	text := appendDouble(digits[:0], v)
	if w.resp3 {
		w.line(append(append(w.out.Buffer(), ','), text...))
		return
	}
	w.line(append(appendHead(w.out.Buffer(), '$', len(text)), text...))
}

// appendDouble appends v with up to 17 digits, as Redis does.
func appendDouble(b []byte, v float64) []byte {
	switch {
	case math.IsInf(v, 1):
		return append(b, "inf"...)
	case math.IsInf(v, -1):
		return append(b, "-inf"...)
	case math.IsNaN(v):
		return append(b, "nan"...)
	}
	return strconv.AppendFloat(b, v, 'g', 17, 64)
}

// Flush sends what has been written.
func (w *Writer) Flush() { w.out.Flush() }

// dropped is a Sink that forgets what it is given.
type dropped struct{ b []byte }

func (d *dropped) Buffer() []byte { return d.b }
func (d *dropped) Emit(b []byte)  { d.Keep(b) }
func (d *dropped) Flush()         {}
func (d *dropped) Send([]byte)    {}

// Keep keeps the memory, unless that is much.
func (d *dropped) Keep(b []byte) {
	if d.b = b[:0]; cap(b) > pieceSize {
		d.b = nil
	}
}
