package resp

import "strconv"

// ParseInt reads a number as Redis does wherever it wants an integer: decimal digits of 64 bits, signed, and just as
// INCR would print them. So there are no blanks, no plus sign, no leading zeros and no -0. It allocates nothing.
func ParseInt(b []byte) (n int64, ok bool) {
	digits := b
	if len(b) > 1 && b[0] == '-' {
		digits = b[1:]
	}
	switch {
	case len(digits) == 0 || len(digits) > len("9223372036854775808"):
		return 0, false
	case digits[0] == '0':
		return 0, len(b) == 1
	}
	var value uint64
	for _, c := range digits {
		if c < '0' || '9' < c {
			return 0, false
		}
		value = value*10 + uint64(c-'0') // 19 digits have less than 64 bits
	}
	negative := len(digits) < len(b)
	switch {
	case negative && value <= 1<<63:
		return int64(-value), true
	case negative || value >= 1<<63:
		return 0, false
	}
	return int64(value), true
}

// Integer is ParseInt for an argument.
func Integer(b []byte) (int64, error) {
	n, ok := ParseInt(b)
	if !ok {
		return 0, ErrNotInteger
	}
	return n, nil
}

// integerWithin reads an argument that has bounds, where Redis names these.
func integerWithin(b []byte, low, high int64) (int64, error) {
	n, err := Integer(b)
	if err == nil && (n < low || high < n) {
		err = Error("ERR value is out of range, value must between " + strconv.FormatInt(low, 10) + " and " + strconv.FormatInt(high, 10))
	}
	return n, err
}
