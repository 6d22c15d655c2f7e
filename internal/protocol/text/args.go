package text

import (
	"bytes"
	"strconv"

	"ciderd/internal/protocol"
)

// password takes the rest of the line: a quoted word if it begins with a quote, else the text itself. What a
// quoted one is when it is read bare is kept beside it: a password that was set before there was a quoted form may
// begin with a quote. SIGNUP, which sets one, knows the quoted form only.
func (p *Parser) password(c *cursor, req *protocol.Request) (err *protocol.Error) {
	if !c.quoted() {
		req.Password, err = p.rest(c)
		return err
	}
	text := c.tail()
	if p.cmd.Verb != protocol.VerbSignup {
		req.BarePassword = p.bare(text)
	}
	quoted, err := c.word()
	if err == nil && !c.done() {
		err = fail(protocol.Syntax, "nothing may follow the quoted password; usage: "+p.cmd.Usage)
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
	if len(text) > protocol.MaxPassword {
		return nil
	}
	return bytes.Clone(text)
}

// passwordWord takes a password that another argument follows: a word.
func (p *Parser) passwordWord(c *cursor, req *protocol.Request) (err *protocol.Error) {
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
	return nil
}

// options takes the options of SET, which stand behind a quoted value.
func (p *Parser) options(c *cursor, req *protocol.Request) *protocol.Error {
	for !c.done() {
		if err := p.option(c, req); err != nil {
			return err
		}
	}
	if req.NX && req.XX {
		return fail(protocol.Syntax, "NX and XX exclude each other")
	}
	return nil
}

// option parses one option of SET.
func (p *Parser) option(c *cursor, req *protocol.Request) *protocol.Error {
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
		return fail(protocol.Syntax, `only EX d and NX or XX may follow the quoted value, each once; usage: `+p.cmd.Usage)
	}
	return nil
}

// ttl takes a duration.
func (p *Parser) ttl(c *cursor, req *protocol.Request) *protocol.Error {
	word, err := p.need(c)
	if err != nil {
		return err
	}
	req.TTL, err = protocol.ParseDuration(word)
	return err
}

// version takes the version of CAS: a decimal number without a sign.
func (p *Parser) version(c *cursor) (uint64, *protocol.Error) {
	word, err := p.need(c)
	if err != nil {
		return 0, err
	}
	n, ok := digits(word)
	switch {
	case !ok:
		return 0, fail(protocol.NotANumber, "a version is a decimal number; GETV prints it")
	case n.over:
		return 0, fail(protocol.Overflow, "the version does not fit into 64 bits")
	}
	return n.value, nil
}

// delta takes the optional number of INCR or DECR, negated for DECR.
func (p *Parser) delta(c *cursor) (int64, *protocol.Error) {
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
	if p.cmd.Verb != protocol.VerbDecr {
		return n, nil
	}
	if n == -n && n != 0 {
		return 0, fail(protocol.Overflow, "the number cannot be negated in 64 bits")
	}
	return -n, nil
}

// integer reads a signed decimal number of 64 bits, as INCR prints one: the same that it takes for a value.
func integer(word []byte) (int64, *protocol.Error) {
	magnitude := bytes.TrimPrefix(word, []byte("-"))
	_, rest := cutDigits(magnitude)
	switch {
	case len(magnitude) == 0, len(rest) > 0, magnitude[0] == '0' && len(word) > 1:
		return 0, fail(protocol.NotANumber, "not a decimal integer as INCR prints it (no plus sign, no leading zeros, no -0)")
	}
	n, err := strconv.ParseInt(string(word), 10, 64)
	if err != nil {
		return 0, fail(protocol.Overflow, "the number does not fit into 64 bits")
	}
	return n, nil
}

// cutDigits splits b behind the decimal digits that it begins with.
func cutDigits(b []byte) (digits, rest []byte) {
	n := 0
	for n < len(b) && '0' <= b[n] && b[n] <= '9' {
		n++
	}
	return b[:n], b[n:]
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

// list takes keys, or pairs of a key and a value, up to the end of the line.
func (p *Parser) list(pairs bool, c *cursor, req *protocol.Request) *protocol.Error {
	words := p.words[:0]
	for !c.done() {
		word, err := c.word()
		switch {
		case err != nil:
		case len(words) == protocol.MaxWords:
			err = fail(protocol.Syntax, "a line has at most "+strconv.Itoa(protocol.MaxWords)+" words after the verb")
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

// pattern takes what KEYS is to find. A glob that reads LIMIT or AFTER must be quoted.
func (p *Parser) pattern(c *cursor, req *protocol.Request) (err *protocol.Error) {
	req.Limit = protocol.DefaultLimit
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
		case first && len(word) > protocol.MaxKey:
			err = fail(protocol.KeyTooLong, "a glob has at most "+strconv.Itoa(protocol.MaxKey)+" bytes")
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

func (p *Parser) limit(c *cursor) (int, *protocol.Error) {
	word, err := p.need(c)
	if err != nil {
		return 0, err
	}
	n, ok := digits(word)
	switch {
	case !ok:
		return 0, fail(protocol.NotANumber, "LIMIT is a decimal number, from 1 to "+strconv.Itoa(protocol.MaxLimit))
	case n.over:
		return 0, fail(protocol.Overflow, "LIMIT does not fit into 64 bits")
	case n.value < 1 || n.value > protocol.MaxLimit:
		return 0, fail(protocol.Syntax, "LIMIT is from 1 to "+strconv.Itoa(protocol.MaxLimit))
	}
	return int(n.value), nil
}

// confirmation takes the word ALL.
func (p *Parser) confirmation(c *cursor) *protocol.Error {
	word, err := c.word()
	if err == nil && !foldEqual(word, "ALL") {
		err = p.usage()
	}
	return err
}

// onceID takes the id of ONCE.
func (p *Parser) onceID(c *cursor, req *protocol.Request) *protocol.Error {
	id, err := p.need(c)
	switch {
	case err != nil:
		return err
	case len(id) == 0 || len(id) > protocol.MaxOnceID:
		return fail(protocol.Syntax, "the id of ONCE has 1 to "+strconv.Itoa(protocol.MaxOnceID)+" bytes")
	case c.done():
		return p.usage()
	}
	req.OnceID = id
	return nil
}

// wrapped parses the write that ONCE wraps.
func (p *Parser) wrapped(c *cursor, req *protocol.Request) *protocol.Error {
	ahead := *c
	if inner := find(ahead.bareWord()); inner != nil && inner.Access != protocol.Writes {
		return fail(protocol.Syntax, "ONCE takes a command that writes to the cache; "+inner.Name+" does not")
	}
	return p.command(c, req)
}
