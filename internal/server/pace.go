package server

import (
	"time"

	"ciderd/internal/protocol"
)

// pace bounds how slowly a line may come before login: who sends a byte now and then would else hold a
// buffer, and a connection, for the whole time that there is for a login.
//
// A line that has begun has a third of that time (20 s) to be complete. Each byte of it adds a second,
// up to the 20 s again. So whoever types a character a second may go on, and may pause for up to 20 s
// in the middle of a password; a program that trickles a byte every four seconds is at its end after
// half a minute. A line that is sent as a whole, as nc and telnet do, never meets this; a session in
// which no line has begun has its 60 s.
type pace struct {
	by   time.Time // when the line must be complete; zero: none has begun
	came int       // bytes since by was set
}

const (
	paceShare = 3           // the most that a line has is LoginTimeout by this
	pacePer   = time.Second // what one byte adds
)

// next is the Reader's Next, and notes the end of a line.
func (s *session) next() ([]byte, protocol.Event) {
	line, event := s.in.Next()
	if event != protocol.None && !s.pace.by.IsZero() {
		s.pace = pace{}
	}
	return line, event
}

// keepPace notes what has come of a line, as the session is about to wait for the rest.
func (s *session) keepPace(now time.Time) {
	if s.reader != nil || !s.in.Partial() {
		s.pace = pace{}
		return
	}
	most := now.Add(s.srv.config.Load().LoginTimeout / paceShare)
	if p := &s.pace; p.by.IsZero() || p.came >= int(most.Sub(p.by)/pacePer) {
		p.by = most
	} else {
		p.by = p.by.Add(time.Duration(p.came) * pacePer)
	}
	s.pace.came = 0
}
