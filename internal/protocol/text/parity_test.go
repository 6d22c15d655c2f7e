package text

import (
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"ciderd/internal/protocol"
	"ciderd/test/norace"
)

// linePieces make lines in which each case of the reading comes up often.
var linePieces = []string{
	" ", " ", " ", "\t", "  ", `"`, `" `, ` "`, `"a b"`, `""`, "a", "key", "value", "0", "\u00e9", "\xff", "\x80", "\x00", "\r", "\n", "\x7f",
	`\n`, `\r`, `\t`, `\0`, `\"`, `\\`, `\x41`, `\x00`, `\xff`, `\xFF`, `\xAb`, `\x7E`, `\x4`, `\xg0`, `\q`, `\N`, `\`,
	` "\n\r\t" `, ` "\x41\0" `, ` "\"" `, ` "\\" `, ` "\xC3\xa9" `, `"a"b`,
	" EX 60", " ex 5m", " PX 60", " TTL 1.5h", " NX", " xx", " EX", " EX 0", " EX soon", " EX \"60\"", " EX 60 NX", " BOGUS", " nx XX",
}

// readCases must all come up in the random lines, and often.
var readCases = []string{
	"bare word", "quote inside a bare word", "backslash in a bare word", "bad escape", "no closing quote", "no blank after the quote",
	"quoted word", "empty quoted word", "upper-case hex", "printable byte in hex", "hex",
	`escape \n`, `escape \r`, `escape \t`, `escape \0`, `escape \"`, `escape \\`,
	"empty key", "no word", "key without a value", "unquoted value", "blanks after an unquoted value", "blanks inside an unquoted value",
	"unquoted value that ends in an option", "option", "option twice", "EX without a duration", "bad duration", "unknown option", "NX and XX",
}

// A line is read as the second reader reads it, and every way to read one has been seen.
func TestReadingIsAsTheInterfaceSays(t *testing.T) {
	norace.Alone(t)
	rng := rand.New(rand.NewPCG(3, 4))
	seen := make(map[string]int)
	for range 40_000 {
		head := []string{"", " ", ` k`, ` k "v" `, ` k "v" EX`, ` k "v" XX NX`, ` k v`}[rng.IntN(7)]
		checkReading(t, head+randomPieces(rng), seen)
	}
	for _, c := range readCases {
		if seen[c] < 50 {
			t.Errorf("%q came up %d times", c, seen[c])
		}
	}
	for c := range seen {
		if !slices.Contains(readCases, c) {
			t.Errorf("%q is on no list", c)
		}
	}
}

func randomPieces(rng *rand.Rand) string {
	var line strings.Builder
	for range rng.IntN(8) {
		if rng.IntN(10) == 0 {
			line.WriteByte(byte(rng.Uint32()))
		} else {
			line.WriteString(linePieces[rng.IntN(len(linePieces))])
		}
	}
	return line.String()
}

func FuzzReading(f *testing.F) {
	for _, p := range linePieces {
		f.Add(" k " + p)
		f.Add(` "k" "v"` + p)
	}
	f.Fuzz(func(t *testing.T, args string) {
		if len(args) < protocol.MaxKey {
			checkReading(t, args, make(map[string]int))
		}
	})
}

// hugeNumber is left out: which durations are too long, and what is no duration for its length, is
// said elsewhere and tested there.
var hugeNumber = regexp.MustCompile(`[0-9.]{5}`)

// checkReading holds what both readers make of DELETE and SET with args against each other.
func checkReading(t *testing.T, args string, seen map[string]int) {
	t.Helper()
	if hugeNumber.MatchString(args) {
		return
	}
	args = " " + args
	wantWords, wantCode := naiveWords(args, seen)
	req, code := readLine("DELETE" + args)
	var words []string
	for _, w := range req.Words {
		words = append(words, string(w))
	}
	if code != wantCode || !slices.Equal(words, wantWords) {
		t.Fatalf("DELETE%q: got %q %s, want %q %s", args, words, code, wantWords, wantCode)
	}
	want, wantCode := naiveReadSet(args, seen)
	req, code = readLine("SET" + args)
	if code != wantCode {
		t.Fatalf("SET%q: got %q, want %q", args, code, wantCode)
	}
	if code != "" {
		return
	}
	got := naiveSet{key: string(req.Key), value: string(req.Value), ttl: req.TTL, nx: req.NX, xx: req.XX}
	if got != want {
		t.Fatalf("SET%q: got %+v, want %+v", args, got, want)
	}
}

// readLine is the real parser. Of a line that is refused only the code is left.
func readLine(line string) (req protocol.Request, code protocol.Code) {
	if err := new(Parser).Parse([]byte(line), &req); err != nil {
		return protocol.Request{}, err.Code
	}
	return req, ""
}
