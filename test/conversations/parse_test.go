package conversations

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
