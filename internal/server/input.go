package server

import (
	"errors"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"ciderd/internal/fsm"
	"ciderd/internal/protocol"
)

const (
	lineMemory  = 256 << 20       // bytes, of all sessions' long lines together
	readerIdle  = 1 << 10         // about what a Reader holds when it has no pooled buffer
	readerBurst = 33 << 10        // and with its first pooled buffer
	burstHold   = 2 * time.Second // an idle session keeps that buffer no longer
	wordsKept   = 64              // an idle session's slices of words are not kept above
)

// fill is called when no complete line is waiting: it answers all that has come before, sends the
// answers, and blocks until there is more.
func (s *session) fill() {
	if !s.writes.empty() {
		if s.more() {
			return
		}
		s.propose()
		s.flush() // what is answered already does not wait for the writes
		s.settle()
		if s.over {
			return
		}
	}
	if s.reader == nil && s.isHTTP(s.in.Begun(), nil) {
		return
	}
	if s.in.IsTelnet() {
		b := s.in.TakeReplies(s.buffer())
		s.out.b = b
	}
	s.flush()
	s.rest()
	s.await()
}

// rest lets go of all that an idle session does not need.
func (s *session) rest() {
	s.release()
	s.writes.release()
	s.publish()
	s.now = 0
	if cap(s.req.Words) > wordsKept {
		s.req.Words = nil
	}
	s.cmd = fsm.Command{}
	if s.in.Size() > readerBurst {
		s.in.Release()
		s.charge()
	}
}

// publish adds what the session has counted to its user's counts.
func (s *session) publish() {
	a, c := s.login.account, &s.counts
	if a == nil {
		return
	}
	if c.hits > 0 {
		a.counts.hits.Add(c.hits)
		c.hits = 0
	}
	if c.misses > 0 {
		a.counts.misses.Add(c.misses)
		c.misses = 0
	}
	if c.writes > 0 {
		a.counts.writes.Add(c.writes)
		c.writes = 0
	}
}

// await blocks until the client has sent something, or time or somebody ends the session.
func (s *session) await() {
	s.active = time.Now()
	s.keepPace(s.active)
	for now := s.active; ; now = time.Now() {
		s.arm(now)
		if why := s.ending.Load(); why != endNone {
			s.ended(why)
			return
		}
		err := s.in.Fill()
		switch {
		case err == nil:
			s.pace.paused()
			s.limits()
			s.charge()
			return
		case !errors.Is(err, os.ErrDeadlineExceeded):
			s.eof, s.over = true, true
			return
		case s.expired(time.Now()):
			return
		}
		s.in.Release()
	}
}

// ended ends the session for a reason that came from outside.
func (s *session) ended(why uint32) {
	if why == endUser {
		s.finish(protocol.SessionEnded, sessionEnded)
	} else {
		s.finish(protocol.ShuttingDown, shuttingDown)
	}
}

// expired ends the session if it has had its time.
func (s *session) expired(now time.Time) bool {
	switch limit := s.limit(); {
	case limit.IsZero() || now.Before(limit) || s.ending.Load() != endNone:
		return false
	case s.reader == nil && now.Before(s.loginBy):
		s.finish(protocol.LoginTimeout, "that line came too slowly; connect again")
	case s.reader != nil && s.pace.on && !now.Before(s.pace.by):
		s.finish(protocol.IdleTimeout, "that line came too slowly; connect again")
	case s.reader == nil:
		s.failLate()
	default:
		s.finish(protocol.IdleTimeout, "nothing was sent for "+inWords(s.srv.config.Load().IdleTimeout)+"; connect again")
	}
	return true
}

// failLate ends a session that did not log in in time.
func (s *session) failLate() {
	s.finish(protocol.LoginTimeout, "no login in "+inWords(s.srv.config.Load().LoginTimeout)+"; connect again")
}

// inWords is a duration without what is zero: 30m, not 30m0s.
func inWords(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// limit is when the session ends if nothing comes; zero: never. Before login it does not depend on
// what comes: a client that sends a byte now and then must not hold a connection for ever.
func (s *session) limit() time.Time {
	limit := s.loginBy
	if s.reader != nil {
		limit = time.Time{}
		if idle := s.srv.config.Load().IdleTimeout; idle > 0 {
			limit = s.active.Add(idle)
		}
	}
	if by := s.pace.by; s.pace.on && (limit.IsZero() || by.Before(limit)) {
		return by
	}
	return limit
}

// arm sees to it that a Read returns in time: at the session's limit, or earlier by an eighth of the
// wait, which spares setting the timer at almost every Read (await then looks again).
func (s *session) arm(now time.Time) {
	until := s.limit()
	if s.in.Size() > readerIdle && s.in.Buffered() == 0 {
		if hold := now.Add(burstHold); until.IsZero() || hold.Before(until) {
			until = hold
		}
	}
	early := until.Sub(s.readUntil)
	if until.Equal(s.readUntil) || !until.IsZero() && !s.readUntil.IsZero() && early >= 0 && early < until.Sub(now)/8 {
		return
	}
	s.readUntil = until
	s.wake.Lock()
	defer s.wake.Unlock()
	if s.ending.Load() == endNone {
		s.conn.SetReadDeadline(until)
	}
}

// owner is who has the session's share of memory.
func (s *session) owner() owner {
	o := owner{addr: s.origin}
	if s.login.account != nil {
		o.user = s.login.account.id
	}
	return o
}

// holder is whose replies the session holds: its user's, or before login its address's.
func (s *session) holder() owner {
	if o := s.owner(); o.user != 0 {
		return owner{user: o.user}
	}
	return owner{addr: s.origin}
}

// charge accounts for the reader's memory beyond what every session may have. When that is more than its
// owner's share, the line being read is dropped.
func (s *session) charge() {
	extra := max(0, int64(s.in.Size())-readerBurst)
	grown := extra - s.charged
	if grown == 0 {
		return
	}
	if s.charged == 0 {
		s.chargee = s.owner()
	}
	s.charged = extra
	if !s.srv.memory.take(s.chargee, grown) && grown > 0 {
		s.squeezed = true
		s.in.SetMaxLine(protocol.MaxLoginLine)
	}
}

// tooLong answers a line that was skipped. However long, a browser's ends the session.
func (s *session) tooLong() {
	if s.isHTTP(s.in.Skipped()) {
		return
	}
	s.seenLine = true
	if s.ending.Load() == endUser {
		s.finish(protocol.SessionEnded, sessionEnded)
		return
	}
	if s.wasSqueezed() {
		s.refuse(protocol.Busy, "too much is being sent to this node; nothing was done, try again later")
		return
	}
	s.refuse(protocol.LineTooLong, "a line has at most "+strconv.Itoa(s.maxLine())+" bytes here; this one was skipped")
}

// wasSqueezed says whether the line that was skipped would have been short enough at another time,
// and takes the limit back to normal.
func (s *session) wasSqueezed() bool {
	was := s.squeezed
	if was {
		s.squeezed = false
		s.in.SetMaxLine(s.maxLine())
	}
	return was
}

// limits makes what has just come subject to the configuration as it is now, which may have changed
// while the session waited.
func (s *session) limits() {
	s.parser.MaxValue = s.srv.config.Load().MaxValue
	if !s.squeezed {
		s.in.SetMaxLine(s.maxLine())
	}
}

// maxLine is the limit on a line: after login, enough for the largest value with each byte escaped.
func (s *session) maxLine() int {
	if s.reader == nil {
		return protocol.MaxLoginLine
	}
	return 4*s.srv.config.Load().MaxValue + 16<<10
}

// poll is a Read that does not block, with its result; try is made once, as a closure costs memory.
type poll struct {
	on     bool // Read is to poll
	likely bool // there is something to read
	p      []byte
	n      int
	err    error
	try    func(fd uintptr) bool
}

var errNothingYet = errors.New("nothing to read yet")

// more takes what the client has sent meanwhile, without waiting for it: a burst that is longer than
// the reader's buffer then fills its groups, instead of waiting for each bufferful to be done. It is
// not tried unless the last Read filled the buffer: else there is hardly anything.
func (s *session) more() bool {
	if s.raw == nil || !s.poll.likely || s.ending.Load() != endNone {
		return false
	}
	s.poll.on = true
	err := s.in.Fill()
	s.poll.on = false
	if err == nil {
		s.charge()
	}
	return err == nil
}

// Read is for the Reader.
func (s *session) Read(p []byte) (n int, err error) {
	if s.poll.on {
		n, err = s.pollRead(p)
	} else {
		n, err = s.conn.Read(p)
	}
	s.poll.likely = n == len(p)
	s.pace.came += n
	return n, err
}

func (s *session) pollRead(p []byte) (int, error) {
	if s.poll.try == nil {
		s.poll.try = s.poll.read
	}
	s.poll.p = p
	if err := s.raw.Read(s.poll.try); err != nil {
		return 0, err
	}
	switch n, err := s.poll.n, s.poll.err; {
	case err != nil:
		return 0, errNothingYet // if it is more than that, the next Read that blocks will say so
	case n == 0:
		return 0, io.EOF
	default:
		return n, nil
	}
}

func (p *poll) read(fd uintptr) bool {
	p.n, p.err = syscall.Read(int(fd), p.p)
	p.p = nil
	return true
}
