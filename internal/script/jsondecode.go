package script

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	lua "github.com/yuin/gopher-lua"
)

// decoder reads JSON as lua-cjson does: any value at the top, bytes in strings as they are.
type decoder struct {
	l    *lua.LState
	text string
	at   int
}

func jsonDecode(l *lua.LState) int {
	if l.GetTop() != 1 {
		l.ArgError(1, "expected 1 argument")
	}
	d := &decoder{l: l, text: checkText(l, 1)}
	v := d.value(0)
	if d.blanks(); d.at < len(d.text) {
		d.unexpected("the end")
	}
	return pushAll(l, v)
}

func (d *decoder) blanks() {
	d.at = len(d.text) - len(strings.TrimLeft(d.text[d.at:], " \t\r\n"))
}

func (d *decoder) next() byte {
	if d.blanks(); d.at < len(d.text) {
		return d.text[d.at]
	}
	return 0
}

// tokens are the names of what may be found, by the first byte.
var tokens = map[byte]string{
	'{': "T_OBJ_BEGIN", '}': "T_OBJ_END", '[': "T_ARR_BEGIN", ']': "T_ARR_END", ',': "T_COMMA", ':': "T_COLON", '"': "T_STRING",
}

func (d *decoder) unexpected(wanted string) {
	found := "invalid token"
	c := d.next()
	switch {
	case d.at >= len(d.text):
		found = "T_END"
	case tokens[c] != "":
		found = tokens[c]
	case isDigit(c) || c == '-':
		found = "T_NUMBER"
	}
	d.l.RaiseError("Expected %s but found %s at character %d", wanted, found, d.at+1)
}

func (d *decoder) value(depth int) lua.LValue {
	of(d.l).charge(d.l, slotBytes)
	if depth > maxJSONDepth {
		d.l.RaiseError("Found too many nested data structures (%d)", depth)
	}
	switch c := d.next(); {
	case c == '{':
		return d.object(depth)
	case c == '[':
		return d.array(depth)
	case c == '"':
		return lua.LString(d.string())
	case isDigit(c) || c == '-':
		return d.number()
	}
	for word, v := range map[string]lua.LValue{"true": lua.LTrue, "false": lua.LFalse, "null": world.null} {
		if strings.HasPrefix(d.text[d.at:], word) {
			d.at += len(word)
			return v
		}
	}
	d.unexpected("value")
	return lua.LNil
}

func (d *decoder) object(depth int) lua.LValue {
	of(d.l).charge(d.l, tableBytes)
	t := d.l.NewTable()
	d.at++
	if d.next() == '}' {
		d.at++
		return t
	}
	for {
		if d.next() != '"' {
			d.unexpected("object key string")
		}
		key := d.string()
		if d.next() != ':' {
			d.unexpected("colon")
		}
		d.at++
		of(d.l).charge(d.l, entryBytes)
		t.RawSetString(key, d.value(depth+1))
		switch d.next() {
		case '}':
			d.at++
			return t
		case ',':
			d.at++
		default:
			d.unexpected("comma or object end")
		}
	}
}

func (d *decoder) array(depth int) lua.LValue {
	of(d.l).charge(d.l, tableBytes)
	t := d.l.NewTable()
	d.at++
	if d.next() == ']' {
		d.at++
		return t
	}
	for i := 1; ; i++ {
		of(d.l).charge(d.l, 2*slotBytes)
		t.RawSetInt(i, d.value(depth+1))
		switch d.next() {
		case ']':
			d.at++
			return t
		case ',':
			d.at++
		default:
			d.unexpected("comma or array end")
		}
	}
}

func (d *decoder) number() lua.LValue {
	end := d.at
	for end < len(d.text) && strings.IndexByte("0123456789+-.eE", d.text[end]) >= 0 {
		end++
	}
	f, err := strconv.ParseFloat(d.text[d.at:end], 64)
	if err != nil && !strings.HasSuffix(err.Error(), strconv.ErrRange.Error()) {
		d.l.RaiseError("Expected value but found invalid number at character %d", d.at+1)
	}
	d.at = end
	return lua.LNumber(f)
}

// string reads a string, of which the quote is next.
func (d *decoder) string() string {
	d.at++
	rest := d.text[d.at:]
	if plain := strings.IndexAny(rest, "\"\\"); plain >= 0 && rest[plain] == '"' {
		d.at += plain + 1
		of(d.l).charge(d.l, plain)
		return strings.Clone(rest[:plain])
	}
	var b strings.Builder
	for d.at < len(d.text) {
		of(d.l).charge(d.l, 2)
		c := d.text[d.at]
		d.at++
		switch c {
		case '"':
			return b.String()
		case '\\':
			d.escape(&b)
		default:
			b.WriteByte(c)
		}
	}
	d.l.RaiseError("Expected value but found unexpected end of string at character %d", d.at+1)
	return ""
}

func (d *decoder) escape(b *strings.Builder) {
	c := byte(0)
	if d.at < len(d.text) {
		c = d.text[d.at]
		d.at++
	}
	if short := strings.IndexByte(`btnfr"\/`, c); short >= 0 {
		b.WriteByte("\b\t\n\f\r\"\\/"[short])
		return
	}
	if c != 'u' {
		d.l.RaiseError("Expected value but found invalid escape code at character %d", d.at-1)
	}
	first := d.unit()
	if utf16.IsSurrogate(first) {
		if !strings.HasPrefix(d.text[d.at:], "\\u") {
			first = utf8.RuneError
		} else {
			d.at += 2
			first = utf16.DecodeRune(first, d.unit())
		}
	}
	b.WriteRune(first)
}

// unit reads four hexadecimal digits.
func (d *decoder) unit() rune {
	end := min(d.at+4, len(d.text))
	n, err := strconv.ParseUint(d.text[d.at:end], 16, 16)
	if err != nil || end-d.at < 4 {
		d.l.RaiseError("Expected value but found invalid unicode escape code at character %d", d.at-1)
	}
	d.at = end
	return rune(n)
}
