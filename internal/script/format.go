package script

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// stringFormat is string.format. The library's hands its format to Go, where a width may be a million.
func stringFormat(l *lua.LState) int {
	format := checkText(l, 1)
	var b strings.Builder
	arg := 1
	for i := 0; i < len(format); i++ {
		if format[i] != '%' {
			b.WriteByte(format[i])
			continue
		}
		if i+1 < len(format) && format[i+1] == '%' {
			b.WriteByte('%')
			i++
			continue
		}
		spec, verb := specOf(l, format[i+1:])
		i += len(spec) + 1
		arg++
		part := formatted(l, spec, verb, arg)
		of(l).charge(l, 3*len(part))
		b.WriteString(part)
	}
	of(l).charge(l, 2*len(format))
	return pushAll(l, lua.LString(b.String()))
}

// specOf returns what stands between a % and its verb, and the verb.
func specOf(l *lua.LState, rest string) (spec string, verb byte) {
	flags := len(rest) - len(strings.TrimLeft(rest, "-+ #0"))
	if flags > 5 {
		l.RaiseError("invalid format (repeated flags)")
	}
	i := flags
	digits := func() {
		for n := 0; n < 2 && i < len(rest) && isDigit(rest[i]); n++ {
			i++
		}
	}
	digits()
	if i < len(rest) && rest[i] == '.' {
		i++
		digits()
	}
	if i < len(rest) && isDigit(rest[i]) {
		l.RaiseError("invalid format (width or precision too long)")
	}
	if i == len(rest) {
		l.RaiseError("invalid option '%%%s' to 'format'", rest)
	}
	return rest[:i], rest[i]
}

// formatted formats an argument.
func formatted(l *lua.LState, spec string, verb byte, arg int) string {
	switch verb {
	case 'c':
		return fmt.Sprintf("%"+spec+"s", string([]byte{byte(truncated(l.CheckNumber(arg)))}))
	case 'd', 'i':
		return integral(spec, 'd', truncated(l.CheckNumber(arg)))
	case 'u', 'o', 'x', 'X':
		if verb == 'u' {
			verb = 'd'
		}
		n := l.CheckNumber(arg)
		if n >= 0 && n < math.MaxUint64 {
			return integral(spec, verb, uint64(n))
		}
		return integral(spec, verb, uint64(truncated(n)))
	case 'e', 'E', 'f', 'g', 'G':
		return floating(spec, verb, float64(l.CheckNumber(arg)))
	case 'q':
		return quoted(checkText(l, arg))
	case 's':
		if arg > l.GetTop() {
			l.ArgError(arg, "no value")
		}
		s := checkText(l, arg)
		width, precision, exact := sizes(spec)
		if exact {
			s = s[:min(precision, len(s))]
		}
		return padded(s, width, strings.Contains(spec, "-"))
	}
	l.RaiseError("invalid option '%%%s' to 'format'", spec+string(verb))
	return ""
}

// sizes returns the width and the precision of a spec.
func sizes(spec string) (width, precision int, exact bool) {
	spec = strings.TrimLeft(spec, "-+ #0")
	before, behind, exact := strings.Cut(spec, ".")
	width, _ = strconv.Atoi(before)
	precision, _ = strconv.Atoi(behind)
	return width, precision, exact
}

func padded(s string, width int, left bool) string {
	spaces := strings.Repeat(" ", max(width-len(s), 0))
	if left {
		return s + spaces
	}
	return spaces + s
}

// integral formats an integer: a precision makes C ignore the flag 0.
func integral[T int64 | uint64](spec string, verb byte, n T) string {
	if strings.Contains(spec, ".") {
		flags := spec[:len(spec)-len(strings.TrimLeft(spec, "-+ #0"))]
		spec = strings.ReplaceAll(flags, "0", "") + spec[len(flags):]
	}
	return fmt.Sprintf("%"+spec+string(verb), n)
}

// floating formats a number as C does: %g without a precision has six digits.
func floating(spec string, verb byte, f float64) string {
	if math.IsInf(f, 0) || math.IsNaN(f) {
		width, _, _ := sizes(spec)
		s := formatG(f, 6)
		if strings.Contains(spec, "+") && f > 0 {
			s = "+" + s
		}
		return padded(s, width, strings.Contains(spec, "-"))
	}
	if _, precision, exact := sizes(spec); !exact {
		spec += ".6"
	} else if precision == 0 {
		spec = strings.TrimSuffix(spec, "0") + "0" // "%.f" is "%.0f"
	}
	return fmt.Sprintf("%"+spec+string(verb), f)
}

// quoted is a string as Lua reads it.
func quoted(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(s) {
		switch c := s[i]; c {
		case '"', '\\', '\n':
			b.WriteByte('\\')
			b.WriteByte(c)
		case '\r':
			b.WriteString("\\r")
		case 0:
			b.WriteString("\\000")
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}
