package text

import (
	"strconv"

	"ciderd/internal/protocol"
)

// pieceSize is from where on a value is not copied into the buffer, or is quoted in pieces, in bytes:
// what a client that does not read holds is then not many times its values.
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
	// Gone reports whether nothing arrives any more.
	Gone() bool
}

// Writer writes replies as lines. It is a protocol.Reply, for one goroutine.
type Writer struct {
	out     Sink
	newline string
	failed  bool // see Failed
}

// NewWriter returns a Writer to out whose lines end in CR LF, or else in LF.
func NewWriter(out Sink, crlf bool) Writer {
	w := Writer{out: out, newline: "\n"}
	if crlf {
		w.newline = "\r\n"
	}
	return w
}

// written is how each word is written.
var written = [...]string{
	protocol.OK:        "OK",
	protocol.NotFound:  "NOT_FOUND",
	protocol.Exists:    "EXISTS",
	protocol.NoTTL:     "NONE",
	protocol.True:      "true",
	protocol.False:     "false",
	protocol.Pong:      "PONG",
	protocol.Bye:       "BYE",
	protocol.SignedUp:  "User created successfully",
	protocol.LoggedIn:  "Login successful",
	protocol.LoggedOut: Banner,
}

// Banner is the line that a connection begins with.
const Banner = "LOGIN or SIGNUP"

// line gives the buffer back with a reply in it that lacks its newline.
func (w *Writer) line(b []byte) { w.out.Emit(append(b, w.newline...)) }

// Word writes one of the fixed replies.
func (w *Writer) Word(word protocol.Word) { w.Text(written[word]) }

// Text writes a line as it is.
func (w *Writer) Text(line string) { w.line(append(w.out.Buffer(), line...)) }

// Int writes a number.
func (w *Writer) Int(n int64) { w.line(strconv.AppendInt(w.out.Buffer(), n, 10)) }

// Conflict writes CONFLICT and a version.
func (w *Writer) Conflict(version uint64) {
	w.failed = true
	w.line(strconv.AppendUint(append(w.out.Buffer(), "CONFLICT "...), version, 10))
}

// Key writes a key as appendKey does.
func (w *Writer) Key(key []byte) { w.line(appendKey(w.out.Buffer(), key)) }

// Value writes a value as AppendValue does.
func (w *Writer) Value(v []byte) {
	if len(v) > pieceSize {
		w.large(v)
		return
	}
	w.line(AppendValue(w.out.Buffer(), v))
}

// large writes a value in pieces, or as it is stored if it is printed raw.
func (w *Writer) large(v []byte) {
	p := newPrinter(v)
	if raw := p.Raw(); raw != nil {
		w.out.Send(raw)
	} else {
		for more := true; more && !w.out.Gone(); {
			var b []byte
			b, more = p.Append(w.out.Buffer(), pieceSize)
			w.out.Keep(b)
			if more {
				w.out.Flush()
			}
		}
	}
	w.line(w.out.Buffer())
}

// Versioned writes VALUE, version, seconds (- for none) and value on one line.
func (w *Writer) Versioned(version, seconds uint64, value []byte) {
	b := strconv.AppendUint(append(w.out.Buffer(), "VALUE "...), version, 10)
	if seconds == 0 {
		b = append(b, " - "...)
	} else {
		b = append(strconv.AppendUint(append(b, ' '), seconds, 10), ' ')
	}
	w.out.Keep(b)
	w.Value(value)
}

// Begin writes nothing: a list has no head here.
func (w *Writer) Begin(int) {}

// End writes the line that ends a list.
func (w *Writer) End() { w.Text("END") }

// More writes the line that ends a list which goes on behind a key.
func (w *Writer) More(key []byte) { w.line(appendKey(append(w.out.Buffer(), "MORE "...), key)) }

// Fact writes a line of a name and a value.
func (w *Writer) Fact(name, value string) {
	w.line(append(append(append(w.out.Buffer(), name...), ' '), value...))
}

// Error writes an error reply.
func (w *Writer) Error(code protocol.Code, message string) {
	w.failed = true
	w.line(appendError(w.out.Buffer(), &protocol.Error{Code: code, Message: message}))
}

// Failed reports whether an error was written since it was last asked.
func (w *Writer) Failed() (failed bool) {
	failed, w.failed = w.failed, false
	return failed
}

// Flush sends what has been written.
func (w *Writer) Flush() { w.out.Flush() }
