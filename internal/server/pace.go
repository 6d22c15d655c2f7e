package server

import (
	"time"

	"ciderd/internal/protocol"
)

// pace bounds how slowly a line may come: who sends a byte now and then would else hold a buffer for as long as
// he likes.
//
// Before login a line that has begun has a third of the time that there is for a login (20 s) to be complete.
// Each byte of it adds a second, up to the 20 s again. So whoever types a character a second may go on, and may
// pause for up to 20 s in the middle of a password; a program that trickles a byte every four seconds is at its
// end after half a minute. After login only a long line has a pace, one that takes more memory than every
// session may have: it has half a minute, and each 8 KiB of it add a second, up to the half minute again. A line
// that is sent as a whole, as nc and telnet do, never meets this; nor does a session in which no line has begun.
//
// Only the time in which the session waits for the client counts.
type pace struct {
	on   bool          // a line has begun that has one
	left time.Duration // that the client has for the next bytes of it
	came int           // bytes since left was counted
	by   time.Time     // when it is over, while the session waits
}

// The paces.
const (
	paceShare = 3 // the most that a line has before login is LoginTimeout by this, and a second for a byte
	longPace  = 30 * time.Second
	longRate  = 8 << 10 // bytes for a second
)

// next is the Reader's Next, answers timing marks, and notes the end of a line.
func (s *session) next() ([]byte, protocol.Event) {
	line, event := s.in.Next()
	for event == protocol.Mark {
		s.settle()
		b := protocol.AnswerMark(s.buffer())
		s.out.b = b
		line, event = s.in.Next()
	}
	if event != protocol.None && s.pace.on {
		s.pace = pace{}
	}
	return line, event
}

// keepPace notes what has come of a line, as the session is about to wait for the rest.
func (s *session) keepPace(now time.Time) {
	most, rate := longPace, longRate
	if s.reader == nil {
		most, rate = s.srv.config.Load().LoginTimeout/paceShare, 1
	}
	p := &s.pace
	switch {
	case !s.in.Partial(), s.reader != nil && s.in.Size() <= readerBurst:
		*p = pace{}
		return
	case !p.on:
		p.on, p.left = true, most
	default:
		p.left = min(most, p.left+time.Duration(p.came)*time.Second/time.Duration(rate))
	}
	p.came, p.by = 0, now.Add(p.left)
}

// paused notes that the client's time stands still, as something has come.
func (p *pace) paused() {
	if p.on {
		p.left = max(0, time.Until(p.by))
		p.by = time.Time{}
	}
}
