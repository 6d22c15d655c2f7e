package test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A step is one line of a conversation file. conversations/README.md describes
// the format.
type step struct {
	line int    // in the file, from 1
	conn string // the connection it is about
	node int    // the connection's node, from 0, counted from the one under test
	op   op
	text string        // before variables are filled in
	want string        // opWaitUntil: the reply to wait for
	max  time.Duration // opWaitUntil: how long
}

type op int

const (
	opSend        op = iota // > a line
	opSendRaw               // >\ bytes
	opLine                  // < an exact line
	opRegexp                // <~ a line that matches
	opSkip                  // <* lines up to one that matches
	opPrompt                // <? text without a newline
	opBytes                 // <\ exact bytes
	opClose                 // close
	opEOF                   // eof
	opExpectClose           // expect-close
	opExpectCut             // expect-cut
	opWaitUntil             // wait-until 5s LINE => REPLY
	opSignup                // signup NAME PASSWORD
	opLogin                 // login NAME PASSWORD
)

// The order matters: a marker comes before its own prefixes.
var marks = []struct {
	mark string
	op   op
}{
	{`>\ `, opSendRaw}, {"> ", opSend},
	{`<\ `, opBytes}, {"<~ ", opRegexp}, {"<* ", opSkip}, {"<? ", opPrompt}, {"< ", opLine},
	{"wait-until ", opWaitUntil}, {"signup ", opSignup}, {"login ", opLogin},
}

var words = map[string]op{
	"close": opClose, "eof": opEOF, "expect-close": opExpectClose, "expect-cut": opExpectCut,
}

var connLine = regexp.MustCompile(`^\[(\w+)\](?: node ([1-9]))?$`)

// parseConversation reads a file's text. It fails on a line that it does not
// know and on a connection that is left open: only a closed one shows that the
// server has sent nothing more.
func parseConversation(text string) ([]step, error) {
	var steps []step
	conn := "a"
	nodes := map[string]int{}
	open := map[string]int{}
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSuffix(line, "\r")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if m := connLine.FindStringSubmatch(line); m != nil {
			conn = m[1]
			if m[2] != "" {
				n, _ := strconv.Atoi(m[2]) // one digit, says connLine
				nodes[conn] = n - 1
			}
			continue
		}
		s, err := parseStep(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
		s.line, s.conn, s.node = i+1, conn, nodes[conn]
		if open[conn] = s.line; s.closes() {
			delete(open, conn)
		}
		steps = append(steps, s)
	}
	for conn, line := range open {
		return nil, fmt.Errorf("line %d: connection [%s] is never closed", line, conn)
	}
	return steps, nil
}

func (s step) closes() bool {
	return s.op == opClose || s.op == opExpectClose || s.op == opExpectCut
}

func parseStep(line string) (step, error) {
	if o, ok := words[line]; ok {
		return step{op: o}, nil
	}
	for _, m := range marks {
		text, ok := strings.CutPrefix(line, m.mark)
		if !ok {
			continue
		}
		s := step{op: m.op, text: text}
		return s, s.check()
	}
	return step{}, fmt.Errorf("what is %q?", line)
}

// check looks at the text of a step, and splits it where it has parts.
func (s *step) check() (err error) {
	switch s.op {
	case opSendRaw, opBytes:
		_, err = unescape(s.text)
	case opRegexp, opSkip:
		_, err = regexp.Compile(s.text)
	case opPrompt:
		s.text, err = strconv.Unquote(s.text)
	case opSignup, opLogin:
		if !strings.Contains(s.text, " ") {
			err = fmt.Errorf("no password in %q", s.text)
		}
	case opWaitUntil:
		limit, rest, _ := strings.Cut(s.text, " ")
		var ok bool
		if s.text, s.want, ok = strings.Cut(rest, " => "); !ok {
			return fmt.Errorf("no ` => ` in %q", rest)
		}
		s.max, err = time.ParseDuration(limit)
	}
	return err
}

var escapes = regexp.MustCompile(`\\(?:[nrt0\\]|x[0-9a-fA-F]{2}|.|$)`)

// unescape reads \n \r \t \0 \\ and \xHH.
func unescape(text string) (string, error) {
	var bad error
	out := escapes.ReplaceAllStringFunc(text, func(e string) string {
		switch {
		case e == `\0`:
			return "\x00"
		case e == `\n` || e == `\r` || e == `\t` || e == `\\` || len(e) == 4:
			c, _, _, err := strconv.UnquoteChar(e, 0)
			if err != nil {
				bad = err
			}
			return string([]byte{byte(c)})
		}
		bad = fmt.Errorf("what is %q?", e)
		return ""
	})
	return out, bad
}

var variables = regexp.MustCompile(`\{(?:(\w+)|(.)\*(\d+))\}`)

// expand fills in `{name}` from vars and `{c*N}` with N times c; braces around
// anything else stay as they are.
func expand(text string, vars map[string]string) string {
	return variables.ReplaceAllStringFunc(text, func(v string) string {
		m := variables.FindStringSubmatch(v)
		if value, ok := vars[m[1]]; ok {
			return value
		}
		if n, err := strconv.Atoi(m[3]); err == nil {
			return strings.Repeat(m[2], n)
		}
		return v
	})
}

// loadConversations reads every file, by its base name.
func loadConversations(t *testing.T) map[string][]step {
	t.Helper()
	files, err := filepath.Glob("conversations/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no conversations: %v", err)
	}
	all := make(map[string][]step)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		steps, err := parseConversation(string(text))
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all[filepath.Base(file)] = steps
	}
	return all
}

func TestParseConversation(t *testing.T) {
	steps, err := parseConversation("# words\n\n> SET a  b \n[b] node 2\n<~ VALUE (?P<v>\\d+) .*\nexpect-close\n" +
		"[a]\n<? \"name: \"\nwait-until 5s GET k => NOT_FOUND\nclose\n[b]\n>\\ \\x00\\n\nclose\n")
	if err != nil {
		t.Fatal(err)
	}
	want := []step{
		{line: 3, conn: "a", op: opSend, text: "SET a  b "},
		{line: 5, conn: "b", node: 1, op: opRegexp, text: `VALUE (?P<v>\d+) .*`},
		{line: 6, conn: "b", node: 1, op: opExpectClose},
		{line: 8, conn: "a", op: opPrompt, text: "name: "},
		{line: 9, conn: "a", op: opWaitUntil, text: "GET k", want: "NOT_FOUND", max: 5 * time.Second},
		{line: 10, conn: "a", op: opClose},
		{line: 12, conn: "b", node: 1, op: opSendRaw, text: `\x00\n`},
		{line: 13, conn: "b", node: 1, op: opClose},
	}
	if fmt.Sprint(steps) != fmt.Sprint(want) {
		t.Errorf("got  %+v\nwant %+v", steps, want)
	}
}

func TestParseConversationRefuses(t *testing.T) {
	for _, text := range []string{
		"> PING\n", "hello\nclose\n", "<~ (\nclose\n", ">\\ \\q\nclose\n", ">\\ a\\\nclose\n",
		"<? no quotes\nclose\n", "wait-until 5s GET k\nclose\n", "wait-until soon A => B\nclose\n", "login bob\nclose\n",
	} {
		if steps, err := parseConversation(text); err == nil {
			t.Errorf("%q: no error, %+v", text, steps)
		}
	}
}

func TestUnescapeAndExpand(t *testing.T) {
	got, err := unescape(`a\n\r\t\0\\\xfF\x41`)
	if want := "a\n\r\t\x00\\\xffA"; got != want || err != nil {
		t.Errorf("unescape: %q, %v; want %q", got, err, want)
	}
	vars := map[string]string{"u": "z9", "ver": "12"}
	for text, want := range map[string]string{
		"alice{u} {ver}": "alicez9 12", "{x*3}{ *2}|": "xxx  |", `\d{2} {none}`: `\d{2} {none}`, "{": "{",
	} {
		if got := expand(text, vars); got != want {
			t.Errorf("expand(%q) = %q, want %q", text, got, want)
		}
	}
}

// FuzzParseConversation: no text may crash the parser, and what it accepts has
// a step for each connection's end.
func FuzzParseConversation(f *testing.F) {
	f.Add("> PING\n< PONG\nclose\n")
	f.Add("[b] node 3\n>\\ \\xff\\0\nexpect-cut\n")
	f.Add("wait-until 1s A => B\n<? \"x\"\n<* END\nclose")
	f.Fuzz(func(t *testing.T, text string) {
		steps, err := parseConversation(text)
		if err == nil && len(steps) > 0 && !steps[len(steps)-1].closes() {
			t.Errorf("%q: accepted, ends with %+v", text, steps[len(steps)-1])
		}
	})
}
