package protocol

import "strconv"

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
func (p *Parser) Parse(line []byte, req *Request) *Error {
	*req = Request{}
	if len(line) == 1 && line[0] == 0x04 { // Ctrl-D
		req.Verb = VerbQuit
		return nil
	}
	c := cursor{trimBlanks(line)}
	if c.done() {
		return nil
	}
	return p.command(&c, req)
}

// command parses a verb and its arguments.
func (p *Parser) command(c *cursor, req *Request) *Error {
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
	return nil
}

// arguments parses what follows the verb p.cmd; what it leaves is too much.
func (p *Parser) arguments(c *cursor, req *Request) *Error {
	switch p.cmd.args {
	case argNone:
		return nil
	case argText, argWord, argRest:
		return p.text(c, req)
	case argLogin:
		return p.login(c, req)
	case argPasswd:
		return p.passwd(c, req)
	case argKeys, argMSet:
		return p.list(c, req)
	case argList:
		return p.keys(c, req)
	case argAll:
		return p.all(c)
	case argOnce:
		return p.once(c, req)
	}
	return p.keyed(c, req)
}

// keyed parses the commands whose first argument is their only key.
func (p *Parser) keyed(c *cursor, req *Request) (err *Error) {
	if req.Key, err = p.key(c); err != nil {
		return err
	}
	switch p.cmd.args {
	case argSet:
		return p.set(c, req)
	case argKeyValue:
		req.Value, err = p.value(c)
	case argKeyTTL:
		err = p.ttl(c, req)
	case argKeyTTLValue:
		if err = p.ttl(c, req); err == nil {
			req.Value, err = p.value(c)
		}
	case argKeyVersionValue:
		if req.Version, err = p.version(c); err == nil {
			req.Value, err = p.value(c)
		}
	case argKeyNumber:
		req.N, err = p.delta(c)
	}
	switch p.cmd.Verb {
	case VerbSetEX:
		req.Verb = VerbSet
	case VerbSetNX:
		req.Verb, req.NX = VerbSet, true
	case VerbDecr:
		req.Verb = VerbIncr
	}
	return err
}

// usage is the error for too few or too many arguments.
func (p *Parser) usage() *Error {
	msg := "usage: " + p.cmd.Usage
	if p.cmd.args == argAll {
		msg += " (the word ALL is the confirmation)"
	}
	return fail(Args, msg)
}

// need takes a word that must be there.
func (p *Parser) need(c *cursor) ([]byte, *Error) {
	word, err := c.word()
	if err == nil && word == nil {
		err = p.usage()
	}
	return word, err
}

// key takes a key.
func (p *Parser) key(c *cursor) ([]byte, *Error) {
	word, err := p.need(c)
	if err != nil {
		return nil, err
	}
	return word, checkKey(word)
}

func checkKey(key []byte) *Error {
	switch {
	case len(key) == 0:
		return fail(Syntax, "a key has at least one byte")
	case len(key) > MaxKey:
		return fail(KeyTooLong, "a key has at most "+strconv.Itoa(MaxKey)+" bytes, this one "+strconv.Itoa(len(key)))
	}
	return nil
}

// value takes a value: a quoted word, or the rest of the line.
func (p *Parser) value(c *cursor) ([]byte, *Error) {
	if !c.quoted() {
		return p.rawValue(c)
	}
	word, err := c.word()
	switch {
	case err != nil:
		return nil, err
	case !c.done():
		return nil, fail(Syntax, "nothing may follow the quoted value; usage: "+p.cmd.Usage)
	}
	return word, p.checkValue(word)
}

// rawValue takes the rest of the line as a value. One that ends in what looks like an option is refused: a lock
// without its NX, or without an end, would be a silent mistake.
func (p *Parser) rawValue(c *cursor) ([]byte, *Error) {
	v, err := p.rest(c)
	switch {
	case err != nil:
		return nil, err
	case p.cmd.Write && endsInOption(v):
		return nil, fail(Syntax, `that would be stored as text: use SETEX k d v, or quote the value: SET k "v" EX d NX`)
	}
	return v, p.checkValue(v)
}

// rest takes the rest of the line, whose end is trimmed already; there must be one.
func (p *Parser) rest(c *cursor) ([]byte, *Error) {
	v := c.tail()
	c.rest = nil
	if len(v) == 0 {
		return nil, p.usage()
	}
	return v, nil
}

func (p *Parser) checkValue(v []byte) *Error {
	limit := p.MaxValue
	if limit <= 0 {
		limit = DefaultValue
	}
	if len(v) <= limit {
		return nil
	}
	return fail(ValueTooLarge, "a value has at most "+strconv.Itoa(limit)+" bytes, this one "+strconv.Itoa(len(v)))
}
