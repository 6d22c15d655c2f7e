package text

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"ciderd/internal/protocol"
)

// The reading of words and of SET, written a second time: from interface 1.2 only, on strings and
// regular expressions, without a thought of speed. The real one is held against it (parity_test.go).

var (
	naiveBare   = regexp.MustCompile(`(?s)^[^ \t]+`)
	naiveQuoted = regexp.MustCompile(`(?s)^"((?:[^"\\]|\\[nrt0"\\]|\\x[0-9a-fA-F][0-9a-fA-F])*)"`)
	naiveEscape = regexp.MustCompile(`(?s)\\(?:x..|.)`)
	naiveBlanks = regexp.MustCompile(`^[ \t]*`)
	// What of a quoted word is well-formed up to its first fault; after it, why it is one.
	naiveGood = regexp.MustCompile(`(?s)^"(?:[^"\\]|\\[nrt0"\\]|\\x[0-9a-fA-F][0-9a-fA-F])*`)
)

// naiveLine is what the reader makes of a line: words, or of SET a key, a value and options, or why
// it is refused. It counts which cases came up.
type naiveLine struct {
	seen map[string]int
	rest string
}

func (n *naiveLine) saw(what string) { n.seen[what]++ }

// skip goes on to the next word, and reports whether there is one.
func (n *naiveLine) skip() bool {
	n.rest = n.rest[len(naiveBlanks.FindString(n.rest)):]
	return n.rest != ""
}

// word takes the next word; code is that of the error reply, "" for none.
func (n *naiveLine) word() (word string, quoted bool, code protocol.Code) {
	if !strings.HasPrefix(n.rest, `"`) {
		word = naiveBare.FindString(n.rest)
		n.rest = n.rest[len(word):]
		n.saw("bare word")
		if strings.Contains(word, `"`) {
			n.saw("quote inside a bare word")
		}
		if strings.Contains(word, `\`) {
			n.saw("backslash in a bare word")
		}
		return word, false, ""
	}
	m := naiveQuoted.FindStringSubmatch(n.rest)
	if m == nil {
		if after := n.rest[len(naiveGood.FindString(n.rest)):]; len(after) > 1 {
			n.saw("bad escape")
		} else {
			n.saw("no closing quote")
		}
		return "", true, protocol.Syntax
	}
	if n.rest = n.rest[len(m[0]):]; n.rest != "" && !strings.ContainsAny(n.rest[:1], " \t") {
		n.saw("no blank after the quote")
		return "", true, protocol.Syntax
	}
	n.saw("quoted word")
	if m[1] == "" {
		n.saw("empty quoted word")
	}
	return naiveEscape.ReplaceAllStringFunc(m[1], n.escape), true, ""
}

// escape is what an escape stands for.
func (n *naiveLine) escape(e string) string {
	if strings.HasPrefix(e, `\x`) {
		c, err := strconv.ParseUint(e[2:], 16, 8)
		if err != nil {
			panic(err) // the expression has let it through
		}
		switch {
		case e[2:] != strings.ToLower(e[2:]):
			n.saw("upper-case hex")
		case c >= ' ' && c < 0x7f:
			n.saw("printable byte in hex")
		default:
			n.saw("hex")
		}
		return string([]byte{byte(c)})
	}
	n.saw("escape " + e)
	return map[string]string{`\n`: "\n", `\r`: "\r", `\t`: "\t", `\0`: "\x00", `\"`: `"`, `\\`: `\`}[e]
}

// naiveWords reads the keys of a DELETE.
func naiveWords(args string, seen map[string]int) (words []string, code protocol.Code) {
	n := naiveLine{seen, args}
	for n.skip() {
		word, _, code := n.word()
		if code == "" && word == "" {
			code = protocol.Syntax // a key has at least one byte
			n.saw("empty key")
		}
		if code != "" {
			return nil, code
		}
		words = append(words, word)
	}
	if len(words) == 0 {
		n.saw("no word")
		return nil, protocol.Args
	}
	return words, ""
}

// naiveSet is what SET is read as.
type naiveSet struct {
	key, value string
	ttl        time.Duration
	nx, xx     bool
}

// naiveReadSet reads what follows the verb SET.
func naiveReadSet(args string, seen map[string]int) (s naiveSet, code protocol.Code) {
	n := naiveLine{seen, args}
	if !n.skip() {
		return s, protocol.Args
	}
	if s.key, _, code = n.word(); code == "" && s.key == "" {
		code = protocol.Syntax
	}
	switch {
	case code != "":
		return s, code
	case !n.skip():
		n.saw("key without a value")
		return s, protocol.Args
	case n.rest[0] != '"':
		s.value, code = n.restOfLine()
		return s, code
	}
	if s.value, _, code = n.word(); code == "" {
		code = n.options(&s)
	}
	return s, code
}

// restOfLine is an unquoted value: verbatim, without the blanks at its ends.
func (n *naiveLine) restOfLine() (string, protocol.Code) {
	value := strings.Trim(n.rest, " \t")
	if value != n.rest {
		n.saw("blanks after an unquoted value")
	}
	if strings.ContainsAny(value, " \t") {
		n.saw("blanks inside an unquoted value")
	}
	if optionTail.MatchString(value) {
		n.saw("unquoted value that ends in an option")
		return "", protocol.Syntax
	}
	n.saw("unquoted value")
	return value, ""
}

var naiveDuration = regexp.MustCompile(`^[0-9]+(\.[0-9]+)?(ms|s|m|h|d)?$`)

// naiveTTL is a duration, cut to whole milliseconds; 0 if it is none, or too short.
func naiveTTL(text string) time.Duration {
	if !naiveDuration.MatchString(text) {
		return 0
	}
	number := strings.TrimRight(text, "smhd")
	unit := map[string]float64{"ms": 1, "s": 1000, "": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}[text[len(number):]]
	n, err := strconv.ParseFloat(number, 64)
	if err != nil {
		panic(err) // the expression has let it through
	}
	return time.Duration(n*unit+1e-6) * time.Millisecond // what floating point makes a bit less is whole
}

// options reads [EX d] [NX|XX] behind a quoted value, in any order, each once.
func (n *naiveLine) options(s *naiveSet) protocol.Code {
	for n.skip() {
		name, _, code := n.word()
		if code != "" {
			return code
		}
		switch strings.ToUpper(name) {
		case "NX", "XX":
			flag := map[string]*bool{"NX": &s.nx, "XX": &s.xx}[strings.ToUpper(name)]
			if *flag {
				n.saw("option twice")
				return protocol.Syntax
			}
			*flag = true
		case "EX":
			if s.ttl > 0 {
				n.saw("option twice")
				return protocol.Syntax
			}
			if !n.skip() {
				n.saw("EX without a duration")
				return protocol.Args
			}
			word, _, code := n.word()
			if code != "" {
				return code
			}
			if s.ttl = naiveTTL(word); s.ttl == 0 {
				n.saw("bad duration")
				return protocol.Syntax
			}
		default:
			n.saw("unknown option")
			return protocol.Syntax
		}
		n.saw("option")
	}
	if s.nx && s.xx {
		n.saw("NX and XX")
		return protocol.Syntax
	}
	return ""
}
