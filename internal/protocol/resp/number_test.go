package resp

import (
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"

	"ciderd/test/norace"
)

var integers = map[string]bool{
	"0": true, "1": true, "-1": true, "10": true, "9223372036854775807": true, "-9223372036854775808": true, "-9223372036854775807": true, "1000000000000000000": true,
	"": false, "-": false, "+1": false, "01": false, "-0": false, "-01": false, "00": false, " 1": false, "1 ": false, "1.0": false, "1e5": false, "0x1": false, "x": false,
	"9223372036854775808": false, "-9223372036854775809": false, "18446744073709551616": false, "18446744073709551617": false, "99999999999999999999": false,
	"9999999999999999999": false, "-9999999999999999999": false, "1\x00": false, "--1": false, "1-": false, "\u0661": false,
}

func TestAnIntegerIsWhatINCRPrints(t *testing.T) {
	for text, ok := range integers {
		n, got := ParseInt([]byte(text))
		if got != ok || ok && big.NewInt(n).String() != text {
			t.Errorf("%q: got %d, %v", text, n, got)
		}
		if _, err := Integer([]byte(text)); (err == nil) != ok || err != nil && err != ErrNotInteger {
			t.Errorf("%q: got %v", text, err)
		}
	}
	if testing.AllocsPerRun(10, func() { ParseInt([]byte("-123456789")) }) != 0 {
		t.Error("allocates")
	}
}

func TestAnIntegerIsOneInRedis(t *testing.T) {
	l := startLive(t)
	rng := rand.New(rand.NewPCG(1, 2))
	for text, ok := range integers {
		if reply := l.do("GETRANGE", "k", text, "1"); (reply[0] == '$') != ok {
			t.Errorf("%q: Redis says %q", text, reply)
		}
	}
	for range 5000 {
		text := drawPattern(rng, []string{"0", "1", "9", "-", "+", " ", "922337203685477580", "7", "8", "9"}, 5)
		_, ok := ParseInt([]byte(text))
		reply := l.do("GETRANGE", "k", text, "1")
		if (reply[0] == '$') != ok || !ok && reply != "-"+string(ErrNotInteger)+"\r\n" {
			t.Errorf("%q: got %v, Redis says %q", text, ok, reply)
		}
	}
}

// floats are numbers with what INCRBYFLOAT makes of 0 and them; empty: they are none.
var floats = map[string]string{
	"1": "1", "+1.5": "1.5", "-1": "-1", ".5": "0.5", "5.": "5", "-.5": "-0.5", "1e5": "100000", "1E-2": "0.01", "1e+2": "100", "0x10": "16", "0x1p3": "8", "0X.8": "0.5",
	"0x1.8P+1": "3", "0x1e5": "485", "1e0000000000000000005": "100000", "0e999999999999999999999999": "0", "-0": "0", "0e-99999999999999999999999": "0",
	"1.0000000000000000000000000000001": "1", "1e-4940": "0", "1e-4950": "0", "3.6e-4951": "0", "0x1p-16445": "0", "0.1": "0.1", "3.14159265358979323": "3.14159265358979323",
	"0." + strings.Repeat("0", 300) + "1": "0", strings.Repeat("0", 5118) + "1": "1", "18446744073709551617": "18446744073709551616",
	"18446744073709551617." + strings.Repeat("0", 60) + "1": "18446744073709551618", "0x1.00000000000000011p64": "18446744073709551618",
	// This one is just above the middle of two numbers: it must not be rounded twice.
	"777067556890293709212293383417148089479688131728193911085136e25": "7770675568902937092544183000845709641588553428016620840126940024255608102635507286016",
	"1e": "", "1e+": "", "0x": "", "0x.": "", "0x1p": "", "0x1p+": "", "infinit": "", "nan": "", "NaN": "", "nan(1)": "", "": "", " 1": "", "1 ": "", "1_0": "", "1e4933": "", "1e-4951": "",
	"1e-5000": "", "1e99999999999999999999": "", "1e-99999999999999999999": "", "--1": "", "+-1": "", "1.2.3": "", "1,5": "", "1\x00": "", "\x001": "", "1" + strings.Repeat("0", 5100): "",
	strings.Repeat("0", 5119) + "1": "", "1e5.0": "", "e5": "", ".": "", "-": "", "+": "", ".e1": "", "1l": "", "1f": "", "0b1": "", "0o7": "", "\t1": "", "\v1": "", "0x1p16384": "",
	"0x1p-16446": "", "1.8e-4951": "", "0x1.ffffffffffffffffffp16383": "", "0x1p99999999999": "", "0x1p-99999999999": "", "1e5\n": "", "1p5": "", "0xg": "",
}

// printed is how Redis prints a number: with 17 digits behind the point, less zeros at its end.
func printed(f *big.Float) string {
	text := strings.TrimRight(strings.TrimRight(f.Text('f', 17), "0"), ".")
	if text == "-0" || text == "" || text == "-" {
		return "0"
	}
	return text
}

func TestANumberWithAFractionIsRoundedTo64Bits(t *testing.T) {
	for text, want := range floats {
		f, err := Float([]byte(text))
		switch {
		case (err == nil) != (want != ""), err != nil && err != ErrNotFloat:
			t.Errorf("%.40q: got %v, %v", text, f, err)
		case err == nil && (printed(f) != want || f.Prec() != floatBits):
			t.Errorf("%.40q: got %.40s of %d bits", text, printed(f), f.Prec())
		}
	}
	for text, negative := range map[string]bool{"inf": false, "+INF": false, "-Infinity": true} {
		if f, ok := ParseFloat([]byte(text)); !ok || !f.IsInf() || f.Signbit() != negative {
			t.Errorf("%s: got %v", text, f)
		}
	}
	largest := "0x1.fffffffffffffffep16383"
	if f, ok := ParseFloat([]byte(largest)); !ok || f.Text('p', 0) != "0x.ffffffffffffffffp+16384" {
		t.Errorf("%s: got %v", largest, f)
	}
}

func TestANumberWithAFractionIsOneInRedis(t *testing.T) {
	norace.Alone(t)
	l := startLive(t)
	compare := func(text string) {
		t.Helper()
		l.do("SET", "k", "0")
		want := l.do("INCRBYFLOAT", "k", text)
		got := "-" + string(ErrNotFloat) + "\r\n"
		if f, ok := ParseFloat([]byte(text)); ok && f.IsInf() {
			got = "-" + string(ErrNaN) + "\r\n"
		} else if ok {
			got = written(2, func(w *Writer) { w.BulkString(printed(f)) })
		}
		if got != want {
			t.Errorf("%.60q: got %.60q, want %.60q", text, got, want)
		}
	}
	for text := range floats {
		compare(text)
	}
	rng := rand.New(rand.NewPCG(3, 4))
	for range 5000 {
		compare(drawPattern(rng, []string{"0", "1", "9", "5", "-", "+", ".", "e", "E", "0x", "p", "inf", "a", "4932", "16383", "123456789", "18446744073709551615"}, 7))
		compare(drawPattern(rng, []string{"0", "1", "5", "9", "37", "28", "18446744073709551615"}, 9) + "." + drawPattern(rng, []string{"0", "1", "5", "9", "37", "28"}, 9))
	}
}

func FuzzParseFloat(f *testing.F) {
	for text := range floats {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.ContainsAny(text, "_pPxXiI") || len(text) > 1000 {
			return // Go reads these in its own way
		}
		got, ok := ParseFloat([]byte(text))
		want, _, err := new(big.Float).SetPrec(6000).Parse(text, 10)
		switch {
		case err != nil:
			if ok && got.Sign() != 0 { // 0 may have any exponent
				t.Errorf("%q: got %v", text, got)
			}
		case want.IsInf() || want.Sign() == 0: // or Go has no exponent for it
		case want.MantExp(nil) > -16000 && want.MantExp(nil) < 16000:
			if !ok || want.SetPrec(floatBits).Cmp(got) != 0 {
				t.Errorf("%q: got %v, want %v", text, got, want)
			}
		}
	})
}
