package text

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"ciderd/internal/protocol"
	"ciderd/test/norace"
)

func TestAppendValue(t *testing.T) {
	for in, want := range map[string]string{
		"bar":               "bar",
		"":                  `""`,
		"two words  here":   "two words  here",
		"a\tb":              "a\tb",
		" a":                `" a"`,
		"a ":                `"a "`,
		"\ta":               `"\ta"`,
		"a\t":               `"a\t"`,
		`"a`:                `"\"a"`,
		`a"b`:               `a"b`,
		`a\nb`:              `a\nb`,
		"NOT_FOUND":         `"NOT_FOUND"`,
		"NOT_FOUND!":        "NOT_FOUND!",
		"not_found":         "not_found",
		"END":               `"END"`,
		"END ":              `"END "`,
		"ENDS":              "ENDS",
		"ERR":               `"ERR"`,
		"ERR x":             `"ERR x"`,
		"ERRx":              "ERRx",
		"MORE":              "MORE",
		"MORE x":            `"MORE x"`,
		"OK":                "OK",
		"a\nb\rc\td\\e\"f":  `"a\nb\rc\td\\e\"f"`,
		"\x00\x1f\x7f\x1B":  `"\x00\x1f\x7f\x1b"`,
		"caf\u00e9":         "caf\u00e9",
		"caf\u00e9\n":       "\"caf\u00e9\\n\"",
		"caf\u00e9\xff":     `"caf\xc3\xa9\xff"`,
		"\xff":              `"\xff"`,
		"a EX 60":           `"a EX 60"`,
		"a px 1.5s":         `"a px 1.5s"`,
		"a  b\tTtl \t5m":    `"a  b\tTtl \t5m"`,
		"a EX 60 NX":        `"a EX 60 NX"`,
		"a EX 60 xx":        "a EX 60 xx",
		"a EX 0":            `"a EX 0"`,
		"EX 60":             "EX 60",
		"EX 60 NX":          `"EX 60 NX"`,
		"NX":                "NX",
		"a NX":              `"a NX"`,
		"a nx":              "a nx",
		"a KEEPTTL":         `"a KEEPTTL"`,
		"a EXAT 17":         `"a EXAT 17"`,
		"a pxat +1 KEEPTTL": `"a pxat +1 KEEPTTL"`,
		"aEX 60":            "aEX 60",
		"a EX60":            "a EX60",
		"a EX sixty":        "a EX sixty",
		"a EX 60S":          `"a EX 60S"`,
		"a EX -60":          `"a EX -60"`,
		"a IN 60":           "a IN 60",
		"60":                "60",
		"1234567\x7f":       `"1234567\x7f"`,
		"12345678\n":        `"12345678\n"`,
		"12345678\u00fc":    "12345678\u00fc",
		"12345678abcdefg\t": `"12345678abcdefg\t"`,
	} {
		if got := string(AppendValue([]byte("x"), []byte(in))); got != "x"+want {
			t.Errorf("%q: got %s, want x%s", in, got, want)
		}
	}
}

func TestAppendError(t *testing.T) {
	e := fail(protocol.Busy, "try again")
	if got := string(appendError([]byte("x"), e)); got != "xERR BUSY try again" || got[1:] != e.Error() {
		t.Errorf("got %q", got)
	}
}

func TestUnquote(t *testing.T) {
	for in, want := range map[string]string{
		`""`:                           "",
		`"a b"`:                        "a b",
		`"a" rest`:                     "a",
		`"\n\r\t\0\"\\\x41\xfF\xFf"`:   "\n\r\t\x00\"\\A\xff\xff",
		`"plain, then \"escapes\"" x"`: `plain, then "escapes"`,
		`"\\"`:                         `\`,
	} {
		got, size, err := unquote([]byte(in))
		if err != nil || string(got) != want || got == nil || in[size-1] != '"' {
			t.Errorf("%s: got %q, %d, %v", in, got, size, err)
		}
	}
	for _, in := range []string{`"`, `"a`, `"a\"`, `"\`, `"\q"`, `"\x"`, `"\x4"`, `"\x4g"`, `"\x`, `"\N"`} {
		if _, _, err := unquote([]byte(in)); err == nil || err.Code != protocol.Syntax {
			t.Errorf("%s: got %v", in, err)
		}
	}
}

var optionTail = regexp.MustCompile("(?s)[^ \t][ \t]+(?:(?i:EX|PX|EXAT|PXAT|TTL)[ \t]+[0-9+-][^ \t]*|NX|XX|KEEPTTL)$")

// naivePrint is the printing rule of the interface, sentence by sentence.
func naivePrint(v string) string {
	quote := v == "" || strings.ContainsAny(v[:1], "\" \t") || strings.ContainsAny(v[len(v)-1:], " \t") ||
		v == "NOT_FOUND" || v == "END" || v == "ERR" || strings.HasPrefix(v, "ERR ") || strings.HasPrefix(v, "MORE ") ||
		!utf8.ValidString(v) || optionTail.MatchString(v)
	for i := range len(v) {
		quote = quote || v[i] != '\t' && (v[i] < ' ' || v[i] == 0x7f)
	}
	if !quote {
		return v
	}
	out := ""
	for i := range len(v) {
		switch c := v[i]; {
		case strings.ContainsRune("\n\r\t", rune(c)):
			out += map[byte]string{'\n': `\n`, '\r': `\r`, '\t': `\t`}[c]
		case strings.ContainsRune(`"\`, rune(c)):
			out += `\` + string(rune(c))
		case c < ' ', c == 0x7f, c >= 0x80 && !utf8.ValidString(v):
			out += fmt.Sprintf(`\x%02x`, c)
		default:
			out += v[i : i+1]
		}
	}
	return `"` + out + `"`
}

// checkRoundTrip holds AppendValue to the rule, and each command that takes a value to what was
// printed: it must read the same bytes from it.
func checkRoundTrip(t *testing.T, v []byte) {
	t.Helper()
	printed := AppendValue(nil, v)
	if want := naivePrint(string(v)); string(printed) != want {
		t.Fatalf("%q is printed %s, want %s", v, printed, want)
	}
	if bytes.IndexByte(printed, 0xff) >= 0 || bytes.IndexByte(printed, '\n') >= 0 {
		t.Fatalf("%q is printed %q", v, printed)
	}
	for _, head := range []string{"SET k ", "SETEX k 60 ", "SETNX k ", "CAS k 7 ", "APPEND k ", "ONCE id SET k ", "PING "} {
		r := NewReader(strings.NewReader(head + string(printed) + "\n"))
		r.SetMaxLine(1 << 20)
		var line []byte
		for ev := None; ev != Line; line, ev = r.Next() {
			if err := r.Fill(); err != nil {
				t.Fatalf("%q: %v", v, err)
			}
		}
		var req protocol.Request
		if err := new(Parser).Parse(line, &req); err != nil || !bytes.Equal(req.Value, v) {
			t.Fatalf("%s%s: got %q, %v, want %q", head, printed, req.Value, err, v)
		}
	}
}

// pieces make values in which each case of the rule comes up often.
var pieces = []string{
	"", " ", "\t", "\"", `\`, `\n`, `\x4`, "\n", "\r", "\x00", "\x03", "\x04", "\x7f", "a", "value", "12345678", "0", "60", "5m", "1.5",
	"ms", ".", "EX", "ex", "PX", "TTL", "NX", "xx", "NOT_FOUND", "END", "ERR", "MORE", "\u00e9", "\u20ac", "\U0001f680",
	"\xff", "\xc3", "\x80", "\u0085", " EX 60", " TTL ", strings.Repeat("9", 40),
}

func TestQuoteRoundTripRandom(t *testing.T) {
	norace.Alone(t)
	rng := rand.New(rand.NewPCG(1, 2))
	for range 20000 {
		var v []byte
		for range rng.IntN(7) {
			if rng.IntN(8) == 0 {
				v = append(v, byte(rng.Uint32()))
			} else {
				v = append(v, pieces[rng.IntN(len(pieces))]...)
			}
		}
		checkRoundTrip(t, v)
	}
}

func FuzzQuote(f *testing.F) {
	for _, p := range pieces {
		f.Add([]byte(p))
		f.Add([]byte("x " + p))
	}
	f.Fuzz(func(t *testing.T, v []byte) {
		if len(v) < 1<<16 {
			checkRoundTrip(t, v)
		}
	})
}

// In pieces a value is printed as it is in one, and no piece is larger than was asked for.
func TestPrinter(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 5000 {
		v := make([]byte, r.IntN(200))
		for i := range v {
			v[i] = "ab \"\\\n\t\x00\x7f\xff\xc3\xa9N"[r.IntN(13)]
		}
		want := AppendValue(nil, v)
		p := newPrinter(v)
		if raw := p.Raw(); raw != nil {
			if string(raw) != string(want) {
				t.Fatalf("%q is printed raw as %q, want %q", v, raw, want)
			}
			continue
		}
		size := 8 + r.IntN(60)
		var got []byte
		for more := true; more; {
			before := len(got)
			if got, more = p.Append(got, size); len(got)-before > size {
				t.Fatalf("a piece of %d bytes, not %d", len(got)-before, size)
			}
		}
		if string(got) != string(want) {
			t.Fatalf("%q is printed in pieces as %q, want %q", v, got, want)
		}
	}
}
