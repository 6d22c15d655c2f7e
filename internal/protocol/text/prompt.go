package text

// Prompter asks a client for a line, and answers what telnet asks by itself. It is for one goroutine.
type Prompter struct {
	in      *Reader
	out     Sink
	newline string
}

// NewPrompter returns a Prompter to the client that in reads from and w writes to.
func NewPrompter(in *Reader, w *Writer) Prompter {
	return Prompter{in: in, out: w.out, newline: w.newline}
}

// Ask writes a prompt. With hide a telnet client is asked not to show what is typed.
func (p Prompter) Ask(prompt string, hide bool) {
	b := p.out.Buffer()
	if hide {
		b = p.in.offerEcho(b)
	}
	p.out.Keep(append(b, prompt...))
}

// Hidden ends what Ask with hide has begun: the client's own newline was not shown.
func (p Prompter) Hidden() { p.out.Emit(append(p.in.endEcho(p.out.Buffer()), p.newline...)) }

// Mark answers a telnet client that asks for a sign in its place, see Mark.
func (p Prompter) Mark() { p.out.Keep(answerMark(p.out.Buffer())) }

// Telnet answers what else a telnet client has asked for.
func (p Prompter) Telnet() {
	if p.in.IsTelnet() {
		p.out.Keep(p.in.takeReplies(p.out.Buffer()))
	}
}
