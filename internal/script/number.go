package script

import (
	"errors"
	"math"
	"strconv"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// formatNumber prints a number as Lua 5.1 does, as %.14g in C.
func formatNumber(n lua.LNumber) string { return formatG(float64(n), 14) }

// formatG is %.<digits>g in C.
func formatG(f float64, digits int) string {
	switch {
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	case math.IsNaN(f) && math.Signbit(f):
		return "-nan" // as what 0/0 is on most machines
	case math.IsNaN(f):
		return "nan"
	}
	return strconv.FormatFloat(f, 'g', digits, 64)
}

// truncated is a number as an integer, as C casts it on the machines that Redis runs on.
func truncated(n lua.LNumber) int64 {
	f := float64(n)
	if math.IsNaN(f) || f >= 1<<63 || f < -1<<63 {
		return math.MinInt64
	}
	return int64(f)
}

// integer is a number as an int: what is out of range is the nearest.
func integer(n lua.LNumber) int {
	f := float64(n)
	switch {
	case math.IsNaN(f):
		return 0
	case f >= 1<<62:
		return 1 << 62
	case f <= -1<<62:
		return -1 << 62
	}
	return int(f)
}

// parseNumber reads a number as Lua's sources have it, without blanks. What is too large is an infinity.
func parseNumber(s string) (float64, bool) {
	digits, negative := strings.CutPrefix(s, "-")
	if hex, ok := strings.CutPrefix(strings.ToLower(digits), "0x"); ok {
		n, err := strconv.ParseUint(hex, 16, 64)
		f := float64(n)
		if negative {
			f = -f
		}
		return f, err == nil
	}
	if s == "" || strings.Trim(s, "0123456789.eE+-") != "" {
		return 0, false
	}
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil || errors.Is(err, strconv.ErrRange)
}

const blanks = " \t\n\v\f\r"

func luaTonumber(l *lua.LState) int {
	v, base := l.CheckAny(1), l.OptInt(2, 10)
	if base != 10 {
		n, err := strconv.ParseUint(strings.ToLower(strings.Trim(checkText(l, 1), blanks)), min(max(base, 2), 36), 64)
		if base < 2 || base > 36 {
			l.ArgError(2, "base out of range")
		}
		if err != nil {
			return pushAll(l, lua.LNil)
		}
		return pushAll(l, lua.LNumber(n))
	}
	switch v := v.(type) {
	case lua.LNumber:
		return pushAll(l, v)
	case lua.LString:
		if f, ok := parseNumber(strings.Trim(string(v), blanks)); ok {
			return pushAll(l, lua.LNumber(f))
		}
	}
	return pushAll(l, lua.LNil)
}
