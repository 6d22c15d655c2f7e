package resp

import "math/big"

// longestFloat is how many bytes a number with a fraction may have, and floatBits how precise it is: those of a long
// double of C on amd64, which Redis uses.
const (
	longestFloat = 5119
	floatBits    = 64
	largestExp   = 16384  // a number is below 2 to the power of this
	smallestExp  = -16446 // and above 2 to the power of that, but for 0
)

// ParseFloat reads a number as INCRBYFLOAT does, and rounds it to 64 bits, to the nearest even: digits with a point or
// without, an exponent or not, a sign or none, in hexadecimal too, or inf or infinity in any letter case. There are no
// blanks. What is too large, or too small and not 0, is no number.
func ParseFloat(b []byte) (f *big.Float, ok bool) {
	if len(b) == 0 || len(b) > longestFloat {
		return nil, false
	}
	negative := b[0] == '-'
	if negative || b[0] == '+' {
		b = b[1:]
	}
	if equalFold(b, "inf") || equalFold(b, "infinity") {
		return new(big.Float).SetInf(negative), true
	}
	n, ok := scanNumeral(b)
	if !ok {
		return nil, false
	}
	if f = n.float(); f == nil || f.MantExp(nil) > largestExp || f.Sign() > 0 && f.Cmp(smallest) <= 0 {
		return nil, false
	}
	if negative {
		f.Neg(f)
	}
	return f, true
}

// Float is ParseFloat for an argument.
func Float(b []byte) (*big.Float, error) {
	f, ok := ParseFloat(b)
	if !ok {
		return nil, ErrNotFloat
	}
	return f, nil
}

var smallest = new(big.Float).SetMantExp(big.NewFloat(1), smallestExp)

// numeral is a number as it is written: digits, of which the last fraction ones are behind the point, and an exponent
// of 10, or of 2 if the digits are hexadecimal.
type numeral struct {
	digits   []byte
	fraction int
	exponent int
	hex      bool
}

// scanNumeral reads all of b.
func scanNumeral(b []byte) (n numeral, ok bool) {
	exponent := "e"
	if len(b) > 2 && b[0] == '0' && lower(b[1]) == 'x' {
		n.hex, exponent, b = true, "p", b[2:]
	}
	point := false
	for len(b) > 0 {
		switch c := b[0]; {
		case c == '.' && !point:
			point = true
		case '0' <= c && c <= '9', n.hex && hexDigit(c) >= 0:
			n.digits = append(n.digits, c)
			if point {
				n.fraction++
			}
		case lower(c) == exponent[0] && len(n.digits) > 0:
			n.exponent, ok = scanExponent(b[1:])
			return n, ok
		default:
			return n, false
		}
		b = b[1:]
	}
	return n, len(n.digits) > 0
}

// manyDigits is an exponent beyond which there are no numbers but 0.
const manyDigits = 1 << 20

func scanExponent(b []byte) (n int, ok bool) {
	negative := len(b) > 0 && b[0] == '-'
	if len(b) > 0 && (negative || b[0] == '+') {
		b = b[1:]
	}
	for _, c := range b {
		if c < '0' || '9' < c {
			return 0, false
		}
		n = min(n*10+int(c-'0'), manyDigits)
	}
	if negative {
		n = -n
	}
	return n, len(b) > 0
}

// float returns the number, rounded once; nil if it is far from any.
func (n *numeral) float() *big.Float {
	base := 10
	if n.hex {
		base = 16
	}
	mantissa, _ := new(big.Int).SetString(string(n.digits), base)
	f := new(big.Float).SetPrec(floatBits)
	switch {
	case mantissa.Sign() == 0:
		return f
	case n.hex:
		exact := new(big.Float).SetInt(mantissa)
		return f.Set(exact.SetMantExp(exact, n.exponent-4*n.fraction))
	}
	return n.decimal(f, mantissa)
}

// decimal sets f to mantissa times a power of 10.
func (n *numeral) decimal(f *big.Float, mantissa *big.Int) *big.Float {
	power := n.exponent - n.fraction
	// A power of 10 has between 3 and 4 bits; without this bound one of a million digits would be made.
	if size := mantissa.BitLen(); power > largestExp || size+3*power < 2*smallestExp {
		return nil
	}
	scale := new(big.Float).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(power, -power))), nil))
	exact := new(big.Float).SetInt(mantissa)
	if power < 0 {
		return f.Quo(exact, scale)
	}
	exact.SetPrec(exact.Prec() + scale.Prec()) // enough for all bits of the product
	return f.Set(exact.Mul(exact, scale))
}
