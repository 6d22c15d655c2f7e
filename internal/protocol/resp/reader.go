package resp

import (
	"bufio"
	"bytes"
	"io"

	"ciderd/internal/protocol/block"
)

// Event is what Next found in the buffer.
type Event uint8

// The events.
const (
	None     Event = iota // no complete request is buffered: Fill
	Request               // a request
	TooLarge              // a request over Limits.Request was skipped to its end: the connection lives
	Broken                // a protocol error, see Err: answer it and close the connection
	Browser               // a request of HTTP: close the connection without an answer
)

// smallSize is what an idle reader holds, in bytes: with the rest of a Reader it makes 1 KiB.
const smallSize = 512

// fewArgs is how many arguments a reader can hold without memory of its own for them.
const fewArgs = 8

// keptArgs is for how many arguments a reader keeps memory from request to request.
const keptArgs = 1024

// Reader splits a byte stream into requests: arrays of bulk strings, and inline requests, which are lines of words.
// What is no request, an empty line or array, is passed over. A Reader is for one goroutine.
//
// The requests do not depend on how the stream was cut. Memory follows what has arrived, never what a length says: a
// request is held in one buffer, which doubles as its bytes come, and whose limit is Limits.Request. One that is
// longer is dropped while it comes in, and reported at its end.
//
// An idle Reader holds about 1 KiB. Once a Read has filled that, it borrows a pooled buffer of 32 KiB, and larger ones
// for larger requests. It gives those back when they are drained, and the one of 32 KiB when the last Read brought
// little. So after a burst, a Reader that blocks in Fill holds 32 KiB: a server of many connections gives Fill a short
// read deadline while Size is above 1 KiB, and when that passes calls Release. A timeout loses no bytes.
type Reader struct {
	src    io.Reader
	err    error // came together with bytes: the next Fill returns it
	limits Limits
	last   Event // Broken or Browser, once there is nothing more to read
	fault  fault

	// buf is small[:] or big.b. buf[r:w] was read and not taken: a request, as far as it has come, and what is behind.
	buf  []byte
	r, w int
	big  *block.Block
	hot  bool // the last Read filled the buffer, or brought more than the small one holds

	begun request
	args  [][]byte // what Next has returned

	few   [fewArgs][]byte
	spans [fewArgs]span
	small [smallSize]byte
}

// NewReader returns a Reader of src with the limits that hold before login.
func NewReader(src io.Reader) *Reader {
	r := &Reader{src: src, limits: LoginLimits()}
	r.buf = r.small[:]
	r.forgetArgs()
	return r
}

// SetLimits sets what a request may be. It holds for what Next has not looked at yet.
func (r *Reader) SetLimits(l Limits) {
	l.Request = max(l.Request, leastLimit)
	r.limits = l
}

// SetMaxLine changes how many bytes a request may have, also the one that is being read: if it has more already, it
// is dropped, and reported as TooLarge when it ends.
func (r *Reader) SetMaxLine(n int) { r.limits.Request = max(n, leastLimit) }

// Next returns the arguments of the next complete request of the buffer: at least one, its command. It never blocks.
// They are the caller's to change, until the next call of Next, Fill or Release. After Broken and Browser it returns
// the same for ever.
func (r *Reader) Next() ([][]byte, Event) {
	for r.last == None {
		if args := r.whole(); args != nil {
			return args, Request
		}
		if r.parse() {
			if args, event := r.take(); event != None {
				return args, event
			}
			continue
		}
		if r.last != None || r.begun.skip || r.w-r.r <= r.limits.Request {
			break
		}
		r.skip()
	}
	return nil, r.last
}

// Err returns the error to answer after Next has returned Broken.
func (r *Reader) Err() error {
	if r.fault == "" {
		return nil
	}
	return Error("ERR Protocol error: " + string(r.fault))
}

// fail notes what is wrong with the stream. It returns false: there is no complete request.
func (r *Reader) fail(f fault) bool {
	r.last, r.fault = Broken, f
	return false
}

// take takes the complete request. None: it was nothing to do.
func (r *Reader) take() ([][]byte, Event) {
	start, skipped := r.r, r.begun.skip
	if cap(r.args) > max(keptArgs, len(r.begun.args)) {
		r.args = r.few[:0]
	}
	r.args = r.args[:0]
	for _, s := range r.begun.args {
		from := start + int(s.from)
		to := from + int(s.size)
		r.args = append(r.args, r.buf[from:to:to])
	}
	r.r += r.begun.at
	r.reset()
	switch {
	case skipped:
		return nil, TooLarge
	case len(r.args) == 0:
		return nil, None
	case isHTTP(r.args[0]):
		r.last = Browser
		return nil, Browser
	}
	return r.args, Request
}

// isHTTP reports whether a command is how a browser begins a request, or a line of one, that was lured here: it must
// not get another line through. Any letter case counts, and a NUL ends the word, as in Redis.
func isHTTP(command []byte) bool {
	if len(command) < len("post") {
		return false
	}
	word, _, _ := bytes.Cut(command, []byte{0})
	return equalFold(word, "post") || equalFold(word, "host:")
}

// Fill blocks in one Read of the source. Call it when Next has returned None; with a buffer full of requests it
// returns bufio.ErrBufferFull, and after a protocol error that. It returns the source's error (io.EOF at its end)
// after what came before it has been delivered. After a timeout it may be called again. A request that has no end when
// the stream ends is never one.
func (r *Reader) Fill() error {
	if r.fault != "" {
		return r.Err()
	}
	if err := r.err; err != nil {
		r.err = nil
		return err
	}
	if err := r.makeRoom(); err != nil {
		return err
	}
	room := len(r.buf) - r.w
	n, err := r.src.Read(r.buf[r.w:])
	if n <= 0 {
		return err
	}
	r.hot = n == room || n > smallSize
	r.err = err
	r.w += n
	return nil
}

// Buffered returns how many bytes are buffered and not taken.
func (r *Reader) Buffered() int { return r.w - r.r }

// Partial reports whether a request has begun that has no end yet; call it when Next has returned None.
func (r *Reader) Partial() bool { return r.r < r.w || r.begun.skip }

// Size returns how many bytes of memory the Reader holds for buffers and arguments.
func (r *Reader) Size() int {
	n := smallSize
	if r.big != nil {
		n += len(r.big.B)
	}
	if c := cap(r.args); c > fewArgs {
		n += c * argSize
	}
	if c := cap(r.begun.args); c > fewArgs {
		n += c * spanSize
	}
	return n
}

// makeRoom moves what is buffered to the front and sees to it that there is room behind it.
func (r *Reader) makeRoom() error {
	if r.r > 0 {
		copy(r.buf, r.buf[r.r:r.w])
		r.w -= r.r
		r.r = 0
	}
	if r.w == 0 && (!r.hot || len(r.buf) > block.Least) {
		r.giveBack()
	}
	// A request within its limit, and behind it the line of a length that is over it.
	most := r.limits.Request + maxInline + bulkFraming
	switch full := r.w == len(r.buf); {
	case r.big == nil && (full || r.hot):
		r.move(block.Get(block.Least))
	case full && most > len(r.buf):
		r.move(block.Get(2 * len(r.buf)))
	case full:
		return bufio.ErrBufferFull
	}
	return nil
}

// move takes what is buffered, buf[:w], to another block.
func (r *Reader) move(to *block.Block) {
	copy(to.B, r.buf[:r.w])
	if r.big != nil {
		block.Put(r.big)
	}
	r.big, r.buf = to, to.B
}

// Release gives back what an idle Reader does not need, if nothing is buffered. Call it when no Fill is running.
func (r *Reader) Release() {
	if r.r == r.w {
		r.forgetArgs()
		r.giveBack()
	}
}

// giveBack returns the pooled buffer, in which nothing is left.
func (r *Reader) giveBack() {
	if r.big == nil {
		return
	}
	block.Put(r.big)
	r.big, r.buf = nil, r.small[:]
	r.r, r.w = 0, 0
	r.hot = false // the next burst has to show itself again
}

// forgetArgs drops the memory for arguments, and the arguments, which would keep a buffer from the garbage collector.
func (r *Reader) forgetArgs() {
	clear(r.few[:])
	r.args, r.begun.args = r.few[:0], r.spans[:0]
}
