package text

import (
	"bytes"
	"unicode/utf8"
)

// The bytes of RFC 854 that the filter knows by name.
const (
	iacIP    = 0xf4 // interrupt process
	iacAYT   = 0xf6 // are you there
	iacEC    = 0xf7 // erase character
	iacEL    = 0xf8 // erase line
	iacSE    = 0xf0 // end of a subnegotiation
	iacSB    = 0xfa // begin of a subnegotiation
	iacWILL  = 0xfb
	iacWONT  = 0xfc
	iacDO    = 0xfd
	iacDONT  = 0xfe
	iac      = 0xff
	iacFirst = 0xec // the lowest command of RFC 854 and RFC 1184

	optEcho       = 0x01
	optTimingMark = 0x06

	ctrlC = 0x03

	maxSub = 512 // bytes of a subnegotiation that are skipped
	// maxMarks is how many timing marks wait for their answer at most: more than a client's, and what comes in one
	// Read has no room for more.
	maxMarks = 1 << 14
)

type filterState uint8

const (
	inData   filterState = iota
	inIAC                // after 0xFF
	inDo                 // the option of DO comes next
	inWill               // the option of WILL comes next
	inWont               // the option of WONT or DONT comes next
	inSub                // in a subnegotiation
	inSubIAC             // after 0xFF in a subnegotiation
)

// Filter takes telnet's IAC sequences out of a stream, chunk by chunk, wherever the chunks were
// cut. It collects the answers that the sequences ask for: never more than about 1.7 kB, as each
// option is answered once and the rest is counted. The zero value is ready for use.
type Filter struct {
	state   filterState
	telnet  bool
	echo    bool // WILL ECHO was offered: DO ECHO is an answer, not a question
	crlf    bool
	ayt     bool      // [yes] is waiting in replies
	marks   []int     // where in the buffer DO TIMING-MARK came: each is answered in its place, see Reader.Next
	marked  bool      // the byte was the end of one
	sub     uint16    // bytes of the subnegotiation so far
	wont    [4]uint64 // options whose DO was answered
	dont    [4]uint64 // options whose WILL was answered
	replies []byte
}

// Apply filters buf[from:] in place. buf[:from] has been filtered before and not been taken yet:
// the erasing commands reach back into it, to the start of its last line. Apply returns the length
// of what is left, the lowest length reached on the way (what is below it has not changed), and
// whether an erase reached the very start of buf, so that a line which began before it is gone.
func (f *Filter) Apply(buf []byte, from int) (n, low int, head bool) {
	chunk := buf[from:]
	if f.state == inData && bytes.IndexByte(chunk, iac) < 0 && bytes.IndexByte(chunk, ctrlC) < 0 {
		return len(buf), from, false
	}
	n, low = from, from
	for _, c := range chunk {
		switch keep, erase := f.step(c); {
		case keep:
			buf[n] = c
			n++
		case erase == eraseLine:
			start := lineStart(buf[:n])
			head = head || start == 0
			n = start
		case erase == eraseChar:
			n -= lastChar(buf[:n])
		}
		low = min(low, n)
		f.place(n)
	}
	return n, low, head
}

// place notes where a timing mark is, and moves back those that were behind what has been erased.
func (f *Filter) place(n int) {
	if f.marked && len(f.marks) < maxMarks {
		f.marks = append(f.marks, n)
	}
	f.marked = false
	for i := len(f.marks) - 1; i >= 0 && f.marks[i] > n; i-- {
		f.marks[i] = n
	}
}

// answerMark appends the answer to a timing mark to dst.
func answerMark(dst []byte) []byte { return append(dst, iac, iacWONT, optTimingMark) }

type erasure uint8

const (
	eraseNone erasure = iota
	eraseChar
	eraseLine
)

// step takes one byte of the stream and reports whether it is data, or what it erases.
func (f *Filter) step(c byte) (keep bool, erase erasure) {
	switch f.state {
	case inData:
		return f.data(c)
	case inIAC:
		return f.command(c)
	case inDo:
		f.answerDo(c)
	case inWill:
		f.answerOnce(&f.dont, iacDONT, c)
	case inWont: // a refusal needs no answer
	case inSub, inSubIAC:
		f.skip(c)
		return false, eraseNone
	}
	f.state = inData
	return false, eraseNone
}

func (f *Filter) data(c byte) (keep bool, erase erasure) {
	switch c {
	case iac:
		f.state = inIAC
		return false, eraseNone
	case ctrlC:
		return false, eraseLine
	}
	return true, eraseNone
}

// command takes the byte after an IAC. One that is no command is data: telnet sends the DM of a
// synch as urgent data, which a socket may take out of the stream, and the IAC that is left over
// must not eat the first letter of the next line.
func (f *Filter) command(c byte) (keep bool, erase erasure) {
	f.state = inData
	switch {
	case c == iac:
		return true, eraseNone
	case c < iacFirst:
		return f.data(c)
	}
	f.telnet = true
	switch c {
	case iacIP, iacEL:
		return false, eraseLine
	case iacEC:
		return false, eraseChar
	case iacAYT:
		f.answerAYT()
	case iacDO:
		f.state = inDo
	case iacWILL:
		f.state = inWill
	case iacWONT, iacDONT:
		f.state = inWont
	case iacSB:
		f.state, f.sub = inSub, 0
	}
	return false, eraseNone
}

// skip takes a byte of a subnegotiation, which ends with IAC SE or after maxSub bytes.
func (f *Filter) skip(c byte) {
	f.sub++
	ended := f.state == inSubIAC && c == iacSE
	half := f.state == inSub && c == iac
	switch {
	case ended:
		f.state = inData
	case f.sub < maxSub && half:
		f.state = inSubIAC
	case f.sub < maxSub:
		f.state = inSub
	case half: // its SE may still come, and is then a command of its own
		f.state = inIAC
	default:
		f.state = inData
	}
}

// answerDo refuses an option. A timing mark is refused every time, and in its place: telnet throws its output away
// until the answer comes, at each Ctrl-C anew, and with it the replies that come before.
func (f *Filter) answerDo(opt byte) {
	switch {
	case opt == optTimingMark:
		f.marked = true
	case opt == optEcho && f.echo:
	default:
		f.answerOnce(&f.wont, iacWONT, opt)
	}
}

func (f *Filter) answerOnce(done *[4]uint64, answer, opt byte) {
	word, bit := &done[opt>>6], uint64(1)<<(opt&63)
	if *word&bit == 0 {
		*word |= bit
		f.replies = append(f.replies, iac, answer, opt)
	}
}

func (f *Filter) answerAYT() {
	if f.ayt {
		return
	}
	f.ayt = true
	f.replies = append(f.replies, "[yes]"...)
	if f.crlf {
		f.replies = append(f.replies, '\r')
	}
	f.replies = append(f.replies, '\n')
}

// takeReplies appends the answers that are waiting to dst and forgets them.
func (f *Filter) takeReplies(dst []byte) []byte {
	if len(f.replies) == 0 {
		return dst
	}
	dst = append(dst, f.replies...)
	f.replies, f.ayt = nil, false
	return dst
}

// lineStart returns where the last line of buf begins, going back only over that line.
func lineStart(buf []byte) int {
	i := len(buf)
	for i > 0 && !endsLine(buf[:i]) {
		i--
	}
	return i
}

// endsLine reports whether buf is at the start of a line because the bytes before it end one.
func endsLine(buf []byte) bool {
	n := len(buf)
	return n > 0 && buf[n-1] == '\n' || n > 1 && buf[n-1] == 0 && buf[n-2] == '\r'
}

// lastChar returns the size of the last character of the last line of buf, 0 if that is empty.
func lastChar(buf []byte) int {
	if len(buf) == 0 || endsLine(buf) {
		return 0
	}
	_, size := utf8.DecodeLastRune(buf)
	return size
}
