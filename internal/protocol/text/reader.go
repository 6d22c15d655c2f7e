package text

import (
	"bufio"
	"bytes"
	"io"

	"ciderd/internal/protocol"
	"ciderd/internal/protocol/block"
)

// Event is what Next found in the buffer.
type Event uint8

// The events.
const (
	None    Event = iota // no complete line is buffered: Fill
	Line                 // a complete line
	TooLong              // a line over the limit was skipped to its end: see Skipped
	Mark                 // a telnet client asks for a sign here, before the next line: answerMark
)

// smallSize is what an idle reader holds, in bytes: with the rest of a Reader it makes 1 KiB.
const smallSize = 736

// Reader splits a byte stream into lines and takes telnet's sequences out of it. A line ends in
// LF, CR LF or CR NUL; a CR elsewhere is an ordinary byte. A Reader is for one goroutine.
//
// The lines do not depend on how the stream was cut, with one exception: telnet's erasing of a
// character shortens a line over the limit only if it came before that line was looked at.
//
// An idle Reader holds about 1 KiB. Once a Read has filled that, and the limit on lines allows for
// more, it borrows a pooled buffer of 32 KiB, and larger ones while a line is longer. It gives the
// large ones back when they are drained, and the one of 32 KiB when it is drained and the last
// Read brought little. So after a burst, a Reader that blocks in Fill holds 32 KiB: a server of
// many connections gives Fill a short read deadline while Size is above 1 KiB, and when that
// passes calls Release, sets the long deadline and calls Fill again. A timeout loses no bytes.
type Reader struct {
	src io.Reader
	err error // came together with bytes: the next Fill returns it
	max int

	// buf is small[:] or big.b; buf[r:w] has been filtered and not been taken. There is no LF in
	// buf[r:lf], and no CR that ends a line in buf[r:cr]: no byte is looked at twice.
	buf          []byte
	r, w, lf, cr int
	big          *block.Block
	hot          bool     // the last Read filled the buffer, or brought more than the small one holds
	skip         bool     // the line at r began before r and is over the limit
	skipped      *skipped // nil: none yet
	filter       Filter
	small        [smallSize]byte
}

// NewReader returns a Reader of src whose limit on lines is MaxLoginLine.
func NewReader(src io.Reader) *Reader {
	r := &Reader{src: src, max: protocol.MaxLoginLine}
	r.buf = r.small[:]
	return r
}

// SetMaxLine sets how many bytes a line may have, its end not counted. It holds for the lines
// that Next has not returned yet.
func (r *Reader) SetMaxLine(n int) { r.max = n }

// SetCRLF makes the answer to "are you there" end in CR LF instead of LF.
func (r *Reader) SetCRLF(on bool) { r.filter.crlf = on }

// Next returns the next complete line of the buffer, without its end. It never blocks. The line
// is the caller's to change, until the next call of Next, Fill or Release.
func (r *Reader) Next() ([]byte, Event) {
	end, next := r.lineEnd()
	if marks := r.filter.marks; len(marks) > 0 && (end < 0 || marks[0] < next) {
		r.filter.marks = marks[1:]
		return nil, Mark
	}
	if end < 0 {
		r.dropLong()
		return nil, None
	}
	line := r.buf[r.r:end:end]
	long := r.skip || len(line) > r.max
	if long {
		r.noteSkipped(line)
	}
	r.r, r.skip = next, false
	if long {
		return nil, TooLong
	}
	return line, Line
}

// skipped is how a line begins and ends that is over the limit.
type skipped struct{ head, tail []byte }

const keptOfSkipped = 256 // bytes at each end

// noteSkipped takes in the next part of one.
func (r *Reader) noteSkipped(part []byte) {
	if !r.skip {
		r.skipped = &skipped{head: bytes.Clone(part[:min(len(part), keptOfSkipped)])}
	}
	s := r.skipped
	s.tail = append(s.tail, part[max(0, len(part)-keptOfSkipped):]...)
	s.tail = s.tail[max(0, len(s.tail)-keptOfSkipped):]
}

// Skipped returns how the last line began and ended for which Next has returned TooLong, 256 bytes at most of each.
func (r *Reader) Skipped() (head, tail []byte) {
	if r.skipped == nil {
		return nil, nil
	}
	return r.skipped.head, r.skipped.tail
}

// lineEnd returns where the line at r ends and where the next one begins; -1 while it has no end.
func (r *Reader) lineEnd() (end, next int) {
	r.lf = r.find('\n', r.lf)
	for {
		r.cr = r.find('\r', r.cr)
		switch {
		case r.cr >= r.lf:
			if r.lf == r.w {
				return -1, -1
			}
			return r.lf, r.lf + 1
		case r.cr+1 == r.w: // its other half has not come yet
			return -1, -1
		case r.cr+1 == r.lf:
			return r.cr, r.lf + 1
		case r.buf[r.cr+1] == 0:
			return r.cr, r.cr + 2
		}
		r.cr++
	}
}

// find returns the place of the first c in buf[r:w] at or after from, w if there is none.
func (r *Reader) find(c byte, from int) int {
	from = max(from, r.r)
	if from < r.w && r.buf[from] == c {
		return from
	}
	if i := bytes.IndexByte(r.buf[from:r.w], c); i >= 0 {
		return from + i
	}
	return r.w
}

// dropLong throws away what is buffered of a line without an end, if it is over the limit. A last
// CR stays: it may be half of the end.
func (r *Reader) dropLong() {
	end := r.w
	if r.r < r.w && r.buf[r.w-1] == '\r' {
		end--
	}
	if (r.skip || end-r.r > r.max) && end > r.r {
		r.noteSkipped(r.buf[r.r:end])
		r.r, r.skip = end, true
	}
}

// Fill blocks in one Read of the source and filters what came. Call it when Next has returned
// None; with a buffer full of lines it returns bufio.ErrBufferFull. It returns the source's error
// (io.EOF at its end) after what came before it has been delivered. After a timeout it may be
// called again. What is buffered when the stream ends and has no end of line is never a line.
func (r *Reader) Fill() error {
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
	r.accept(n)
	return nil
}

// accept filters the n bytes that were read to buf[w:], buf[:w] being what was there before.
func (r *Reader) accept(n int) {
	n, low, head := r.filter.Apply(r.buf[:r.w+n], r.w)
	r.w, r.lf, r.cr = n, min(r.lf, low), min(r.cr, low)
	if head {
		r.skip = false
	}
}

// makeRoom moves what is buffered to the front and sees to it that there is room behind it.
func (r *Reader) makeRoom() error {
	if r.r > 0 {
		copy(r.buf, r.buf[r.r:r.w])
		r.w -= r.r
		r.lf, r.cr = max(r.lf-r.r, 0), max(r.cr-r.r, 0)
		for i, at := range r.filter.marks {
			r.filter.marks[i] = max(at-r.r, 0)
		}
		r.r = 0
	}
	if r.w == 0 && (!r.hot || len(r.buf) > block.Least) {
		r.Release()
	}
	full, need := r.w == len(r.buf), r.max+len("\r\n")
	switch {
	case r.big == nil && (full || r.hot) && need > smallSize:
		r.move(block.Get(block.Least))
	case full && need > len(r.buf):
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

// Release gives a pooled buffer back, if nothing is buffered. Call it when no Fill is running.
func (r *Reader) Release() {
	if r.big == nil || r.r < r.w {
		return
	}
	block.Put(r.big)
	r.big, r.buf = nil, r.small[:]
	r.r, r.w, r.lf, r.cr = 0, 0, 0, 0
	r.hot = false // the next burst has to show itself again
}

// GetsAhead appends to keys, up to its capacity, the key of each of the next lines, as long as these are a
// GET of a bare key. It is a hint of what is coming, for a caller that can prepare for that: the lines are looked at
// without all the rules of the language, are not taken, and may turn out to be something else.
func (r *Reader) GetsAhead(keys [][]byte) [][]byte {
	rest := r.buf[r.r:r.w]
	for len(keys) < cap(keys) {
		end := bytes.IndexByte(rest, '\n')
		if end < len("GET k") || rest[3] != ' ' || rest[0]|0x20 != 'g' || rest[1]|0x20 != 'e' || rest[2]|0x20 != 't' {
			break
		}
		key := rest[len("GET "):end]
		if last := len(key) - 1; key[last] == '\r' {
			key = key[:last]
		}
		keys, rest = append(keys, key), rest[end+1:]
	}
	return keys
}

// Buffered returns how many bytes are buffered and not taken.
func (r *Reader) Buffered() int { return r.w - r.r }

// Partial reports whether a line has begun that has no end yet; call it when Next has returned None.
func (r *Reader) Partial() bool { return r.r < r.w || r.skip }

// Begun returns how the line begins that has no end yet, 256 bytes of it at most; nil if none has begun.
func (r *Reader) Begun() []byte {
	if r.skip && r.skipped != nil {
		return r.skipped.head
	}
	return r.buf[r.r:min(r.w, r.r+keptOfSkipped)]
}

// Size returns how many bytes of memory the Reader holds for buffers.
func (r *Reader) Size() int {
	n := smallSize + cap(r.filter.replies)
	if r.big != nil {
		n += len(r.big.B)
	}
	return n
}

// takeReplies appends to dst what is to be sent to a telnet client as answer to its own sequences,
// and forgets it. It is raw: it holds IAC bytes and is not to be escaped.
func (r *Reader) takeReplies(dst []byte) []byte { return r.filter.takeReplies(dst) }

// IsTelnet reports whether the client has sent an IAC command (an escaped 0xFF is none).
func (r *Reader) IsTelnet() bool { return r.filter.telnet }

// offerEcho appends WILL ECHO to dst: a telnet client stops showing what is typed. From now on its
// DO ECHO is taken as the answer to that, and not answered.
func (r *Reader) offerEcho(dst []byte) []byte {
	r.filter.echo = true
	return append(dst, iac, iacWILL, optEcho)
}

// endEcho appends WONT ECHO to dst: a telnet client shows again what is typed.
func (r *Reader) endEcho(dst []byte) []byte {
	return append(dst, iac, iacWONT, optEcho)
}
