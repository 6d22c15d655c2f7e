package protocol

import (
	"math/bits"
	"time"
)

// maxDuration is the longest time to live: 100 years of 365 days.
const maxDuration = 100 * 365 * 24 * time.Hour

// unitOf returns the unit of a duration, its letters given. A bare number is seconds.
func unitOf(letters []byte) (time.Duration, bool) {
	switch string(letters) {
	case "ms":
		return time.Millisecond, true
	case "s", "":
		return time.Second, true
	case "m":
		return time.Minute, true
	case "h":
		return time.Hour, true
	case "d":
		return 24 * time.Hour, true
	}
	return 0, false
}

// maxDurationWord is the longest word that is taken for a duration, in bytes.
const maxDurationWord = 32

// splitDuration splits word into the digits before and after the point, and the unit. It reports
// whether word has the form of a duration, however long.
func splitDuration(word []byte) (whole, frac []byte, unit time.Duration, ok bool) {
	whole, rest := cutDigits(word)
	if len(whole) == 0 || len(word) > maxDurationWord {
		return nil, nil, 0, false
	}
	if len(rest) > 0 && rest[0] == '.' {
		if frac, rest = cutDigits(rest[1:]); len(frac) == 0 {
			return nil, nil, 0, false
		}
	}
	unit, ok = unitOf(rest)
	return whole, frac, unit, ok
}

func cutDigits(b []byte) (digits, rest []byte) {
	n := 0
	for n < len(b) && '0' <= b[n] && b[n] <= '9' {
		n++
	}
	return b[:n], b[n:]
}

// ParseDuration reads a duration such as 60, 1.5s, 200ms or 7d. Parts of a millisecond are cut
// off; what is then less than one, or more than maxDuration, is an error.
func ParseDuration(word []byte) (time.Duration, *Error) {
	whole, frac, unit, ok := splitDuration(word)
	if !ok {
		return 0, fail(Syntax, "a duration is a number with ms, s, m, h or d, such as 60, 1.5s or 7d")
	}
	d, ok := multiply(whole, unit)
	if ok {
		d += fraction(frac, unit)
	}
	switch {
	case !ok || d > maxDuration:
		return 0, fail(Syntax, "the duration is too long: at most 36500d")
	case d < time.Millisecond:
		return 0, fail(Syntax, "the duration is too short: at least 1ms")
	}
	return d.Truncate(time.Millisecond), nil
}

// multiply returns digits times unit, and false if that is more than maxDuration.
func multiply(digits []byte, unit time.Duration) (time.Duration, bool) {
	var n time.Duration
	for _, c := range digits {
		n = n*10 + time.Duration(c-'0')
		if n > maxDuration/unit {
			return 0, false
		}
	}
	return n * unit, true
}

// fraction returns 0.digits times unit, in whole nanoseconds. The first 18 digits count: the
// 19th is less than a nanosecond of any unit.
func fraction(digits []byte, unit time.Duration) time.Duration {
	var n, scale uint64 = 0, 1
	for _, c := range digits[:min(len(digits), 18)] {
		n, scale = n*10+uint64(c-'0'), scale*10
	}
	hi, lo := bits.Mul64(n, uint64(unit))
	q, _ := bits.Div64(hi, lo, scale)
	return time.Duration(q)
}
