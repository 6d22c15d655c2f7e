package resp

import "bytes"

// span is where an argument is, from the start of its request: the buffer may move before the request is complete.
type span struct{ from, size uint32 }

const (
	spanSize = 8  // bytes of a span
	argSize  = 24 // bytes of a slice
)

// request is what has been read of a request.
type request struct {
	kind kind
	skip bool // it is over the limit: what has been read of it is dropped
	at   int  // how far it has been read, from its start; while it is skipped, from r
	left int  // arguments that are to come
	need int  // bytes that are to come of the argument whose length was read, with its end; 0: none was read
	gone int  // bytes of an inline request that were dropped
	args []span
}

type kind uint8

const (
	unknown kind = iota // nothing has come
	inline
	multibulk // its count comes next
	arguments // its count was read
)

// reset is for the next request.
func (r *Reader) reset() {
	args := r.begun.args[:0]
	if cap(args) > keptArgs {
		args = r.spans[:0]
	}
	r.begun = request{args: args}
}

// parse goes on with the request at r as far as its bytes have come, and reports whether it is complete.
func (r *Reader) parse() bool {
	if r.begun.kind == unknown {
		if r.r == r.w {
			return false
		}
		r.begun.kind = inline
		if r.buf[r.r] == '*' {
			r.begun.kind = multibulk
		}
	}
	if r.begun.kind == inline {
		return r.parseInline()
	}
	return r.parseMultibulk()
}

// skip begins to drop the request, as it is over the limit.
func (r *Reader) skip() {
	r.begun.skip = true
	r.begun.args = r.begun.args[:0]
	r.drop()
}

// drop forgets what has been read of a request that is skipped.
func (r *Reader) drop() {
	if r.begun.skip {
		r.r += r.begun.at
		r.begun.at = 0
	}
}

// parseMultibulk reads *N and N arguments.
func (r *Reader) parseMultibulk() bool {
	if r.begun.kind == multibulk {
		n, ok := r.length(invalidCount, longCount)
		if !ok {
			return false
		}
		if f := r.limits.count(n); f != "" {
			return r.fail(f)
		}
		r.begun.kind, r.begun.left = arguments, int(max(n, 0))
	}
	for r.begun.left > 0 {
		if r.begun.need == 0 && !r.bulkLength() || !r.bulk() {
			return false
		}
	}
	return true
}

// bulkLength reads the line before an argument.
func (r *Reader) bulkLength() bool {
	rest := r.buf[r.r+r.begun.at : r.w]
	if len(rest) > 0 && rest[0] != '$' && lengthEnds(rest) {
		return r.fail(expectedBulk(rest[0]))
	}
	n, ok := r.length(invalidBulk, longBulk)
	if !ok {
		return false
	}
	if f := r.limits.bulk(n); f != "" {
		return r.fail(f)
	}
	r.begun.need = int(n) + bulkFraming
	if !r.begun.skip && r.begun.at+r.begun.need > r.limits.Request {
		r.skip()
	}
	return true
}

// bulk takes the bytes of an argument, and reports whether all of them have come. Its last two are not looked at, as
// in Redis.
func (r *Reader) bulk() bool {
	b := &r.begun
	came := r.w - r.r - b.at
	switch {
	case b.skip:
		n := min(came, b.need)
		b.at, b.need = b.at+n, b.need-n
		r.drop()
		if b.need > 0 {
			return false
		}
	case came < b.need:
		return false
	default:
		b.args = append(b.args, span{uint32(b.at), uint32(b.need - bulkFraming)})
		b.at, b.need = b.at+b.need, 0
	}
	b.left--
	return true
}

// length reads a line that has a type and a number: it ends in CR and any byte, as in Redis. Not ok: it has not come,
// or is wrong, and then r is broken.
func (r *Reader) length(invalid, long fault) (n int64, ok bool) {
	line := r.buf[r.r+r.begun.at : r.w]
	end := bytes.IndexByte(line[:min(len(line), maxInline+1)], '\r')
	switch {
	case end < 0 && len(line) > maxInline:
		return 0, r.fail(long)
	case end < 0 || end+1 == len(line):
		return 0, false
	}
	if n, ok = ParseInt(line[1:end]); !ok {
		return 0, r.fail(invalid)
	}
	r.begun.at += end + len("\r\n")
	r.drop()
	return n, true
}

// lengthEnds reports whether the line of a length has come: Redis looks for its end before its type.
func lengthEnds(line []byte) bool {
	end := bytes.IndexByte(line[:min(len(line), maxInline+1)], '\r')
	return end >= 0 && end+1 < len(line)
}
