package fsm

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"testing"
)

// exact is the number that a magnitude stands for.
func (a magnitude) exact() *big.Rat {
	r, _ := new(big.Rat).SetString(fmt.Sprintf("%de%d", a.m, a.e))
	return r
}

// A magnitude is never below the number or the sum that it stands for, and not far above.
func TestMagnitudesAreBounds(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 14))
	for range 5000 {
		text := fmt.Sprintf("%d.%de%d", r.Uint64N(10), r.Uint64()>>r.IntN(64), r.IntN(40)-20)
		n, ok := scanNumber([]byte(text))
		a, exact := n.magnitude(), new(big.Rat)
		exact.SetString(text)
		above := new(big.Rat).Mul(exact, big.NewRat(1_000_001, 1_000_000))
		if !ok || a.exact().Cmp(exact) < 0 || a.exact().Cmp(above) > 0 {
			t.Fatalf("%s: %+v", text, a)
		}
		b := magnitude{100_000_000 + r.Uint64N(900_000_000), r.IntN(40) - 20}
		if r.IntN(10) == 0 {
			b = magnitude{}
		}
		sum := exact.Add(a.exact(), b.exact())
		above.Mul(sum, big.NewRat(1_000_001, 1_000_000))
		if got := a.plus(b).exact(); got.Cmp(sum) < 0 || got.Cmp(above) > 0 || a.plus(b) != b.plus(a) {
			t.Fatalf("%+v + %+v: %+v", a, b, a.plus(b))
		}
		if most := a.or(b).exact(); most.Cmp(a.exact()) < 0 || most.Cmp(b.exact()) < 0 {
			t.Fatalf("%+v or %+v: %+v", a, b, a.or(b))
		}
	}
	hex, _ := scanNumber([]byte("-0x1.8p200"))
	if a, _ := new(big.Rat).SetString("0x1.8p200"); hex.magnitude().exact().Cmp(a) < 0 {
		t.Errorf("of a hexadecimal number: %+v", hex.magnitude())
	}
	// However often something small is added, the length of the text is that of the sum.
	sum := power(0)
	for range MaxInExec {
		sum = sum.plus(power(0))
	}
	if sum.whole() != 5 {
		t.Errorf("16385 has %d digits", sum.whole())
	}
}
