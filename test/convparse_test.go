package test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A convFile is one conversation file, a script. conversations/README.md describes the format.
type convFile struct {
	config  string // what its cluster's file has besides the nodes; "" for the cluster that all others share
	disk    string // the size of each node's disk; "" for the machine's
	cluster bool   // it is about more than one node
	steps   []step
}

// acts tells whether the script does something to nodes.
func (s convFile) acts() bool {
	return slices.ContainsFunc(s.steps, func(s step) bool { return s.op == opAct || s.op == opReboot })
}

// hangs tells whether it makes a disk hang.
func (s convFile) hangs() bool {
	return slices.ContainsFunc(s.steps, func(s step) bool { return s.op == opAct && s.text == actHangDisk })
}

// A step is one line of a conversation file.
type step struct {
	line int    // in the file, from 1
	conn string // the connection it is about
	node int    // the connection's node, from 0, counted from the one under test
	from string // the connection's address; "" for one of its own
	op   op
	text string        // before variables are filled in; opAct: what is done
	want string        // opWaitUntil, opCrowd, opReboot: the reply to wait for; opAct: to whom
	like bool          // opWaitUntil: want is a pattern
	max  time.Duration // opWaitUntil: how long
	n    int           // opCrowd: how many connections
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
	opCrowd                 // crowd 100 LINE =~ REGEXP
	opReboot                // reboot LINE =~ REGEXP
	opAct                   // kill node, stop others, …
)

// The order matters: a marker comes before its own prefixes.
var marks = []struct {
	mark string
	op   op
}{
	{`>\ `, opSendRaw}, {"> ", opSend},
	{`<\ `, opBytes}, {"<~ ", opRegexp}, {"<* ", opSkip}, {"<? ", opPrompt}, {"< ", opLine},
	{"wait-until ", opWaitUntil}, {"signup ", opSignup}, {"login ", opLogin},
	{"crowd ", opCrowd}, {"reboot ", opReboot},
}

var words = map[string]op{
	"close": opClose, "eof": opEOF, "expect-close": opExpectClose, "expect-cut": opExpectCut,
}

// What can be done to nodes, and to which: the one under test, all the others (on
// one node: none), or both.
const (
	actKill     = "kill"
	actStop     = "stop"
	actCont     = "cont"
	actTerm     = "term"
	actStart    = "start"
	actHangDisk = "hang-disk"
	actFillDisk = "fill-disk"
	actFreeDisk = "free-disk"

	toNode, toOthers, toAll = "node", "others", "all"
)

var (
	connLine = regexp.MustCompile(`^\[(\w+)\](?: node ([1-9]))?(?: from (127\.\d+\.\d+\.\d+))?$`)
	actLine  = regexp.MustCompile(`^(kill|stop|cont|term|start|hang-disk|fill-disk|free-disk) (node|others|all)$`)
	headLine = regexp.MustCompile(`^(config|disk|cluster):(?: (.+))?$`)
)

// parseConversation reads a file's text. It fails on a line that it does not
// know and on a connection that is left open: only a closed one shows that the
// server has sent nothing more.
func parseConversation(text string) (convFile, error) {
	var all convFile
	here := step{conn: "a"}
	conns := map[string]step{} // of each connection, what its line says
	open := map[string]int{}
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSuffix(line, "\r")
		if line == "" || strings.HasPrefix(line, "#") || len(all.steps) == 0 && all.head(line) {
			continue
		}
		if m := connLine.FindStringSubmatch(line); m != nil {
			here = connOf(m, conns[m[1]])
			conns[m[1]] = here
			continue
		}
		s, err := parseStep(line)
		if err != nil {
			return all, fmt.Errorf("line %d: %w", i+1, err)
		}
		s.line, s.conn, s.node, s.from = i+1, here.conn, here.node, here.from
		if s.uses() {
			open[s.conn] = s.line
		}
		if s.closes() {
			delete(open, s.conn)
		}
		all.steps = append(all.steps, s)
	}
	for conn, line := range open {
		return all, fmt.Errorf("line %d: connection [%s] is never closed", line, conn)
	}
	return all, nil
}

// head takes a line that says what cluster the file needs.
func (s *convFile) head(line string) bool {
	m := headLine.FindStringSubmatch(line)
	if m == nil {
		return false
	}
	switch m[1] {
	case "config":
		s.config += m[2] + "\n"
	case "disk":
		s.disk = m[2]
	case "cluster":
		s.cluster = true
	}
	return true
}

// connOf reads a connection's line; before is what an earlier one has said.
func connOf(m []string, before step) step {
	before.conn = m[1]
	if m[2] != "" {
		n, _ := strconv.Atoi(m[2]) // one digit, says connLine
		before.node = n - 1
	}
	if m[3] != "" {
		before.from = m[3]
	}
	return before
}

// uses tells whether the step is about its connection.
func (s step) uses() bool { return s.op != opAct && s.op != opCrowd }

func (s step) closes() bool {
	return s.op == opClose || s.op == opExpectClose || s.op == opExpectCut
}

func parseStep(line string) (step, error) {
	if o, ok := words[line]; ok {
		return step{op: o}, nil
	}
	if m := actLine.FindStringSubmatch(line); m != nil {
		return step{op: opAct, text: m[1], want: m[2]}, nil
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
		if s.max, err = time.ParseDuration(s.cut()); err == nil {
			err = s.checkReply()
		}
	case opCrowd:
		if s.n, err = strconv.Atoi(s.cut()); err == nil {
			err = s.checkReply()
		}
	case opReboot:
		err = s.checkReply()
	}
	return err
}

// cut takes the first word off the text.
func (s *step) cut() (word string) {
	word, s.text, _ = strings.Cut(s.text, " ")
	return word
}

// checkReply splits `LINE => REPLY` and `LINE =~ REGEXP`.
func (s *step) checkReply() (err error) {
	text := s.text
	var ok bool
	if s.text, s.want, ok = strings.Cut(text, " =~ "); ok {
		s.like = true
		_, err = regexp.Compile(s.want)
		return err
	}
	if s.text, s.want, ok = strings.Cut(text, " => "); !ok || s.op != opWaitUntil {
		return fmt.Errorf("no reply in %q", text)
	}
	return nil
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

// loadConversations reads every file of a directory, by its base name.
func loadConversations(t *testing.T, dir string) map[string]convFile {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no conversations in %s: %v", dir, err)
	}
	all := make(map[string]convFile)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := parseConversation(string(text))
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all[strings.TrimSuffix(filepath.Base(file), ".txt")] = parsed
	}
	return all
}

func TestParseConversation(t *testing.T) {
	got, err := parseConversation("# words\nconfig: auth { idle_timeout = \"2s\" }\nconfig: timeouts {}\ndisk: 48m\ncluster:\n\n" +
		"> SET a  b \n[b] node 2 from 127.9.0.1\n<~ VALUE (?P<v>\\d+) .*\nexpect-close\n" +
		"[a]\n<? \"name: \"\nwait-until 5s GET k => NOT_FOUND\nwait-until 1s A =~ B+\nclose\n[b]\n>\\ \\x00\\n\nclose\n" +
		"kill others\ncrowd 12 PING =~ ERR BUSY .+\nreboot PING =~ PONG\nexpect-cut\nhang-disk node\n")
	if err != nil {
		t.Fatal(err)
	}
	second := step{conn: "b", node: 1, from: "127.9.0.1"}
	onB := func(line int, o op, text string) step {
		s := second
		s.line, s.op, s.text = line, o, text
		return s
	}
	crowd, reboot := onB(20, opCrowd, "PING"), onB(21, opReboot, "PING")
	crowd.n, crowd.want, crowd.like = 12, "ERR BUSY .+", true
	reboot.want, reboot.like = "PONG", true
	kill, hang := onB(19, opAct, actKill), onB(23, opAct, actHangDisk)
	kill.want, hang.want = toOthers, toNode
	want := convFile{config: "auth { idle_timeout = \"2s\" }\ntimeouts {}\n", disk: "48m", cluster: true, steps: []step{
		{line: 7, conn: "a", op: opSend, text: "SET a  b "},
		onB(9, opRegexp, `VALUE (?P<v>\d+) .*`),
		onB(10, opExpectClose, ""),
		{line: 12, conn: "a", op: opPrompt, text: "name: "},
		{line: 13, conn: "a", op: opWaitUntil, text: "GET k", want: "NOT_FOUND", max: 5 * time.Second},
		{line: 14, conn: "a", op: opWaitUntil, text: "A", want: "B+", like: true, max: time.Second},
		{line: 15, conn: "a", op: opClose},
		onB(17, opSendRaw, `\x00\n`),
		onB(18, opClose, ""),
		kill, crowd, reboot, onB(22, opExpectCut, ""), hang,
	}}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if !got.acts() || !got.hangs() {
		t.Errorf("acts %v, hangs %v", got.acts(), got.hangs())
	}
}

func TestParseConversationRefuses(t *testing.T) {
	for _, text := range []string{
		"> PING\n", "hello\nclose\n", "<~ (\nclose\n", ">\\ \\q\nclose\n", ">\\ a\\\nclose\n",
		"<? no quotes\nclose\n", "wait-until 5s GET k\nclose\n", "wait-until soon A => B\nclose\n", "login bob\nclose\n",
		"close\nconfig: auth {}\n", "kill 2\n", "wait-until 1s A =~ (\nclose\n", "crowd many A =~ B\n", "crowd 3 A => B\n",
		"reboot A\nclose\n", "reboot A =~ B\n", "[b] from 10.0.0.1\nclose\n",
	} {
		if parsed, err := parseConversation(text); err == nil {
			t.Errorf("%q: no error, %+v", text, parsed)
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
		parsed, err := parseConversation(text)
		steps := slices.DeleteFunc(parsed.steps, func(s step) bool { return !s.uses() })
		if err == nil && len(steps) > 0 && !steps[len(steps)-1].closes() {
			t.Errorf("%q: accepted, ends with %+v", text, steps[len(steps)-1])
		}
	})
}
