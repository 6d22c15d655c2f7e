package text

import "bytes"

// byteOrderMark is what editors of some systems put before the first word of a text.
var byteOrderMark = []byte("\xef\xbb\xbf")

// Opening looks at how a connection begins: a browser that was lured here must not get a line through. The
// first line may be a request of HTTP, and until the login any line may be its Host. The zero value is ready
// for use.
type Opening struct {
	seen bool // the first line with something on it has come
}

// Line takes a complete line, and returns it without what an editor has put before it, and whether it is a
// browser's.
func (o *Opening) Line(line []byte, loggedIn bool) (rest []byte, browser bool) {
	if o.seen && loggedIn {
		return line, false
	}
	return o.early(line, loggedIn)
}

func (o *Opening) early(line []byte, loggedIn bool) (rest []byte, browser bool) {
	if !o.seen {
		line = bytes.TrimPrefix(line, byteOrderMark)
	}
	browser = o.browser(line, line, loggedIn)
	o.seen = o.seen || len(line) > 0
	return line, browser
}

// LongLine takes how a line begins and ends that was skipped, and reports whether it is a browser's.
func (o *Opening) LongLine(head, tail []byte, loggedIn bool) bool {
	browser := o.browser(head, tail, loggedIn)
	o.seen = true
	return browser
}

// Begun reports whether a line that begins so, and has no end yet, is a browser's.
func (o *Opening) Begun(head []byte) bool { return o.browser(head, nil, false) }

func (o *Opening) browser(head, tail []byte, loggedIn bool) bool {
	if !o.seen {
		head = bytes.TrimPrefix(head, byteOrderMark)
	}
	return !o.seen && looksLikeHTTP(head, tail) || !loggedIn && looksLikeHost(head)
}
