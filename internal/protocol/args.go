package protocol

import (
	"bytes"
	"strconv"
)

// text parses PING, HELP and UNREGISTER: an optional value, an optional word, a password.
func (p *Parser) text(c *cursor, req *Request) (err *Error) {
	switch {
	case p.cmd.args == argRest:
		return p.password(c, req)
	case c.done():
	case p.cmd.args == argWord:
		req.Value, err = c.word()
	default:
		req.Value, err = p.value(c)
	}
	return err
}

// login parses a user name and a password.
func (p *Parser) login(c *cursor, req *Request) (err *Error) {
	if c.done() {
		return nil
	}
	if req.User, err = c.word(); err != nil {
		return err
	}
	return p.password(c, req)
}

// password takes the rest of the line: a quoted word if it begins with a quote, else the text itself. What a
// quoted one is when it is read bare is kept beside it: a password that was set before there was a quoted form may
// begin with a quote. SIGNUP, which sets one, knows the quoted form only.
func (p *Parser) password(c *cursor, req *Request) (err *Error) {
	if !c.quoted() {
		req.Password, err = p.rest(c)
		return err
	}
	text := c.tail()
	if p.cmd.Verb != VerbSignup {
		req.BarePassword = p.bare(text)
	}
	quoted, err := c.word()
	if err == nil && !c.done() {
		err = fail(Syntax, "nothing may follow the quoted password; usage: "+p.cmd.Usage)
	}
	c.rest = nil
	switch {
	case err == nil:
		req.Password = quoted
	case req.BarePassword != nil:
		req.Password, req.BarePassword = req.BarePassword, nil
	default:
		return err
	}
	return nil
}

// bare is a copy of a password as it stands in the line, which its quoted reading overwrites; nil if it is too
// long to be one.
func (p *Parser) bare(text []byte) []byte {
	if len(text) > MaxPassword {
		return nil
	}
	return bytes.Clone(text)
}

// passwd parses two passwords, which are words.
func (p *Parser) passwd(c *cursor, req *Request) (err *Error) {
	if c.done() {
		return nil
	}
	text, quoted, after := c.tail(), c.quoted(), *c
	bare := p.bare(after.bareWord()) // a word too
	switch req.Password, err = c.word(); {
	case err != nil && bare != nil:
		req.Password, *c, err = bare, after, nil
	case err != nil:
		return err
	case quoted && len(text)-len(c.rest) == len(bare):
		req.BarePassword = bare
	}
	req.NewPassword, err = p.need(c)
	return err
}

// set parses the value of SET and the options behind a quoted one.
func (p *Parser) set(c *cursor, req *Request) (err *Error) {
	if !c.quoted() {
		req.Value, err = p.rawValue(c)
		return err
	}
	if req.Value, err = c.word(); err != nil {
		return err
	}
	if err = p.checkValue(req.Value); err != nil {
		return err
	}
	for !c.done() {
		if err = p.option(c, req); err != nil {
			return err
		}
	}
	if req.NX && req.XX {
		return fail(Syntax, "NX and XX exclude each other")
	}
	return nil
}

// option parses one option of SET.
func (p *Parser) option(c *cursor, req *Request) *Error {
	word, err := c.word()
	switch {
	case err != nil:
		return err
	case foldEqual(word, "EX") && req.TTL == 0:
		return p.ttl(c, req)
	case foldEqual(word, "NX") && !req.NX:
		req.NX = true
	case foldEqual(word, "XX") && !req.XX:
		req.XX = true
	default:
		return fail(Syntax, `only EX d and NX or XX may follow the quoted value, each once; usage: `+p.cmd.Usage)
	}
	return nil
}

// ttl takes a duration.
func (p *Parser) ttl(c *cursor, req *Request) *Error {
	word, err := p.need(c)
	if err != nil {
		return err
	}
	req.TTL, err = parseDuration(word)
	return err
}

// version takes the version of CAS: a decimal number without a sign.
func (p *Parser) version(c *cursor) (uint64, *Error) {
	word, err := p.need(c)
	if err != nil {
		return 0, err
	}
	n, ok := digits(word)
	switch {
	case !ok:
		return 0, fail(NotANumber, "a version is a decimal number; GETV prints it")
	case n.over:
		return 0, fail(Overflow, "the version does not fit into 64 bits")
	}
	return n.value, nil
}

// delta takes the optional number of INCR or DECR, negated for DECR.
func (p *Parser) delta(c *cursor) (int64, *Error) {
	n := int64(1)
	if !c.done() {
		word, err := c.word()
		if err != nil {
			return 0, err
		}
		if n, err = integer(word); err != nil {
			return 0, err
		}
	}
	if p.cmd.Verb != VerbDecr {
		return n, nil
	}
	if n == -n && n != 0 {
		return 0, fail(Overflow, "the number cannot be negated in 64 bits")
	}
	return -n, nil
}

// integer reads a signed decimal number of 64 bits, as INCR prints one: the same that it takes for a value.
func integer(word []byte) (int64, *Error) {
	magnitude := bytes.TrimPrefix(word, []byte("-"))
	_, rest := cutDigits(magnitude)
	switch {
	case len(magnitude) == 0, len(rest) > 0, magnitude[0] == '0' && len(word) > 1:
		return 0, fail(NotANumber, "that is not a decimal integer as INCR prints it: no plus sign, no leading zero, no -0")
	}
	n, err := strconv.ParseInt(string(word), 10, 64)
	if err != nil {
		return 0, fail(Overflow, "the number does not fit into 64 bits")
	}
	return n, nil
}

// number is an unsigned number, or the news that it has more than 64 bits.
type number struct {
	value uint64
	over  bool
}

// digits reads a decimal number without a sign; false if word is none.
func digits(word []byte) (number, bool) {
	if _, rest := cutDigits(word); len(word) == 0 || len(rest) > 0 {
		return number{}, false
	}
	n, err := strconv.ParseUint(string(word), 10, 64)
	return number{n, err != nil}, true
}

// list parses the words of DELETE and MGET, and the pairs of MSET.
func (p *Parser) list(c *cursor, req *Request) *Error {
	pairs := p.cmd.args == argMSet
	words := p.words[:0]
	for !c.done() {
		word, err := c.word()
		switch {
		case err != nil:
		case len(words) == MaxWords:
			err = fail(Syntax, "a line has at most "+strconv.Itoa(MaxWords)+" words after the verb")
		case pairs && len(words)%2 == 1:
			err = p.checkValue(word)
		default:
			err = checkKey(word)
		}
		if err != nil {
			return err
		}
		words = append(words, word)
	}
	if cap(words) <= keptWords {
		p.words = words
	}
	if len(words) == 0 || pairs && len(words)%2 == 1 {
		return p.usage()
	}
	req.Words = words
	return nil
}

// The bounds of LIMIT.
const (
	defaultLimit = 1000
	maxLimit     = 1000000
)

// keys parses KEYS. A glob that reads LIMIT or AFTER must be quoted.
func (p *Parser) keys(c *cursor, req *Request) (err *Error) {
	req.Limit = defaultLimit
	var limited bool
	for first := true; !c.done(); first = false {
		quoted := c.quoted()
		word, err := c.word()
		switch {
		case err != nil:
			return err
		case (!first || !quoted) && foldEqual(word, "LIMIT") && !limited:
			limited = true
			req.Limit, err = p.limit(c)
		case (!first || !quoted) && foldEqual(word, "AFTER") && req.After == nil:
			req.After, err = p.key(c)
		case first && len(word) > MaxKey:
			err = fail(KeyTooLong, "a glob has at most "+strconv.Itoa(MaxKey)+" bytes")
		case first:
			req.Glob = word
		default:
			err = p.usage()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *Parser) limit(c *cursor) (int, *Error) {
	word, err := p.need(c)
	if err != nil {
		return 0, err
	}
	n, ok := digits(word)
	switch {
	case !ok:
		return 0, fail(NotANumber, "LIMIT is a decimal number, from 1 to "+strconv.Itoa(maxLimit))
	case n.over:
		return 0, fail(Overflow, "LIMIT does not fit into 64 bits")
	case n.value < 1 || n.value > maxLimit:
		return 0, fail(Syntax, "LIMIT is from 1 to "+strconv.Itoa(maxLimit))
	}
	return int(n.value), nil
}

// all parses the confirmation of FLUSH.
func (p *Parser) all(c *cursor) *Error {
	word, err := c.word()
	if err == nil && !foldEqual(word, "ALL") {
		err = p.usage()
	}
	return err
}

// once parses an id and the write that it wraps.
func (p *Parser) once(c *cursor, req *Request) *Error {
	id, err := p.need(c)
	switch {
	case err != nil:
		return err
	case len(id) == 0 || len(id) > MaxOnceID:
		return fail(Syntax, "the id of ONCE has 1 to "+strconv.Itoa(MaxOnceID)+" bytes")
	case c.done():
		return p.usage()
	}
	req.OnceID = id
	ahead := *c
	if inner := find(ahead.bareWord()); inner != nil && !inner.Write {
		return fail(Syntax, "ONCE wraps a write of the cache, and "+inner.Name+" is none")
	}
	return p.command(c, req)
}
