package fsm

// magnitude is a bound of a number's absolute value: m times 10^e, with m of nine digits, or 0. It is always rounded up.
type magnitude struct {
	m uint64
	e int
}

const (
	magnitudeDigits = 9
	magnitudeFull   = 1_000_000_000
)

// power returns the magnitude 10^n.
func power(n int) magnitude { return magnitude{magnitudeFull / 10, n - magnitudeDigits + 1} }

func (a magnitude) less(b magnitude) bool {
	if a.m == 0 || b.m == 0 {
		return a.m < b.m
	}
	return a.e < b.e || a.e == b.e && a.m < b.m
}

func (a magnitude) or(b magnitude) magnitude {
	if a.less(b) {
		return b
	}
	return a
}

// plus returns a bound of the sum.
func (a magnitude) plus(b magnitude) magnitude {
	if a.less(b) {
		a, b = b, a
	}
	if b.m == 0 {
		return a
	}
	for shift := a.e - b.e; shift > 0 && b.m > 1; shift-- {
		b.m = (b.m + 9) / 10
	}
	a.m += b.m
	if a.m >= magnitudeFull {
		a.m, a.e = (a.m+9)/10, a.e+1
	}
	return a
}

// whole returns how many digits such a number has before the point at most, when it is written.
func (a magnitude) whole() int {
	if a.m == 0 {
		return 1
	}
	return min(max(a.e+magnitudeDigits, 1), largestTop)
}

// magnitude returns the bound of a finite number.
func (n *number) magnitude() magnitude {
	switch {
	case len(n.digits) == 0:
		return magnitude{}
	case n.hex && n.top <= 0:
		return power(0)
	case n.hex: // 2^1000 is less than 10^302
		return power(min(n.top, overflowAt+1)*302/1000 + 1)
	}
	a := magnitude{e: min(n.top, largestTop) - magnitudeDigits}
	for i := range magnitudeDigits {
		a.m *= 10
		if i < len(n.digits) {
			a.m += uint64(n.digits[i] - '0')
		}
	}
	if len(n.digits) > magnitudeDigits {
		a = a.plus(magnitude{1, a.e})
	}
	return a
}

// figure is what is known of the number in a value before it is computed with.
type figure struct {
	most   magnitude
	digits int // that have to be read; 0: it is no number, or an infinite one
}

// anyNumber is the figure of a value of which nothing is known.
var anyNumber = figure{power(largestTop), numberText}

func figureOf(text []byte) figure {
	n, ok := scanNumber(text)
	if !ok || n.infinite {
		return figure{}
	}
	return figure{n.magnitude(), max(len(n.digits), 1)}
}

func (f figure) or(o figure) figure { return figure{f.most.or(o.most), max(f.digits, o.digits)} }

// sum returns the figure of a sum, and the length of its text at most: with a sign, a point and the decimals.
func (f figure) sum(o figure) (sum figure, text int) {
	most := f.most.plus(o.most)
	return figure{most, most.whole() + decimals}, most.whole() + decimals + 2
}

// work is about how many copied bytes cost as much as to compute with the number.
func (f figure) work() int {
	if n := max(f.digits, f.most.whole()); n > 64 {
		return 32 * n
	}
	return 128
}
