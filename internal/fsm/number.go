package fsm

import (
	"bytes"
	"math/big"
)

// The numbers of OpIncrFloat are those of Redis on x86: a mantissa of 64 bits, rounded to the nearest, ties to even, an
// exponent between 2^-16445 and 2^16384, and 17 decimals when they are written. big.Float computes the same on every
// machine. Which texts are numbers is what C's strtold and Redis' string2ld say.
const (
	mantissaBits = 64
	overflowAt   = 16384  // 2^overflowAt is infinite
	underflowAt  = -16446 // 2^underflowAt is rounded to 0, and what is greater is not
	decimals     = 17

	// numberText is the longest text that is taken for a number, in bytes.
	numberText = 5119
	// The top (see number) of the largest number, and of 2^underflowAt.
	largestTop, smallestTop = 4933, -4950
	// What is as small as tinyTop, or in bits tinyBits, is as good as any other such number: with what is written as
	// anything but 0 the sum is rounded to that, and alone it is written as 0.
	tinyTop, tinyBits = -100, -400
	// exponentEnd is beyond what any text of a number can make up for.
	exponentEnd = 1 << 20
)

// underflow is how 2^underflowAt begins, without leading zeros. A text that begins with all of it counts as no greater.
const underflow = "1822599765941237301264202966809709908199"

// number is the text of one, taken apart. Its value is the digits with a point before all of them, times base^top.
type number struct {
	negative bool
	infinite bool
	hex      bool
	digits   []byte // from the first that is not 0 on; none: it is 0
	top      int    // of a hex number: in bits
}

// scanNumber reads a text at a cost in proportion to its length.
func scanNumber(text []byte) (n number, ok bool) {
	if len(text) == 0 || len(text) > numberText {
		return n, false
	}
	rest := text
	if rest[0] == '+' || rest[0] == '-' {
		n.negative, rest = rest[0] == '-', rest[1:]
	}
	if bytes.EqualFold(rest, []byte("inf")) || bytes.EqualFold(rest, []byte("infinity")) {
		n.infinite = true
		return n, true
	}
	n.hex = len(rest) > 2 && rest[0] == '0' && rest[1]|0x20 == 'x'
	mark, bits := byte('e'), 1
	if n.hex {
		mark, bits, rest = 'p', 4, rest[2:]
	}
	rest, ok = n.mantissa(rest)
	if !ok {
		return n, false
	}
	n.top *= bits
	if len(rest) > 0 {
		exponent, ok := scanExponent(rest, mark)
		n.top += exponent
		return n, ok
	}
	return n, true
}

// mantissa reads the digits at the front of text, with a point or without, and returns what is behind them.
func (n *number) mantissa(text []byte) (rest []byte, ok bool) {
	n.digits = make([]byte, 0, 32)
	i, point := 0, false
	for ; i < len(text) && (isDigit(text[i], n.hex) || text[i] == '.' && !point); i++ {
		switch c := text[i]; {
		case c == '.':
			point = true
			continue
		case len(n.digits) > 0 || c != '0':
			n.digits = append(n.digits, c)
			n.top += int(1 - flag(point))
		case point:
			n.top--
		}
		ok = true
	}
	return text[i:], ok
}

func isDigit(c byte, hex bool) bool {
	return c >= '0' && c <= '9' || hex && c|0x20 >= 'a' && c|0x20 <= 'f'
}

// scanExponent reads an exponent, up to exponentEnd: beyond, its size no longer matters.
func scanExponent(text []byte, mark byte) (exponent int, ok bool) {
	if text[0]|0x20 != mark || len(text) == 1 {
		return 0, false
	}
	text = text[1:]
	negative := text[0] == '-'
	if negative || text[0] == '+' {
		text = text[1:]
	}
	for _, c := range text {
		if !isDigit(c, false) {
			return 0, false
		}
		exponent = min(exponent*10+int(c-'0'), exponentEnd)
	}
	if negative {
		exponent = -exponent
	}
	return exponent, len(text) > 0
}

// parseNumber returns the number of a text; nil: that is infinite.
func parseNumber(text []byte) (x *big.Float, ok bool) {
	n, ok := scanNumber(text)
	switch {
	case !ok || n.infinite:
		return nil, ok
	case len(n.digits) == 0:
		x = new(big.Float).SetPrec(mantissaBits)
	case n.hex:
		x, ok = n.fromHex()
	default:
		x, ok = n.fromDecimal()
	}
	if !ok || x.MantExp(nil) > overflowAt {
		return nil, false
	}
	if n.negative {
		x.Neg(x)
	}
	return x, true
}

// tiny is what stands for every number that is as small.
func tiny() *big.Float {
	return new(big.Float).SetMantExp(big.NewFloat(1).SetPrec(mantissaBits), tinyBits)
}

// fromDecimal returns the absolute value; false: it is too large, or rounded to 0.
func (n *number) fromDecimal() (*big.Float, bool) {
	switch digits := n.digits[:min(len(n.digits), len(underflow))]; {
	case n.top > largestTop || n.top < smallestTop || n.top == smallestTop && string(digits) <= underflow:
		return nil, false
	case n.top <= tinyTop:
		return tiny(), true
	}
	integer, _ := new(big.Int).SetString(string(n.digits), 10)
	x := new(big.Float).SetPrec(mantissaBits)
	exponent := n.top - len(n.digits)
	if exponent >= 0 {
		return x.SetInt(integer.Mul(integer, power10(exponent))), true
	}
	exact := new(big.Float).SetInt(integer)
	return x.Quo(exact, new(big.Float).SetInt(power10(-exponent))), true
}

func power10(n int) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil) }

// fromHex is fromDecimal for a hexadecimal number.
func (n *number) fromHex() (*big.Float, bool) {
	integer, _ := new(big.Int).SetString(string(n.digits), 16)
	x := new(big.Float).SetPrec(mantissaBits).SetInt(integer)
	rounded := x.Acc()
	x.SetMantExp(x, n.top-4*len(n.digits))
	exponent := x.MantExp(nil) // x is at least 2^(exponent-1)
	switch least := exponent - 1; {
	case least < underflowAt, least == underflowAt && x.MinPrec() == 1 && rounded != big.Below:
		return nil, false
	case exponent < tinyBits:
		return tiny(), true
	}
	return x, true
}

// addNumbers returns the text of a sum. The kind is KindNone, or why there is none.
func addNumbers(a, b []byte) ([]byte, Kind) {
	x, ok := parseNumber(a)
	y, also := parseNumber(b)
	switch {
	case !ok || !also:
		return nil, KindNotAFloat
	case x == nil || y == nil:
		return nil, KindNotFinite
	}
	if x.Add(x, y); x.MantExp(nil) > overflowAt {
		return nil, KindNotFinite
	}
	text := x.Append(nil, 'f', decimals)
	text = bytes.TrimSuffix(bytes.TrimRight(text, "0"), []byte("."))
	if string(text) == "-0" {
		text = text[1:]
	}
	return text, KindNone
}

func (t items) incrFloat(c *Command) Result {
	item, there := t.ks.Lookup(c.Key, t.time)
	value := item.Value
	if !there {
		value = []byte{'0'}
	}
	sum, why := addNumbers(value, c.Value)
	if why != KindNone {
		return Result{Kind: why}
	}
	done := t.put(t.ks, c.Key, sum, item.Deadline, Result{Kind: KindValue})
	if done.Kind == KindValue && t.mine {
		return t.value(t.ks.Lookup(c.Key, t.time)) // as it is stored now
	}
	return done
}
