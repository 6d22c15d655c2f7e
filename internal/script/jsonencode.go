package script

import (
	"math"
	"strconv"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

func jsonLibrary() map[string]lua.LGFunction {
	return map[string]lua.LGFunction{"encode": jsonEncode, "decode": jsonDecode}
}

const (
	maxJSONDepth = 1000
	// A table is no list if it has more than so many places for each element, from so many places on.
	sparseRatio = 2
	sparseFrom  = 10
)

// encoder writes JSON as lua-cjson does: it escapes the slash, numbers have 14 digits, an empty table is an object.
type encoder struct {
	l *lua.LState
	b strings.Builder
}

func jsonEncode(l *lua.LState) int {
	if l.GetTop() != 1 {
		l.ArgError(1, "expected 1 argument")
	}
	e := &encoder{l: l}
	e.value(l.Get(1), 0)
	return pushAll(l, lua.LString(e.b.String()))
}

func (e *encoder) write(s string) {
	of(e.l).charge(e.l, 2*len(s)) // it doubles as it grows
	e.b.WriteString(s)
}

func (e *encoder) value(v lua.LValue, depth int) {
	of(e.l).work(e.l, 1)
	switch v := v.(type) {
	case lua.LString:
		e.text(string(v))
	case lua.LNumber:
		if math.IsInf(float64(v), 0) || math.IsNaN(float64(v)) {
			e.l.RaiseError("Cannot serialise number: must not be NaN or Inf")
		}
		e.write(formatNumber(v))
	case lua.LBool:
		e.write(strconv.FormatBool(bool(v)))
	case *lua.LTable:
		e.table(v, depth+1)
	default:
		if v != lua.LNil && v != lua.LValue(world.null) {
			e.l.RaiseError("Cannot serialise %s: type not supported", v.Type().String())
		}
		e.write("null")
	}
}

func (e *encoder) table(t *lua.LTable, depth int) {
	if depth > maxJSONDepth {
		e.l.RaiseError("Cannot serialise, excessive depth (%d)", depth)
	}
	if n := e.length(t); n > 0 {
		for i := 1; i <= n; i++ {
			e.write(map[bool]string{true: "[", false: ","}[i == 1])
			e.value(t.RawGetInt(i), depth)
		}
		e.write("]")
		return
	}
	e.write("{")
	first := true
	for key, v := t.Next(lua.LNil); key != lua.LNil; key, v = t.Next(key) {
		if !first {
			e.write(",")
		}
		first = false
		switch k := key.(type) {
		case lua.LString:
			e.text(string(k))
		case lua.LNumber:
			e.write(`"` + formatNumber(k) + `"`)
		default:
			e.l.RaiseError("Cannot serialise %s: table key must be a number or string", key.Type().String())
		}
		e.write(":")
		e.value(v, depth)
	}
	e.write("}")
}

// length returns how many elements a list has; 0: the table is none.
func (e *encoder) length(t *lua.LTable) int {
	last, items := 0, 0
	for key, _ := t.Next(lua.LNil); key != lua.LNil; key, _ = t.Next(key) {
		of(e.l).work(e.l, 1)
		n, ok := key.(lua.LNumber)
		if !ok || float64(n) != math.Floor(float64(n)) || n < 1 || n > math.MaxInt32 {
			return 0
		}
		last, items = max(last, int(n)), items+1
	}
	if last > items*sparseRatio && last > sparseFrom {
		e.l.RaiseError("Cannot serialise table: excessively sparse array")
	}
	return last
}

const hexDigits = "0123456789abcdef"

func (e *encoder) text(s string) {
	of(e.l).charge(e.l, 2*len(s))
	e.b.WriteByte('"')
	for i := range len(s) {
		c := s[i]
		short := strings.IndexByte("\b\t\n\f\r\"\\/", c)
		switch {
		case short >= 0:
			e.write("\\" + `btnfr"\/`[short:short+1])
		case c < ' ' || c == 127:
			e.write("\\u00" + hexDigits[c>>4:c>>4+1] + hexDigits[c&15:c&15+1])
		default:
			e.b.WriteByte(c)
		}
	}
	e.write(`"`)
}
