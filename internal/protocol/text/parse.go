package text

import (
	"strconv"

	"ciderd/internal/protocol"
)

// Parser turns lines into requests. The zero value is ready for use; a Parser is for one
// goroutine.
type Parser struct {
	// MaxValue is the largest value of a write, in bytes; 0 stands for DefaultValue.
	MaxValue int

	cmd   *Command // what is being parsed: its usage goes into errors
	words [][]byte // scratch for Request.Words
}

// keptWords is how many words the scratch of an idle Parser may hold: 24 bytes each.
const keptWords = 64

// Parse parses one line without its end into req, and overwrites all of req. An empty line gives
// VerbNone. On an error too req.Verb is the verb of the line, VerbNone if there is no such
// command, so that a session can answer AUTH_REQUIRED first; the rest of req is then meaningless.
//
// The slices of req point into line and into the Parser, and quoted words are decoded in place:
// req is valid until line is overwritten and until the next call of Parse.
func (p *Parser) Parse(line []byte, req *protocol.Request) *protocol.Error {
	*req = protocol.Request{}
	if len(line) == 1 && line[0] == 0x04 { // Ctrl-D
		req.Verb = protocol.VerbQuit
		return nil
	}
	c := cursor{trimBlanks(line)}
	if c.done() {
		return nil
	}
	return p.command(&c, req)
}

// command parses a verb and its arguments.
func (p *Parser) command(c *cursor, req *protocol.Request) *protocol.Error {
	name := c.bareWord()
	cmd := find(name)
	if cmd == nil {
		return unknown(name)
	}
	p.cmd, req.Verb = cmd, cmd.Verb
	if err := p.arguments(c, req); err != nil {
		return err
	}
	if !c.done() {
		return p.usage()
	}
	if cmd.As != protocol.VerbNone {
		req.Verb = cmd.As
		req.NX = req.NX || cmd.Verb == protocol.VerbSetNX
	}
	return nil
}

// arguments parses what follows the verb of p.cmd, as the table has it; what it leaves is too much.
func (p *Parser) arguments(c *cursor, req *protocol.Request) *protocol.Error {
	args := p.cmd.Args
	if len(args) > 0 && args[0].Optional && c.done() {
		return nil
	}
	for i := range args {
		a := &args[i]
		var err *protocol.Error
		if a.Kind == protocol.ArgKey && !a.Many { // what a busy connection has most
			req.Key, err = p.key(c)
		} else {
			err = p.argument(a, i == len(args)-1, c, req)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// argument parses one argument.
func (p *Parser) argument(a *protocol.Arg, last bool, c *cursor, req *protocol.Request) (err *protocol.Error) {
	switch a.Kind {
	case protocol.ArgKey:
		return p.list(!last, c, req)
	case protocol.ArgValue:
		if !a.Many { // else it has come with the keys
			req.Value, err = p.value(last, c)
		}
	case protocol.ArgText:
		req.Value, err = p.value(last, c)
	case protocol.ArgTTL:
		err = p.ttl(c, req)
	case protocol.ArgVersion:
		req.Version, err = p.version(c)
	case protocol.ArgDelta:
		req.N, err = p.delta(c)
	case protocol.ArgSetOptions:
		err = p.options(c, req)
	default:
		err = p.rareArgument(a, last, c, req)
	}
	return err
}

// rareArgument parses one argument of the kinds that a busy connection seldom has.
func (p *Parser) rareArgument(a *protocol.Arg, last bool, c *cursor, req *protocol.Request) (err *protocol.Error) {
	switch a.Kind {
	case protocol.ArgUser:
		req.User, err = c.word()
	case protocol.ArgPassword:
		if last {
			return p.password(c, req)
		}
		err = p.passwordWord(c, req)
	case protocol.ArgNewPassword:
		req.NewPassword, err = p.need(c)
	case protocol.ArgPattern:
		err = p.pattern(c, req)
	case protocol.ArgConfirmation:
		err = p.confirmation(c)
	case protocol.ArgTopic:
		req.Value, err = c.word()
	case protocol.ArgOnceID:
		err = p.onceID(c, req)
	case protocol.ArgCommand:
		err = p.wrapped(c, req)
	}
	return err
}

// usage is the error for too few or too many arguments.
func (p *Parser) usage() *protocol.Error {
	msg := "usage: " + p.cmd.Usage
	if p.cmd.Verb == protocol.VerbFlush {
		msg += " (the word ALL is the confirmation)"
	}
	return fail(protocol.Args, msg)
}

// need takes a word that must be there.
func (p *Parser) need(c *cursor) ([]byte, *protocol.Error) {
	word, err := c.word()
	if err == nil && word == nil {
		err = p.usage()
	}
	return word, err
}

// key takes a key.
func (p *Parser) key(c *cursor) ([]byte, *protocol.Error) {
	word, err := p.need(c)
	if err != nil {
		return nil, err
	}
	return word, checkKey(word)
}

func checkKey(key []byte) *protocol.Error {
	switch {
	case len(key) == 0:
		return fail(protocol.Syntax, "a key has at least one byte")
	case len(key) > protocol.MaxKey:
		return fail(protocol.KeyTooLong, "a key has at most "+strconv.Itoa(protocol.MaxKey)+" bytes; this one has "+strconv.Itoa(len(key)))
	}
	return nil
}

// value takes a value: a quoted word, which only what is not the last argument may follow, or the rest of the line.
func (p *Parser) value(last bool, c *cursor) ([]byte, *protocol.Error) {
	if !c.quoted() {
		return p.rawValue(c)
	}
	word, err := c.word()
	switch {
	case err != nil:
		return nil, err
	case last && !c.done():
		return nil, fail(protocol.Syntax, "nothing may follow the quoted value; usage: "+p.cmd.Usage)
	}
	return word, p.checkValue(word)
}

// rawValue takes the rest of the line as a value. One that ends in what looks like an option is refused: a lock
// without its NX, or without an end, would be a silent mistake.
func (p *Parser) rawValue(c *cursor) ([]byte, *protocol.Error) {
	v, err := p.rest(c)
	switch {
	case err != nil:
		return nil, err
	case p.cmd.Access == protocol.Writes && endsInOption(v):
		return nil, fail(protocol.Syntax, `the end of the value looks like an option and would be stored as text; use SETEX k d v, or quote the value: SET k "v" EX d NX`)
	}
	return v, p.checkValue(v)
}

// rest takes the rest of the line, whose end is trimmed already; there must be one.
func (p *Parser) rest(c *cursor) ([]byte, *protocol.Error) {
	v := c.tail()
	c.rest = nil
	if len(v) == 0 {
		return nil, p.usage()
	}
	return v, nil
}

func (p *Parser) checkValue(v []byte) *protocol.Error {
	limit := p.MaxValue
	if limit <= 0 {
		limit = protocol.DefaultValue
	}
	if len(v) <= limit {
		return nil
	}
	return fail(protocol.ValueTooLarge, "a value has at most "+strconv.Itoa(limit)+" bytes; this one has "+strconv.Itoa(len(v)))
}
