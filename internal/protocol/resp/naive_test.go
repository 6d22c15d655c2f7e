package resp

import (
	"bytes"
	"fmt"
	"math/big"
	"regexp"
	"strings"
)

// naiveRead is what a Reader must give of a stream that is all there. It is written for clarity: it copies everything.
func naiveRead(in []byte, l Limits) (events []string) {
	l.Request = max(l.Request, 64)
	for len(in) > 0 {
		n := naiveRequest{in: string(in), limits: l}
		if !n.read() {
			break
		}
		if n.fault != "" {
			return append(events, "BROKEN "+n.fault)
		}
		in = in[n.size:]
		switch {
		case n.large:
			events = append(events, "TOO LARGE")
		case len(n.args) == 0:
		case naiveHTTP(n.args[0]):
			return append(events, "BROWSER")
		default:
			events = append(events, fmt.Sprintf("%q", n.args))
		}
	}
	return events
}

func naiveHTTP(word string) bool {
	word, _, _ = strings.Cut(word, "\x00")
	return regexp.MustCompile(`^(?i:host:|post)$`).MatchString(word) && !strings.ContainsAny(word, "\u017f\n")
}

// naiveRequest reads one request.
type naiveRequest struct {
	in     string
	limits Limits
	size   int // bytes of it
	args   []string
	large  bool
	fault  string
}

// read reports whether the request is complete, or wrong.
func (n *naiveRequest) read() bool {
	if n.in[0] != '*' {
		return n.line()
	}
	count, ok := n.number("mbulk count", "multibulk")
	switch {
	case n.fault != "":
		return true
	case !ok:
		return false
	case count > 1<<31-1, n.limits.LoggedIn && count > int64(n.limits.Args):
		n.fault = "invalid multibulk length"
		return true
	case count > int64(n.limits.Args):
		n.fault = "unauthenticated multibulk length"
		return true
	}
	for range count {
		if done := n.bulk(); n.fault != "" || !done {
			return n.fault != ""
		}
	}
	return true
}

func (n *naiveRequest) bulk() bool {
	rest := n.in[n.size:]
	if i := strings.IndexByte(rest, '\r'); 0 <= i && i <= 64<<10 && i+1 < len(rest) && rest[0] != '$' {
		n.fault = "expected '$', got '" + rest[:1] + "'"
		return false
	}
	size, ok := n.number("bulk count", "bulk")
	switch {
	case !ok:
		return false
	case size < 0, size > 512<<20, n.limits.LoggedIn && size > int64(n.limits.Bulk):
		n.fault = "invalid bulk length"
		return false
	case size > int64(n.limits.Bulk):
		n.fault = "unauthenticated bulk length"
		return false
	}
	rest = n.in[n.size:]
	n.large = n.large || n.size+int(size)+2 > n.limits.Request
	if len(rest) < int(size)+2 {
		return false
	}
	n.args = append(n.args, rest[:size])
	n.size += int(size) + 2
	return true
}

// number reads the line of a length.
func (n *naiveRequest) number(long, invalid string) (int64, bool) {
	rest := n.in[n.size:]
	i := strings.IndexByte(rest, '\r')
	switch {
	case i > 64<<10 || i < 0 && len(rest) > 64<<10:
		n.fault = "too big " + long + " string"
		return 0, false
	case i < 0 || i+2 > len(rest):
		return 0, false
	}
	digits := rest[1:i]
	value, ok := new(big.Int).SetString(digits, 10)
	if !ok || value.String() != digits || !value.IsInt64() {
		n.fault = "invalid " + invalid + " length"
		return 0, false
	}
	n.size += i + 2
	return value.Int64(), true
}

// line reads an inline request.
func (n *naiveRequest) line() bool {
	i := strings.IndexByte(n.in, '\n')
	switch {
	case i > 64<<10 || i < 0 && len(n.in) > 64<<10:
		n.fault = "too big inline request"
		return true
	case i < 0:
		return false
	}
	n.size, n.large = i+1, i > n.limits.Request
	if !n.large {
		n.words(n.in[:i])
	}
	return true
}

var (
	naiveBare   = regexp.MustCompile(`(?s)^[ \t\n\v\f\r]*([^ \t\r\n"']*)`)
	naiveQuoted = regexp.MustCompile(`(?s)^(?:"((?:\\.|[^"\\])*)"|'((?:\\+'|\\+[^'\\]|[^'\\])*)')(?:[ \t\n\v\f\r]|$)`)
	naiveEscape = regexp.MustCompile(`(?s)\\(?:x[0-9a-fA-F]{2}|.)`)
)

// words splits a line. Go's regular expressions read UTF-8, so each byte becomes a character of its own first.
func (n *naiveRequest) words(line string) {
	rest := latin1(line)
	for strings.Trim(rest, " \t\n\v\f\r") != "" {
		m := naiveBare.FindStringSubmatch(rest)
		rest = rest[len(m[0]):]
		word := m[1]
		if rest != "" && strings.ContainsAny(rest[:1], `"'`) {
			q := naiveQuoted.FindStringSubmatch(rest)
			if q == nil {
				n.fault = "unbalanced quotes in request"
				return
			}
			rest = rest[len(q[0]):]
			word += naiveEscape.ReplaceAllStringFunc(q[1], naiveUnescape) + strings.ReplaceAll(q[2], `\'`, `'`)
		}
		size := len([]rune(word))
		switch {
		case len(n.args) == n.limits.Args && n.limits.LoggedIn:
			n.fault = "invalid multibulk length"
		case len(n.args) == n.limits.Args:
			n.fault = "unauthenticated multibulk length"
		case size > n.limits.Bulk && n.limits.LoggedIn:
			n.fault = "invalid bulk length"
		case size > n.limits.Bulk:
			n.fault = "unauthenticated bulk length"
		}
		if n.fault != "" {
			return
		}
		n.args = append(n.args, bytesOf(word))
	}
}

func naiveUnescape(s string) string {
	if len(s) == 4 {
		var c int
		fmt.Sscanf(s[2:], "%x", &c)
		return string(rune(c))
	}
	if i := strings.Index("n\nr\rt\ta\ab\b", s[1:]); i >= 0 && i%2 == 0 && len(s) == 2 {
		return "n\nr\rt\ta\ab\b"[i+1 : i+2]
	}
	return s[1:]
}

func latin1(s string) string {
	var b strings.Builder
	for i := range len(s) {
		b.WriteRune(rune(s[i]))
	}
	return b.String()
}

func bytesOf(s string) string {
	var b bytes.Buffer
	for _, c := range s {
		b.WriteByte(byte(c))
	}
	return b.String()
}
