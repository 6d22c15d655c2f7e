package server

import (
	"bytes"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"ciderd/internal/fsm"
	"ciderd/internal/protocol"
)

// Why a session is to end, in its ending field. The first reason stays.
const (
	endNone     uint32 = iota
	endShutdown        // after the lines that it has read
	endUser            // before the next line: password changed or account gone
	endClosing         // it is closing already
)

const (
	lingerTime    = time.Second // for the last replies to reach the client
	loginAttempts = 5           // failed ones end the session
)

const (
	sessionEnded = "the password was changed or the account is gone; log in again"
	shuttingDown = "this node is shutting down; connect to another node, or again later"
)

// session is one client connection. All of it belongs to the goroutine that runs it, except conn's
// deadlines and ending (see end), and login, which is the registry's.
type session struct {
	srv     *Server
	conn    net.Conn
	raw     syscall.RawConn // of conn; nil if it has none
	poll    poll            // the non-blocking way to read raw
	origin  string          // what counts as one client; see origin
	refused bool

	in     *protocol.Reader
	parser protocol.Parser
	req    protocol.Request
	cmd    fsm.Command
	out    *output // nil while there is nothing to say
	writes writes
	// newline is what ends a line of output.
	newline string

	login    login
	reader   *fsm.Reader // of the user's cache; nil before login
	failures int         // of LOGIN and SIGNUP
	counts   struct{ hits, misses, writes uint64 }

	seenLine bool      // the first line with something on it has come
	over     bool      // nothing more is to be done but to close
	eof      bool      // the client has sent all it will, so there is nothing to wait for
	broken   error     // why output goes nowhere any more
	squeezed bool      // the line being read is dropped for want of memory
	charged  int64     // bytes of srv.memory that are taken
	chargee  owner     // whose they are
	now      int64     // the clock for reads; 0: look again
	nowUses  int       // reads that now was good for
	ahead    int       // GETs to come whose keys have been looked at
	loginBy  time.Time // when a session that is not logged in ends
	pace     pace      // of the line that is being read before login
	active   time.Time // when the session last had nothing to do
	// Deadlines that are set on conn; see arm and armWrite.
	readUntil, writeUntil time.Time
	lastWrites            bool // the last write deadline has been set

	sending sending // the way to write to raw
	waiting bool    // it is in srv.backlog
	pinned  pinned  // by the reply that is being sent

	wake   sync.Mutex // makes "look at ending, set a deadline" one step
	ending atomic.Uint32
	cut    atomic.Bool // it holds too much that its client does not take
}

func newSession(srv *Server, conn net.Conn) *session {
	s := &session{srv: srv, conn: conn, origin: origin(conn.RemoteAddr()), newline: "\n"}
	s.in = protocol.NewReader(s)
	if srv.config.Load().CRLF {
		s.newline = "\r\n"
		s.in.SetCRLF(true)
	}
	if c, ok := conn.(syscall.Conn); ok {
		s.raw, _ = c.SyscallConn() // without one, nothing is polled
	}
	if s.raw != nil {
		_ = s.raw.Control(func(fd uintptr) {
			urgentInline(fd)
			boundUnsent(fd)
		})
	}
	return s
}

// urgentInline keeps telnet's Synch, IAC DM, in one piece: one of the two is sent as urgent data, which
// the kernel would take out of the stream, and a DM without its IAC would begin the next line.
func urgentInline(fd uintptr) {
	_ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_OOBINLINE, 1)
}

// boundUnsent keeps the kernel from taking megabytes of replies from us that the client does not read.
func boundUnsent(fd uintptr) {
	_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, maxUnsent)
}

// maxUnsent is how many bytes of replies a connection keeps in the kernel that have not been sent yet; what is on
// its way, which the receiver's window allows for, comes beside it. More than a flush, so that the client is
// sent to while the next one is made.
const maxUnsent = 2 * outFlush

// run serves the session to its end.
func (s *session) run() {
	defer s.close()
	defer func() {
		if cause := recover(); cause != nil {
			s.recovered(cause)
		}
	}()
	s.srv.log.Debug("connection opened", "client", s.origin)
	s.banner()
	for !s.over {
		switch line, event := s.next(); event {
		case protocol.Line:
			s.line(line)
		case protocol.TooLong:
			s.tooLong()
		case protocol.None:
			s.fill()
		}
	}
	s.flush()
	s.leave()
	s.linger()
}

// leave ends what the session is to its user: a connection that is only lingering is no session.
func (s *session) leave() {
	s.publish()
	s.srv.users.leave(s)
	s.reader = nil
}

// line does one command line.
func (s *session) line(line []byte) {
	if s.ending.Load() == endUser {
		s.finish(protocol.SessionEnded, sessionEnded)
		return
	}
	if !s.seenLine {
		line = bytes.TrimPrefix(line, byteOrderMark)
	}
	if (!s.seenLine || s.reader == nil) && s.isHTTP(line, line) {
		return
	}
	s.seenLine = s.seenLine || len(line) > 0
	if err := s.parser.Parse(line, &s.req); err != nil {
		s.malformed(err)
		return
	}
	if s.req.Verb != protocol.VerbNone {
		s.dispatch(&commands[s.req.Verb])
	}
}

// byteOrderMark is what editors of some systems put before the first word of a text.
var byteOrderMark = []byte("\xef\xbb\xbf")

// isHTTP ends a session whose first line is a browser's, or which sends a Host: before it has logged in.
func (s *session) isHTTP(head, tail []byte) bool {
	if !s.seenLine {
		head = bytes.TrimPrefix(head, byteOrderMark)
	}
	is := !s.seenLine && protocol.LooksLikeHTTP(head, tail) || s.reader == nil && protocol.LooksLikeHost(head)
	if is {
		s.eof, s.over = true, true // no browser is waiting for our last words
	}
	return is
}

func (s *session) dispatch(c *command) {
	switch {
	case s.reader == nil && !c.anonymous:
		s.fail(protocol.AuthRequired, authRequired)
	case !c.always && !s.srv.node.Ready():
		s.refuse(protocol.Loading, loading)
	case c.encode != nil:
		s.cmd = fsm.Command{Op: c.op, User: s.login.account.id, Once: s.req.OnceID}
		c.encode(s)
		s.write(&s.cmd)
	case s.broken != nil && !c.acts:
		// Nobody will see the answer, and a few lines can ask for gigabytes.
	default:
		// Whatever is not a write comes after the writes before it.
		s.settle()
		if !s.over {
			c.run(s)
		}
	}
}

// malformed answers a line that is no command.
func (s *session) malformed(err *protocol.Error) {
	if s.reader == nil && !commands[s.req.Verb].anonymous {
		s.fail(protocol.AuthRequired, authRequired)
		return
	}
	login := s.req.Verb == protocol.VerbLogin || s.req.Verb == protocol.VerbSignup
	if login && s.reader != nil { // which arguments would be right is not what is wrong
		s.refuse(protocol.AlreadyLoggedIn, loggedIn)
		return
	}
	s.refuse(err.Code, err.Message)
	if login {
		s.countFailure()
	}
}

// refuse answers a command with an error, in its turn.
func (s *session) refuse(code protocol.Code, message string) {
	s.settle()
	if !s.over {
		s.fail(code, message)
	}
}

// finish ends the session with an error, after the answers to what came before.
func (s *session) finish(code protocol.Code, message string) {
	s.refuse(code, message)
	s.over = true
}

func (s *session) banner() {
	s.loginBy = time.Now().Add(s.srv.config.Load().LoginTimeout)
	s.reply("LOGIN or SIGNUP")
}

// end tells the session, from any goroutine, to end: at once if it is waiting for a line.
func (s *session) end(reason uint32) {
	s.wake.Lock()
	defer s.wake.Unlock()
	if s.ending.CompareAndSwap(endNone, reason) {
		s.conn.SetReadDeadline(time.Unix(1, 0))
		if reason == endUser { // however slowly the client takes the reply that it is getting
			s.conn.SetWriteDeadline(time.Now().Add(lingerTime))
		}
	}
}

// linger half-closes the connection and reads what is still coming: closing with input unread would
// make the kernel throw away replies that the client has not got yet.
func (s *session) linger() {
	s.wake.Lock()
	s.ending.Store(endClosing)
	s.conn.SetReadDeadline(time.Now().Add(lingerTime))
	s.wake.Unlock()
	half, ok := s.conn.(interface{ CloseWrite() error })
	if ok && !s.eof && s.broken == nil && half.CloseWrite() == nil {
		// Its error is the client's end or the deadline; either way we are done.
		_, _ = io.Copy(io.Discard, s.conn)
	}
	s.conn.Close()
}

// close gives back what the session holds, also after a panic.
func (s *session) close() {
	s.conn.Close()
	s.leave()
	s.srv.memory.give(s.chargee, s.charged)
	s.srv.backlog.goesOn(s)
	s.srv.log.Debug("connection closed", "client", s.origin)
}
