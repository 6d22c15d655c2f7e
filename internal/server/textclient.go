package server

import (
	"bytes"
	"strconv"

	"ciderd/internal/protocol"
	"ciderd/internal/protocol/text"
	"ciderd/internal/session"
)

// textClient is a client of the line protocol. One goroutine serves it from banner to end, so it needs no locks. It
// runs one loop (run):
//
//   - While complete lines are buffered it does them. This part looks at no timer and, for a GET, allocates
//     nothing.
//   - When none is left (fill) it waits for the writes, sends all answers at once, returns its buffers
//     and blocks in a Read: an idle connection costs its stack and about 2 KiB.
type textClient struct {
	client
	reader  *text.Reader
	parser  text.Parser
	writer  text.Writer
	opening text.Opening
}

func newTextClient(server *Server, k *socket, p port) *textClient {
	c := &textClient{}
	c.client.init(server, k, p)
	c.reader = text.NewReader(c)
	c.in = c.reader
	crlf := server.config.Load().CRLF
	c.reader.SetCRLF(crlf)
	c.writer = text.NewWriter(&c.out, crlf)
	c.session = server.sessions.Open(c, &c.writer, server.Counting.ports[p.name()].commands)
	return c
}

// run serves the client until it ends.
func (c *textClient) run() {
	defer c.close()
	defer func() {
		if cause := recover(); cause != nil {
			c.logPanic(cause)
			c.writer.Error(protocol.Internal, "internal error in this session; the outcome of its last commands is unknown; see this node's log")
			c.out.Flush()
			c.linger()
		}
	}()
	c.server.log.Debug("connection opened", "client", c.socket.address)
	if !c.secure() {
		return
	}
	c.writer.Text(text.Banner)
	for !c.ends() {
		switch line, event := c.next(); event {
		case text.Line:
			c.line(line)
		case text.TooLong:
			c.tooLong(protocol.VerbNone)
		case text.None:
			c.fill()
		}
	}
	c.out.Flush()
	c.session.Close() // a connection that only lingers has no session
	c.linger()
}

func (c *textClient) prompts() text.Prompter { return text.NewPrompter(c.reader, &c.writer) }

// next is the reader's Next; it also answers timing marks and notes the end of a line.
func (c *textClient) next() ([]byte, text.Event) {
	line, event := c.reader.Next()
	for event == text.Mark {
		c.session.Wait()
		c.prompts().Mark()
		line, event = c.reader.Next()
	}
	if event != text.None {
		c.rate.ended()
	}
	return line, event
}

// line does one command line.
func (c *textClient) line(line []byte) {
	if c.Ended() {
		c.finish(protocol.SessionEnded, session.Ended)
		return
	}
	line, browser := c.opening.Line(line, c.session.User() != 0)
	if browser {
		c.hangUp()
		return
	}
	if err := c.parser.Parse(line, &c.req); err != nil {
		c.session.Reject(c.req.Verb, err)
		return
	}
	switch c.req.Verb {
	case protocol.VerbNone:
	case protocol.VerbGet:
		c.ahead.look(c.in, c.session)
		c.session.Do(&c.req)
	case protocol.VerbHelp:
		c.help()
	case protocol.VerbLogin, protocol.VerbSignup, protocol.VerbPasswd:
		if c.askPasswords() {
			c.comeOrGo()
		}
	case protocol.VerbLogout:
		c.comeOrGo()
	default:
		c.session.Do(&c.req)
	}
}

// comeOrGo does a command that may log in or out, and so change the limit on a line.
func (c *textClient) comeOrGo() {
	before := c.session.User()
	c.session.Do(&c.req)
	if c.session.User() != before {
		c.in.SetMaxLine(c.maxLine())
	}
}

// fill is called when no complete line is waiting: it completes the earlier commands, sends the answers, and blocks
// until there is more.
func (c *textClient) fill() {
	c.session.Work.Pause()
	defer c.session.Work.Begin()
	if c.session.Pending() {
		if c.more() {
			return
		}
		c.session.Wait() // replies that are ready do not wait for the writes
		if c.ends() {
			return
		}
	}
	if c.session.User() == 0 && c.opening.Begun(c.reader.Begun()) {
		c.hangUp()
		return
	}
	c.prompts().Telnet()
	c.out.Flush()
	c.rest()
	if cap(c.req.Words) > wordsKept {
		c.req.Words = nil
	}
	if c.await() {
		c.limits()
		c.charge()
	}
}

// limits applies the current configuration to what has just arrived: it may have changed during the wait.
func (c *textClient) limits() {
	c.parser.MaxValue = c.server.config.Load().MaxValue
	if !c.throttled {
		c.in.SetMaxLine(c.maxLine())
	}
}

// maxLine is the limit on a line: after login, enough for the largest value with each byte escaped.
func (c *textClient) maxLine() int {
	if c.session.User() == 0 {
		return protocol.MaxLoginLine
	}
	return 4*c.server.config.Load().MaxValue + 16<<10
}

// tooLong answers a line that was skipped. A browser's ends the session, whatever its length. verb is the command
// that asked for the line; VerbNone: none did.
func (c *textClient) tooLong(verb protocol.Verb) {
	head, tail := c.reader.Skipped()
	switch {
	case c.opening.LongLine(head, tail, c.session.User() != 0):
		c.hangUp()
	case c.Ended():
		c.finish(protocol.SessionEnded, session.Ended)
	case c.throttled:
		// It would have been short enough at another time.
		c.throttled = false
		c.in.SetMaxLine(c.maxLine())
		c.session.Refuse(protocol.Busy, "this node is receiving too much at once; nothing was done; try again later")
	default:
		message := "the line is longer than " + strconv.Itoa(c.maxLine()) + " bytes; it was skipped"
		if verb == protocol.VerbNone {
			c.session.Refuse(protocol.LineTooLong, message)
			return
		}
		c.session.Reject(verb, &protocol.Error{Code: protocol.LineTooLong, Message: message})
	}
}

// help answers HELP, which is about this protocol.
func (c *textClient) help() {
	c.session.Commands.Serve(uint16(protocol.VerbHelp), c.writeHelp)
}

func (c *textClient) writeHelp() {
	c.session.Wait()
	if c.ends() || c.out.Gone() {
		return
	}
	page, err := text.AppendHelp(nil, c.req.Value)
	if err != nil {
		c.writer.Error(err.Code, err.Message)
		return
	}
	for line := range bytes.Lines(page) {
		c.writer.Text(string(bytes.TrimSuffix(line, []byte("\n"))))
	}
}

// askPasswords asks for what LOGIN, SIGNUP and PASSWD were not given on their line. It asks both questions before
// it checks an answer, so that a script's second answer is not taken for a command. It reports whether the command
// is to be done.
func (c *textClient) askPasswords() bool {
	verb, loggedIn := c.req.Verb, c.session.User() != 0
	if c.req.Password != nil || loggedIn != (verb == protocol.VerbPasswd) {
		return true
	}
	c.session.Wait()
	if c.ends() {
		return false
	}
	first, second := "Enter username: ", "Enter password: "
	if loggedIn {
		first, second = "Enter old password: ", "Enter new password: "
	}
	answer, ok := c.ask(verb, first, loggedIn)
	if !ok {
		return false
	}
	one := append([]byte{}, answer...)
	two, ok := c.ask(verb, second, true)
	if !ok {
		return false
	}
	c.req = protocol.Request{Verb: verb, User: one, Password: two}
	if loggedIn {
		c.req = protocol.Request{Verb: verb, Password: one, NewPassword: two}
	}
	return true
}

// ask prints a prompt of verb's and returns the line that answers it, valid until the next one is read. Blanks at
// its ends are ignored, as on one line. Not ok: there is nothing more to ask, as the session is over, or the line
// exceeded the limit and that has been answered.
func (c *textClient) ask(verb protocol.Verb, prompt string, secret bool) (answer []byte, ok bool) {
	hide := secret && c.hides()
	c.prompts().Ask(prompt, hide)
	event := text.None
	for !c.ends() && event == text.None {
		if answer, event = c.next(); event == text.None {
			c.fill()
		}
	}
	if hide {
		c.prompts().Hidden()
	}
	switch {
	case event == text.None:
		return nil, false
	case event == text.TooLong:
		c.tooLong(verb)
		return nil, false
	case len(answer) == 1 && answer[0] == 0x04: // Ctrl-D
		c.session.Do(&protocol.Request{Verb: protocol.VerbQuit})
		return nil, false
	}
	return bytes.Trim(answer, " \t"), true
}

// hides reports whether a password must not be shown while it is typed.
func (c *textClient) hides() bool {
	switch c.server.config.Load().HidePassword {
	case HideAlways:
		return true
	case HideTelnet:
		return c.reader.IsTelnet()
	}
	return false
}
