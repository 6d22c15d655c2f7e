package bench

import (
	"math"
	"math/rand/v2"
)

// KeyDigits is how many digits a key has behind its prefix: keys are as long, however many there are.
const KeyDigits = 10

// MaxKeys is how many keys there can be.
const MaxKeys = 1_000_000_000

// spread is a prime above MaxKeys, so that multiplying by it gives each of n numbers another one of the n: keys that are
// asked for as often are not neighbours.
const spread = 2654435761

// keys draws the numbers of keys.
type keys struct {
	n      uint64
	random *rand.Rand
	zipf   *zipf // nil: all are as likely
}

func newKeys(n int, exponent float64, random *rand.Rand) *keys {
	k := &keys{n: uint64(n), random: random}
	if exponent > 0 {
		k.zipf = newZipf(n, exponent, random)
	}
	return k
}

func (k *keys) next() uint64 {
	if k.zipf == nil {
		return k.random.Uint64N(k.n)
	}
	return scatter(k.zipf.rank(), k.n)
}

// scatter returns the key of a rank from 1 to n.
func scatter(rank, n uint64) uint64 { return rank * spread % n }

// zipf draws ranks from 1 to n, each with a probability in proportion to rank^-exponent, which may be any number above 0:
// rejection-inversion, W. Hörmann and G. Derflinger, "Rejection-inversion to generate variates from monotone discrete
// distributions", ACM TOMACS 6 (1996), 169-184. It is exact, and takes no table. (math/rand's takes exponents above 1
// only, and 0.99 is what caches are mostly measured with.)
type zipf struct {
	n         float64
	exponent  float64
	first     float64 // H(1.5) - 1
	last      float64 // H(n + 0.5)
	threshold float64
	random    *rand.Rand
}

func newZipf(n int, exponent float64, random *rand.Rand) *zipf {
	z := &zipf{n: float64(n), exponent: exponent, random: random}
	z.first = z.integral(1.5) - 1
	z.last = z.integral(z.n + 0.5)
	z.threshold = 2 - z.inverse(z.integral(2.5)-z.weight(2))
	return z
}

func (z *zipf) rank() uint64 {
	for {
		u := z.last + z.random.Float64()*(z.first-z.last)
		x := z.inverse(u)
		k := min(max(math.Floor(x+0.5), 1), z.n)
		if k-x <= z.threshold || u >= z.integral(k+0.5)-z.weight(k) {
			return uint64(k)
		}
	}
}

func (z *zipf) weight(x float64) float64 { return math.Exp(-z.exponent * math.Log(x)) }

// integral is one of weight.
func (z *zipf) integral(x float64) float64 {
	log := math.Log(x)
	return over(math.Expm1, (1-z.exponent)*log) * log
}

func (z *zipf) inverse(x float64) float64 {
	t := max(x*(1-z.exponent), -1)
	return math.Exp(over(math.Log1p, t) * x)
}

// over is f(x)/x, also at 0, where both functions that it is for go to 1.
func over(f func(float64) float64, x float64) float64 {
	if math.Abs(x) < 1e-8 {
		return 1
	}
	return f(x) / x
}

const twoDigits = "00010203040506070809" + "10111213141516171819" + "20212223242526272829" + "30313233343536373839" +
	"40414243444546474849" + "50515253545556575859" + "60616263646566676869" + "70717273747576777879" +
	"80818283848586878889" + "90919293949596979899"

// appendKey appends the digits of a key. That of a counter begins with an n.
func appendKey(b []byte, key uint64, counter bool) []byte {
	var digits [KeyDigits]byte
	for i := KeyDigits - 2; i >= 0; i -= 2 {
		rest := key % 100
		digits[i], digits[i+1] = twoDigits[2*rest], twoDigits[2*rest+1]
		key /= 100
	}
	if counter {
		digits[0] = 'n'
	}
	return append(b, digits[:]...)
}

// KeyName returns a key, as it is in a server.
func KeyName(prefix string, key int) string {
	return string(appendKey([]byte(prefix), uint64(key), false))
}
